// Evaluated in the sandbox before any user script, as an expression: a function of `hostCall`, the one
// function of the host. It installs the gateway's JavaScript API on the global object and answers the
// entries that the host calls. Everything it needs later is captured here, first, so that a script which
// overwrites or freezes the globals changes nothing for the host or for the next event; and it turns
// arguments into text inside the sandbox, so that a hostile toString() costs the script's own time.
(hostCall, limits) => {
  const uncurry = Function.prototype.bind.bind(Function.prototype.call);
  const asText = String;
  const Failure = Error;
  const { parse, stringify } = JSON;
  const { defineProperty, create, getOwnPropertyDescriptor } = Object;
  const slice = uncurry(String.prototype.slice);
  const test = uncurry(RegExp.prototype.exec);
  const then = uncurry(Promise.prototype.then);
  const resolve = Promise.resolve.bind(Promise);
  // What `let` or `const` declared is found by evaluating its name only. The name is checked to be an identifier
  // path first, and through this alias it is always evaluated in the global scope.
  // biome-ignore lint/security/noGlobalEval: see above
  const evaluate = globalThis.eval;
  const identifierPath =
    /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*(\.[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*)*$/u;

  // The gateway's argument rule: everything becomes text; an object that refuses becomes "".
  const text = (value) => {
    try {
      return asText(value);
    } catch {
      return "";
    }
  };
  const cut = (value, length) => (value.length > length ? slice(value, 0, length) : value);

  const install = (name, value) =>
    defineProperty(globalThis, name, { value, writable: true, enumerable: true, configurable: true });

  const log = (level, value) => {
    hostCall("log", level, cut(text(value), limits.logLineChars));
  };
  install("log", (message) => log("info", message));
  install("TykGetKeyData", (key, apiId) => hostCall("getKeyData", text(key), text(apiId)));
  install("TykSetKeyData", (key, session, suppressReset) => {
    hostCall("setKeyData", text(key), text(session), text(suppressReset));
  });
  install("TykMakeHttpRequest", (request) => {
    const asked = text(request);
    return asked === "undefined" ? undefined : hostCall("makeHttpRequest", asked);
  });

  // What the last Handle() returned: DoProcessEvent itself returns nothing, and an async handler's run
  // ends only when its promise settles.
  let returned;

  function EventHandlerComponentMeta() {}
  EventHandlerComponentMeta.prototype.DoProcessEvent = function (event, context) {
    log("info", "Calling built - in handle");
    returned = this.Handle(event, context);
  };
  EventHandlerComponentMeta.prototype.Handle = (event) => {
    log("info", "Handler not implemented!");
    return event;
  };
  function NewEventHandler() {}
  NewEventHandler.prototype = create(EventHandlerComponentMeta.prototype, {
    constructor: { value: NewEventHandler, writable: true, configurable: true },
  });
  NewEventHandler.prototype.NewHandler = function (callback) {
    this.Handle = callback;
  };
  install("TykJS", { TykEventHandlers: { EventHandlerComponentMeta, NewEventHandler } });

  // The gateway's public documentation shows the names of before 2017 (EventType, EventMetaData); today's
  // events have Type and Meta. Both answer; the old ones do not show when the event is listed or printed.
  const alias = (event, old, name) => {
    if (getOwnPropertyDescriptor(event, old)) return;
    defineProperty(event, old, {
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

  // Runs inside the sandbox, so that hostile getters on a thrown value are under the deadline too.
  const member = (thrown, name) => {
    try {
      const value = thrown[name];
      return value === undefined ? "" : cut(text(value), limits.errorChars);
    } catch {
      return "";
    }
  };
  const describe = (thrown) => {
    const isError = (typeof thrown === "object" && thrown !== null) || typeof thrown === "function";
    const report = isError
      ? { name: member(thrown, "name"), message: member(thrown, "message"), stack: member(thrown, "stack") }
      : { name: "", message: cut(text(thrown), limits.errorChars), stack: "" };
    if (isError && !report.name && !report.message) report.message = cut(text(thrown), limits.errorChars);
    return report;
  };

  const lookUp = (name) => {
    if (!test(identifierPath, name)) throw new Failure(`"${name}" is no handler name`);
    return evaluate(name);
  };

  let end;
  return {
    /** Starts a run; how it ended is asked of `ended` once the jobs are done. */
    run(name, event, context) {
      end = undefined;
      returned = undefined;
      try {
        const handler = lookUp(name);
        const direct = handler.DoProcessEvent(parseEvent(event), parse(context));
        const result = direct === undefined ? returned : direct;
        if (typeof result !== "object" || result === null || typeof result.then !== "function") {
          end = { ok: true };
          return;
        }
        then(
          resolve(result),
          () => {
            end = { ok: true };
          },
          (thrown) => {
            end = { ok: false, error: describe(thrown) };
          },
        );
      } catch (thrown) {
        end = { ok: false, error: describe(thrown) };
      }
    },
    /** "" while the run's promise is pending. */
    ended: () => (end ? stringify(end) : ""),
    describe: (thrown) => stringify(describe(thrown)),
    /** What is wrong with the handler object of this name; "" when nothing is. */
    probe(name) {
      try {
        const handler = lookUp(name);
        return typeof handler.DoProcessEvent === "function"
          ? ""
          : "has no DoProcessEvent: is it a new NewEventHandler({})?";
      } catch (thrown) {
        return member(thrown, "message");
      }
    },
  };
};
