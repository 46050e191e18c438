// Evaluated in the sandbox before any user script: a function of `hostCall`, the one function of the host. It
// installs the gateway's JavaScript API on the global object and answers the calls of the host (prelude-calls.ts).
// Everything it needs later is captured here, first, so that a script which overwrites or freezes the globals
// changes nothing for the host; and it turns arguments into text inside the sandbox, so that a hostile toString()
// costs the script's own time.
(hostCall, limits) => {
  const uncurry = Function.prototype.bind.bind(Function.prototype.call);
  const asText = String;
  const asNumber = Number;
  const Failure = Error;
  const { trunc, min, max } = Math;
  const { parse, stringify } = JSON;
  const { defineProperty, create, getOwnPropertyDescriptor, getOwnPropertyNames, hasOwn } = Object;
  const slice = uncurry(String.prototype.slice);
  const indexOf = uncurry(String.prototype.indexOf);
  const numberOf = uncurry(WeakMap.prototype.get);
  const setNumber = uncurry(WeakMap.prototype.set);
  const Settled = Promise;
  errors();
  // What `let` or `const` declared is found by evaluating its name only. The host has seen that it is an identifier
  // path, and through this alias it is always evaluated in the global scope.
  // biome-ignore lint/security/noGlobalEval: see above
  const evaluate = globalThis.eval;

  // The gateway's argument rule: everything becomes text; an object that refuses becomes "".
  const text = (value) => {
    try {
      return asText(value);
    } catch {
      return "";
    }
  };
  const cut = (value, length) => (value.length > length ? slice(value, 0, length) : value);
  // The host refuses names far shorter than this, so what is cut off changes no answer.
  const nameOf = (value) => cut(text(value), limits.nameChars);
  // At most Go's longest duration: a table cannot hold Infinity, nor 1e308.
  const LONGEST_SECONDS = 9_223_372_036;
  const secondsOf = (value) => max(-LONGEST_SECONDS, min(LONGEST_SECONDS, trunc(asNumber(value)) || 0));

  const define = (name, value) =>
    defineProperty(globalThis, name, { value, writable: true, enumerable: true, configurable: true });
  // Arguments cross as JSON: a plain string would end at its first NUL. One by one, for an array's toJSON may be
  // the script's.
  const ask = (name, first, second, third, fourth) => {
    const answer = hostCall(
      name,
      stringify(first),
      second === undefined ? "" : stringify(second),
      third === undefined ? "" : stringify(third),
      fourth === undefined ? "" : stringify(fourth),
    );
    // The run is over. What the engine's interrupt stops, the script cannot catch.
    if (answer === null) for (;;);
    return answer;
  };
  const log = (level, value) => {
    ask("log", level, cut(text(value), limits.logLineChars));
  };

  /** A text for the host; one that is too large for the boundary never gets there. */
  const bounded = (name, value) => {
    const given = text(value);
    if (given.length <= limits.argumentChars) return given;
    log(
      "error",
      `${name}: an argument of ${given.length} characters is too large; ${limits.argumentChars} are allowed`,
    );
    return undefined;
  };

  define("log", (message) => log("info", message));
  define("rawlog", (message) => log("raw", message));
  const consoleLine =
    (level) =>
    (...values) => {
      let line = "";
      for (let index = 0; index < values.length; index += 1) line += (index ? " " : "") + text(values[index]);
      log(level, line);
    };
  define("console", {
    log: consoleLine("info"),
    info: consoleLine("info"),
    debug: consoleLine("debug"),
    warn: consoleLine("warn"),
    error: consoleLine("error"),
  });

  const base64 = (name, value) => {
    const given = bounded(name, value);
    const answer = given === undefined ? undefined : ask(name, given);
    if (answer !== undefined) return parse(answer);
    log("error", `${name}: this is not Base64 of the form that it takes`);
    return undefined;
  };
  define("b64enc", (value) => base64("b64enc", value));
  define("b64dec", (value) => base64("b64dec", value));
  define("rawb64enc", (value) => base64("rawb64enc", value));
  define("rawb64dec", (value) => base64("rawb64dec", value));

  define("TykGetKeyData", (key, apiId) => ask("getKeyData", nameOf(key), nameOf(apiId)));
  define("TykSetKeyData", (key, session, suppressReset) => {
    const name = nameOf(key);
    const content = bounded("TykSetKeyData", session);
    if (content !== undefined) ask("setKeyData", name, content, nameOf(suppressReset));
  });

  // An addition: the gateway's own scripts cannot remove a key.
  define("TykDelKeyData", (key, apiId) => void ask("delKeyData", nameOf(key), nameOf(apiId)));
  define("TykMakeHttpRequest", (request) => {
    const asked = bounded("TykMakeHttpRequest", request);
    return asked === undefined || asked === "undefined" ? undefined : ask("makeHttpRequest", asked);
  });
  define("TykBatchRequest", (request) => {
    const asked = bounded("TykBatchRequest", request);
    return asked === undefined ? undefined : ask("batchRequest", asked);
  });
  define("TykJsResponse", (response, sessionMeta) =>
    stringify({ Response: response, SessionMeta: sessionMeta }),
  );

  const storage = (operation, key, value, ttl) => {
    const given = cut(text(value), limits.argumentChars); // far above what the host takes, as with names
    const answer = ask("storage", operation, nameOf(key), given, asText(secondsOf(ttl)));
    const { error, value: result } =
      answer === undefined ? { error: "JSVM storage is not available" } : parse(answer);
    if (error === null) return result;
    const thrown = new Failure(error);
    defineProperty(thrown, "name", { __proto__: null, value: "GoError", writable: true, configurable: true });
    throw thrown;
  };
  define("TykStorageGet", (key) => storage("get", key));
  define("TykStorageSet", (key, value, ttl) => {
    storage("set", key, value, ttl);
  });
  define("TykStorageSetNX", (key, value, ttl) => storage("setnx", key, value, ttl));
  define("TykStorageDel", (key) => {
    storage("del", key);
  });
  define("TykStorageTTL", (key) => storage("ttl", key));
  define("TykStorageIncr", (key, ttl) => storage("incr", key, "", ttl));

  // What the last Handle() returned: DoProcessEvent itself returns nothing, and an async handler's run ends only
  // when its promise settles.
  let returned;
  const setReturned = (value) => {
    returned = value;
  };
  const encode = (value) => base64("b64enc", value);
  const decode = (value) => base64("b64dec", value);
  const core = tykjs({ create, stringify, log, encode, decode, returned: setReturned });
  const { DoProcessEvent, Handle } = core.TykEventHandlers.EventHandlerComponentMeta.prototype;
  const base = { __proto__: null, DoProcessEvent, Handle };
  define("TykJS", core);

  // The gateway's public documentation shows the names of before 2017 (EventType, EventMetaData); today's events
  // have Type and Meta. Both answer; the old ones do not show when the event is listed or printed.
  const alias = (event, old, name) => {
    if (getOwnPropertyDescriptor(event, old)) return;
    defineProperty(event, old, {
      __proto__: null,
      get: () => event[name],
      set: (value) => {
        event[name] = value;
      },
      enumerable: false,
      configurable: true,
    });
  };
  const parseEvent = (json) => {
    const event = parse(json);
    alias(event, "EventType", "Type");
    alias(event, "EventMetaData", "Meta");
    return event;
  };

  const describe = thrown({ uncurry, text, cut, stringify, errorChars: limits.errorChars });

  // What a handler returns means nothing unless it is a promise; what refuses to tell is not one.
  const isThenable = (value) => {
    try {
      return typeof value.then === "function";
    } catch {
      return false;
    }
  };

  // Each handler object that was looked at has a number, so that the host can tell two names of one from two handlers.
  const numbers = new WeakMap();
  let numbered = 0;
  const numberFor = (value) => {
    if (typeof value !== "object" || value === null || typeof value.DoProcessEvent !== "function") return 0;
    const known = numberOf(numbers, value);
    if (known !== undefined) return known;
    numbered += 1;
    setNumber(numbers, value, numbered);
    return numbered;
  };
  // What `let`, `const` and `class` declare is not a property of the global object.
  const lexical = { __proto__: null };
  // Evaluated only where it may be a handler, since that takes longer, and calls a getter.
  const held = (name) => {
    try {
      const dot = indexOf(name, ".");
      const root = dot < 0 ? name : slice(name, 0, dot);
      if (lexical[root]) return numberFor(evaluate(name));
      const own = getOwnPropertyDescriptor(globalThis, root);
      if (!own) return -1;
      const kind = hasOwn(own, "value") ? typeof own.value : "accessor";
      if (kind === "object" || (kind === "function" && dot > 0)) return numberFor(evaluate(name));
      return dot < 0 ? 0 : -1;
    } catch {
      return -1;
    }
  };

  return {
    /** Answers what the handler returned, where that may be a promise. */
    run(name, event, context) {
      returned = undefined;
      const direct = evaluate(name).DoProcessEvent(parseEvent(event), parse(context));
      const result = direct === undefined ? returned : direct;
      return typeof result === "object" && result !== null ? result : undefined;
    },
    /** The promise that follows an object with a `then` of its own. */
    settle: (value) => (isThenable(value) ? new Settled((resolve) => resolve(value)) : undefined),
    /** What was thrown, as JSON. */
    describe: (value) => {
      const { engine, name, message, stack } = describe(value);
      // Put together of texts alone: JSON.stringify of an object keeps its place in an array, where a script may
      // have a setter wait for it.
      return `{"engine":${engine},"name":${stringify(name)},"message":${stringify(message)},"stack":${stringify(stack)}}`;
    },
    /**
     * What each name holds, with commas between: a handler's number, 0 for anything else, -1 for nothing. The JSON
     * has the names, and which variables scripts declare by `let`, `const` and `class`.
     */
    look(json) {
      const { names, declared } = parse(json);
      for (let index = 0; index < declared.length; index += 1) lexical[declared[index]] = true;
      let answers = "";
      for (let index = 0; index < names.length; index += 1)
        answers += (index ? "," : "") + held(names[index]);
      return answers;
    },
    /** The names of all global variables but those of `let`, `const` and `class`, as a JSON list. */
    globals() {
      const names = getOwnPropertyNames(globalThis);
      let list = "";
      // One by one, for an array's toJSON may be the script's.
      for (let index = 0; index < names.length; index += 1)
        list += (index ? "," : "") + stringify(names[index]);
      return `[${list}]`;
    },
    /** What this name leads to: see Probed in protocol.ts. */
    probe(name) {
      try {
        const handler = evaluate(name);
        if (handler === undefined || handler === null) return "missing";
        if (typeof handler.DoProcessEvent !== "function") return "no-handler";
        // What a DoProcessEvent of the scripts' own calls is not known.
        if (handler.DoProcessEvent !== base.DoProcessEvent) return "handler";
        return typeof handler.Handle === "function" && handler.Handle !== base.Handle
          ? "handler"
          : "no-function";
      } catch (value) {
        return describe(value).engine ? "unreadable" : "missing";
      }
    },
  };
};
