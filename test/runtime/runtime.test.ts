import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { loadAssets } from "../../lib/runtime/assets.ts";
import type { Host } from "../../lib/runtime/host.ts";
import type { HostCallName, Limits, LogLevel, Outcome } from "../../lib/runtime/protocol.ts";
import { type Runtime, type RuntimeOptions, startRuntime } from "../../lib/runtime/runtime.ts";

const assets = loadAssets();

/** Long enough for whatever is to end by itself, on a busy machine too. */
const AMPLE_MS = 10_000;
/** For what never ends by itself. */
const SHORT_MS = 150;
/** So long that a busy machine does not make a kill of what stops by itself. */
const LIMITS: Partial<Limits> = { graceMs: 1_000 };

const handler = (name: string, body: string) =>
  `var ${name} = new TykJS.TykEventHandlers.NewEventHandler({});\n${name}.NewHandler(${body});\n`;

/** The prototype's own line of each run, which says nothing here. */
const OWN_LINE = "Calling built - in handle";

interface Ended {
  outcome: Outcome;
  /** What the script logged, without the gateway's own line. */
  lines: string[];
}

interface RunOptions {
  timeoutMs?: number;
  event?: unknown;
  context?: unknown;
  call?: Host["call"];
}

async function run(runtime: Runtime, name: string, options: RunOptions = {}): Promise<Ended> {
  const lines: string[] = [];
  const event = options.event ?? { Type: "KeyExpired", Meta: { Key: "k1" }, TimeStamp: "" };
  const outcome = await runtime.run(
    {
      handler: name,
      event: JSON.stringify(event),
      context: JSON.stringify(options.context ?? {}),
      timeoutMs: options.timeoutMs ?? AMPLE_MS,
    },
    {
      call: options.call ?? (async () => undefined),
      log: (_level, message) => {
        if (message !== OWN_LINE) lines.push(message);
      },
    },
  );
  return { outcome, lines };
}

const code = ({ outcome }: Ended) => (outcome.ok ? "ok" : outcome.code);
const errorOf = ({ outcome }: Ended) => (outcome.ok ? undefined : outcome.error);

/** The runtime of one script for all tests of a block. */
function withRuntime(source: string, options: Partial<RuntimeOptions> = {}): () => Runtime {
  let runtime: Runtime | undefined;
  before(async () => {
    runtime = await startRuntime([{ path: "a.js", source }], { assets, limits: LIMITS, ...options });
    assert.deepEqual(runtime.faults, []);
  });
  after(() => runtime?.close());
  return () => runtime as Runtime;
}

describe("a run", () => {
  const runtime = withRuntime(
    [
      handler("good", "function (event, context) { log(event.Meta.Key + ' for ' + context.APIID); }"),
      handler("returns", "function () { return { status: 'error', then: 7 }; }"),
      handler("throws", "function () {\n  log('so far');\n  throw new TypeError('not mine');\n}"),
      handler("throwsText", "function () { throw 'plain text'; }"),
      handler("throwsNothing", "function () { throw undefined; }"),
      handler("throwsTrap", "function () { throw { get message() { throw new Error('no'); } }; }"),
      handler("logs", "function () { log(1); log({}); log(null); rawlog('raw'); console.warn('a', 2); }"),
      "var empty = {}; var ns = { deep: { er: good } };",
      "const declared = good; let $_1é = good;",
    ].join("\n"),
  );

  it("is ok when the handler comes to its end, whatever it returns", async () => {
    const ended = await run(runtime(), "good", { context: { APIID: "demo" } });
    assert.deepEqual([code(ended), ended.lines], ["ok", ["k1 for demo"]]);
    assert.ok(ended.outcome.ms > 0);
    assert.equal(code(await run(runtime(), "returns")), "ok");
  });

  it("finds a handler by its path, however it was declared", async () => {
    for (const name of ["good", "ns.deep.er", "declared", "$_1é"]) {
      assert.equal(code(await run(runtime(), name)), "ok", name);
    }
  });

  it("threw when the handler throws, and tells what and where", async () => {
    const ended = await run(runtime(), "throws");
    assert.equal(code(ended), "threw");
    assert.deepEqual([errorOf(ended)?.name, errorOf(ended)?.message], ["TypeError", "not mine"]);
    assert.match(errorOf(ended)?.stack ?? "", /a\.js:\d+/);
    assert.deepEqual(ended.lines, ["so far"]);
  });

  it("threw whatever is thrown", async () => {
    const text = await run(runtime(), "throwsText");
    assert.deepEqual([code(text), errorOf(text)?.message], ["threw", "plain text"]);
    assert.equal(code(await run(runtime(), "throwsNothing")), "threw");
    assert.equal(code(await run(runtime(), "throwsTrap")), "threw");
    assert.equal(code(await run(runtime(), "good")), "ok");
  });

  it("threw when there is no such handler, or it is no handler object", async () => {
    for (const name of ["missing", "ns.missing", "missing.deep", "empty"]) {
      const ended = await run(runtime(), name);
      assert.equal(code(ended), "threw", name);
      assert.ok(errorOf(ended)?.message, name);
    }
  });

  it("logs what the script says, line by line, each with its level", async () => {
    const levels: [LogLevel, string][] = [];
    await runtime().run(
      { handler: "logs", event: "{}", context: "{}", timeoutMs: AMPLE_MS },
      { call: async () => undefined, log: (level, message) => levels.push([level, message]) },
    );
    assert.deepEqual(levels, [
      ["info", OWN_LINE],
      ["info", "1"],
      ["info", "[object Object]"],
      ["info", "null"],
      ["raw", "raw"],
      ["warn", "a 2"],
    ]);
  });
});

describe("a name that is not an identifier path", () => {
  const runtime = withRuntime(handler("good", "function () { log('ran'); }"));

  it("is refused and not evaluated", async () => {
    const names = [
      "",
      " ",
      "log('evaluated')",
      "good;log('evaluated')",
      "good\nlog('evaluated')",
      "(log('evaluated'),good)",
      "good[log('evaluated')]",
      "log`evaluated`",
      "good.",
      ".good",
      "good good",
      "1good",
      "a-b",
      "good//",
    ];
    for (const name of names) {
      const ended = await run(runtime(), name);
      assert.equal(code(ended), "threw", name);
      assert.match(errorOf(ended)?.message ?? "", /not a handler name/, name);
      assert.deepEqual(ended.lines, [], name);
    }
    assert.deepEqual(await runtime().probe([...names, "good"]), [...names.map(() => "missing"), "handler"]);
  });

  it("is refused as well when it is a word of the language", async () => {
    for (const name of ["while", "this", "null", "undefined", "globalThis"]) {
      assert.equal(code(await run(runtime(), name)), "threw", name);
    }
  });
});

for (const isolation of ["global", "event"] as const) {
  describe(`a bad run, isolated by ${isolation}`, () => {
    const runtime = withRuntime(
      [
        handler("good", "function (event) { log('good ' + event.Meta.Key); }"),
        handler("asyncGood", "async function (event) { await null; log('async ' + event.Meta.Key); }"),
        handler("threw", "function () { log('before'); missing(); }"),
        handler("loop", "function () { log('before'); for (;;); }"),
        handler("catching", "function () { log('before'); for (;;) { try { for (;;); } catch (e) {} } }"),
        handler("asyncLoop", "async function () { log('before'); for (;;) await null; }"),
        handler(
          "memory",
          "function () { log('before'); var a = []; for (;;) a.push(new Array(1000).fill(1)); }",
        ),
        handler("stack", "function () { log('before'); (function f(n) { return f(n + 1) + 1; })(0); }"),
        handler("parser", "function () { log('before'); eval('['.repeat(1e6)); }"),
        handler("native", "function () { log('before'); [].indexOf.call({ length: 2 ** 53 - 1 }, 1); }"),
        handler("never", "function () { log('before'); return new Promise(function () {}); }"),
      ].join("\n"),
      { limits: { ...LIMITS, jobs: 1_000_000_000 }, isolation },
    );

    const BAD: [name: string, code: string, timeoutMs: number][] = [
      ["threw", "threw", AMPLE_MS],
      ["loop", "timeout", SHORT_MS],
      ["catching", "timeout", SHORT_MS],
      ["asyncLoop", "timeout", SHORT_MS],
      ["memory", "memory", AMPLE_MS],
      ["stack", "stack", AMPLE_MS],
      ["parser", "stack", AMPLE_MS],
      ["native", "killed", SHORT_MS],
      ["never", "threw", AMPLE_MS],
    ];
    for (const [name, expected, timeoutMs] of BAD) {
      it(`(${name}) ends as ${expected}, keeps what it logged, and the next runs are right`, async () => {
        const bad = await run(runtime(), name, { timeoutMs });
        assert.deepEqual([code(bad), bad.lines], [expected, ["before"]]);
        const { message, stack } = errorOf(bad) ?? { message: "", stack: "" };
        assert.ok(message, "it says what happened");
        assert.doesNotMatch(`${message}${stack}`, /file:\/\//, "it does not show our own files");
        for (const key of ["k1", "k2"]) {
          const event = { Type: "KeyExpired", Meta: { Key: key }, TimeStamp: "" };
          const next = await run(runtime(), "good", { event });
          assert.deepEqual([code(next), next.lines], ["ok", [`good ${key}`]]);
          const nextAsync = await run(runtime(), "asyncGood", { event });
          assert.deepEqual([code(nextAsync), nextAsync.lines], ["ok", [`async ${key}`]]);
        }
      });
    }

    it("does not hold up the next when the main thread is busy meanwhile", async () => {
      await runtime().run(
        { handler: "memory", event: "{}", context: "{}", timeoutMs: AMPLE_MS },
        {
          call: async () => undefined,
          log(_level, message) {
            // So long that the worker has said all it has to say of this run.
            const until = performance.now() + 500;
            while (message === "before" && performance.now() < until);
          },
        },
      );
      const started = performance.now();
      assert.equal(code(await run(runtime(), "good")), "ok");
      assert.ok(performance.now() - started < 5_000);
    });

    it("is over by its deadline or the grace after it, and names the handler that ran too long", async () => {
      for (const name of ["loop", "native"]) {
        const ended = await run(runtime(), name, { timeoutMs: SHORT_MS });
        const { ms } = ended.outcome;
        assert.ok(ms >= SHORT_MS && ms < SHORT_MS + 5_000, `${name} took ${ms} ms`);
        assert.ok(errorOf(ended)?.message.includes(name), errorOf(ended)?.message);
      }
    });
  });
}

describe("an async handler", () => {
  const runtime = withRuntime(
    [
      handler("waits", "async function (event) { log('one'); await null; await null; log('two'); }"),
      handler("rejects", "async function () { await null; throw new RangeError('too late'); }"),
      handler("thenable", "function () { return { then: function (done) { log('then'); done(); } }; }"),
      handler("never", "function () { return new Promise(function () {}); }"),
      handler(
        "asks",
        "async function () { await null; log(TykGetKeyData('k1', 'demo')); await null; log('end'); }",
      ),
      handler(
        "detached",
        "function (event) { Promise.resolve().then(function () { log('detached ' + event.Meta.Key); }); }",
      ),
      handler(
        "detachedThrow",
        "function () { Promise.resolve().then(function () { log('left'); }); throw new Error('no'); }",
      ),
      handler(
        "tooMany",
        "async function () { for (var i = 0; i < 500; i += 1) await null; log('after all'); }",
      ),
      handler("good", "function () { log('good'); }"),
    ].join("\n"),
    { limits: { ...LIMITS, jobs: 100 } },
  );

  it("is waited for", async () => {
    const ended = await run(runtime(), "waits");
    assert.deepEqual([code(ended), ended.lines], ["ok", ["one", "two"]]);
    const thenable = await run(runtime(), "thenable");
    assert.deepEqual([code(thenable), thenable.lines], ["ok", ["then"]]);
  });

  it("that rejects threw", async () => {
    const ended = await run(runtime(), "rejects");
    assert.deepEqual(
      [code(ended), errorOf(ended)?.name, errorOf(ended)?.message],
      ["threw", "RangeError", "too late"],
    );
  });

  it("whose promise can never settle fails at once, and does not wait for its deadline", async () => {
    const ended = await run(runtime(), "never");
    assert.equal(code(ended), "threw");
    assert.ok(ended.outcome.ms < AMPLE_MS / 2);
    assert.match(errorOf(ended)?.message ?? "", /never/);
  });

  it("gets the answers of host calls in between", async () => {
    const ended = await run(runtime(), "asks", { call: async () => "the session" });
    assert.deepEqual([code(ended), ended.lines], ["ok", ["the session", "end"]]);
  });

  it("leaves nothing of its work to the run of another event", async () => {
    for (const name of ["detached", "detachedThrow", "tooMany"]) {
      await run(runtime(), name);
      const next = await run(runtime(), "waits", {
        event: { Type: "t", Meta: { Key: "k2" }, TimeStamp: "" },
      });
      assert.deepEqual([code(next), next.lines], ["ok", ["one", "two"]], `after ${name}`);
    }
  });

  it("has run whatever it put off by the time its run is over", async () => {
    const ended = await run(runtime(), "detached");
    assert.deepEqual([code(ended), ended.lines], ["ok", ["detached k1"]]);
  });

  it("that needs more jobs than a run has fails, and is told so", async () => {
    const ended = await run(runtime(), "tooMany");
    assert.deepEqual([code(ended), ended.lines], ["jobs", []]);
    assert.match(errorOf(ended)?.message ?? "", /100/);
    assert.deepEqual((await run(runtime(), "good")).lines, ["good"]);
  });
});

describe("a host call", () => {
  const runtime = withRuntime(
    [
      handler("get", "function (event, context) { log(TykGetKeyData(event.Meta.Key, context.APIID)); }"),
      handler("twice", "function () { log(TykGetKeyData('a', 'x')); log(TykGetKeyData('b', 'x')); }"),
      handler("set", "function () { log(TykSetKeyData('k1', '{}', 1)); }"),
      handler("http", "function () { log(TykMakeHttpRequest('{}')); log('after'); }"),
      handler("odd", "function () { TykGetKeyData({ toString: function () { throw 1; } }, 'a\\u0000b'); }"),
      handler("good", "function () { log('good'); }"),
    ].join("\n"),
  );

  it("blocks the script until its answer is there", async () => {
    const calls: [HostCallName, string[]][] = [];
    const ended = await run(runtime(), "get", {
      context: { APIID: "demo" },
      async call(name, args) {
        calls.push([name, args]);
        await new Promise((resolve) => setImmediate(resolve));
        return '{"rate":1,"alias":"\u{1f600}"}';
      },
    });
    assert.deepEqual(calls, [["getKeyData", ["k1", "demo"]]]);
    assert.deepEqual([code(ended), ended.lines], ["ok", ['{"rate":1,"alias":"\u{1f600}"}']]);
  });

  it("gets its own answer, not that of another call", async () => {
    const ended = await run(runtime(), "twice", { call: async (_name, [key = ""]) => `session of ${key}` });
    assert.deepEqual(ended.lines, ["session of a", "session of b"]);
  });

  it("that has no answer gives undefined", async () => {
    const ended = await run(runtime(), "set");
    assert.deepEqual([code(ended), ended.lines], ["ok", ["undefined"]]);
  });

  it("gets text, whatever the script passes", async () => {
    const calls: string[][] = [];
    const ended = await run(runtime(), "odd", {
      async call(_name, args) {
        calls.push(args);
        return "";
      },
    });
    assert.deepEqual([code(ended), calls], ["ok", [["", "a\0b"]]]);
  });

  it("is aborted when the run is over, and the run fails by its deadline", async () => {
    let aborted: AbortSignal | undefined;
    const ended = await run(runtime(), "http", {
      timeoutMs: SHORT_MS,
      call: (_name, _args, { signal }) => {
        aborted = signal;
        return new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined)));
      },
    });
    assert.equal(aborted?.aborted, true);
    assert.deepEqual([code(ended), ended.lines], ["timeout", []]);
    const next = await run(runtime(), "good");
    assert.deepEqual([code(next), next.lines], ["ok", ["good"]]);
  });

  it("that is answered after its run was over does not answer a later call", async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    await run(runtime(), "http", { timeoutMs: SHORT_MS, call: () => promise });
    resolve("the late answer");
    const next = await run(runtime(), "twice", { call: async (_name, [key = ""]) => `session of ${key}` });
    assert.deepEqual([code(next), next.lines], ["ok", ["session of a", "session of b"]]);
  });
});

describe("an event", () => {
  const runtime = withRuntime(
    [
      handler("names", "function (event) { log(event.EventType + ' ' + event.EventMetaData.Key); }"),
      handler(
        "same",
        "function (event) { log(event.EventType === event.Type && event.EventMetaData === event.Meta); }",
      ),
      handler(
        "shown",
        "function (event) { log(JSON.stringify(event)); log(Object.keys(event)); var n = []; for (var k in event) n.push(k); log(n); }",
      ),
      handler("set", "function (event) { event.EventType = 'new'; log(event.Type); }"),
      handler("mutates", "function (event, context) { log(event.mine); event.mine = 1; context.mine = 1; }"),
    ].join("\n"),
  );
  const event = { Type: "KeyExpired", Meta: { Key: "k1" }, TimeStamp: "t" };

  it("answers to both the names of today and the documentation's older ones", async () => {
    assert.deepEqual((await run(runtime(), "names", { event })).lines, ["KeyExpired k1"]);
    assert.deepEqual((await run(runtime(), "same", { event })).lines, ["true"]);
    assert.deepEqual((await run(runtime(), "set", { event })).lines, ["new"]);
  });

  it("does not show the older names when it is printed or listed", async () => {
    assert.deepEqual((await run(runtime(), "shown", { event })).lines, [
      JSON.stringify(event),
      "Type,Meta,TimeStamp",
      "Type,Meta,TimeStamp",
    ]);
  });

  it("keeps members of its own that have the older names", async () => {
    const old = { ...event, EventType: "own", EventMetaData: { Key: "own key" } };
    assert.deepEqual((await run(runtime(), "names", { event: old })).lines, ["own own key"]);
    assert.equal((await run(runtime(), "shown", { event: old })).lines[0], JSON.stringify(old));
  });

  it("is a new one for each run", async () => {
    for (const _ of [1, 2])
      assert.deepEqual((await run(runtime(), "mutates", { event })).lines, ["undefined"]);
  });
});

describe("globals", () => {
  const runtime = withRuntime(
    `var count = 0;\n${handler("counts", "function () { count += 1; log(count); }")}${handler("loop", "function () { for (;;); }")}`,
  );

  it("persist from run to run, and start afresh after a run that had to be stopped", async () => {
    for (const count of ["1", "2", "3"]) assert.deepEqual((await run(runtime(), "counts")).lines, [count]);
    await run(runtime(), "loop", { timeoutMs: SHORT_MS });
    for (const count of ["1", "2"]) assert.deepEqual((await run(runtime(), "counts")).lines, [count]);
  });

  it("that a script spoils do not spoil the runtime's own work", async () => {
    const spoiling = `${handler(
      "spoils",
      "function () { JSON.parse = JSON.stringify = String = Object.defineProperty = null; log = null; Array.prototype.toJSON = function () { throw 1; }; }",
    )}${handler("good", "function (event) { console.log(event.EventType); }")}`;
    const spoilt = await startRuntime([{ path: "a.js", source: spoiling }], { assets, limits: LIMITS });
    try {
      assert.equal(code(await run(spoilt, "spoils")), "ok");
      const next = await run(spoilt, "good");
      assert.deepEqual([code(next), next.lines], ["ok", ["KeyExpired"]]);
    } finally {
      await spoilt.close();
    }
  });
});

describe("what a run may log", () => {
  const talks = handler(
    "talks",
    "function () { for (var i = 0; i < 100; i += 1) log('0123456789'.repeat(10)); }",
  );

  for (const [limit, given, most] of [
    ["handler-log-bytes: 200 bytes", { logRunBytes: 200 }, 10],
    ["handler-log-lines: 7 lines", { logRunLines: 7 }, 7],
  ] as const) {
    describe(`is held to ${limit}`, () => {
      const runtime = withRuntime(talks, { limits: { ...LIMITS, logLineChars: 20, ...given } });

      it("and to the length of a line; it says so once, and starts again with the next run", async () => {
        for (const _ of [1, 2]) {
          const ended = await run(runtime(), "talks");
          assert.equal(code(ended), "ok");
          assert.equal(ended.lines.pop(), `${limit} is what a run may log; the rest is dropped`);
          assert.equal(ended.lines.length, most);
          // The first is the gateway's own line, which counts too.
          for (const line of ended.lines.slice(1)) assert.equal(line, "01234567890123456789");
        }
      });
    });
  }
});

describe("loading", () => {
  it("reports each script that fails, and does not hold back the others", async () => {
    const runtime = await startRuntime(
      [
        { path: "broken.js", source: "var x = 1;\nvar y = (;" },
        { path: "deep/throws.js", source: "undefinedFunction();" },
        { path: "good.js", source: handler("good", "function () { log('good'); }") },
      ],
      { assets, limits: LIMITS },
    );
    try {
      assert.deepEqual(
        runtime.faults.map(({ path, error }) => [path, error.name]),
        [
          ["broken.js", "SyntaxError"],
          ["deep/throws.js", "ReferenceError"],
        ],
      );
      assert.match(runtime.faults[0]?.error.stack ?? "", /broken\.js:2/);
      assert.deepEqual((await run(runtime, "good")).lines, ["good"]);
    } finally {
      await runtime.close();
    }
  });

  it("that never ends is a fault", async () => {
    const limits = { ...LIMITS, loadTimeoutMs: SHORT_MS };
    const runtime = await startRuntime([{ path: "loop.js", source: "for (;;);" }], { assets, limits });
    try {
      assert.deepEqual(
        runtime.faults.map(({ path }) => path),
        ["loop.js"],
      );
      assert.match(runtime.faults[0]?.error.message ?? "", /loading/);
    } finally {
      await runtime.close();
    }
  });

  it("has no sessions and no network: a call there gives undefined and is logged", async () => {
    const logged: [LogLevel, string][] = [];
    const runtime = await startRuntime(
      [{ path: "a.js", source: "log(typeof TykGetKeyData('k1', 'demo')); log('loaded');" }],
      { assets, limits: LIMITS, log: (level, message) => logged.push([level, message]) },
    );
    await runtime.close();
    assert.deepEqual(runtime.faults, []);
    assert.deepEqual(
      logged.map(([level]) => level),
      ["error", "info", "info"],
    );
    assert.deepEqual(
      logged.slice(1).map(([, message]) => message),
      ["undefined", "loaded"],
    );
  });

  it("made again, after a bad run, costs the next run none of its time", async () => {
    const slow = "var until = Date.now() + 1200; while (Date.now() < until);";
    const source = `${slow}\n${handler("good", "function () { log('good'); }")}${handler("loop", "function () { for (;;); }")}`;
    const limits = { graceMs: 100 };
    const runtime = await startRuntime([{ path: "slow.js", source }], { assets, limits });
    try {
      assert.equal((await run(runtime, "loop", { timeoutMs: SHORT_MS })).outcome.ok, false);
      const next = await run(runtime, "good", { timeoutMs: 600 });
      assert.deepEqual([code(next), next.lines], ["ok", ["good"]]);
    } finally {
      await runtime.close();
    }
  });

  it("made again, after a bad run, is not logged as the next run's", async () => {
    const source = `log('loading');\n${handler("good", "function () { log('good'); }")}${handler("stack", "function () { (function f() { f(); f(); })(); }")}`;
    const runtime = await startRuntime([{ path: "a.js", source }], { assets, limits: LIMITS });
    try {
      assert.equal(code(await run(runtime, "stack")), "stack");
      assert.deepEqual((await run(runtime, "good")).lines, ["good"]);
    } finally {
      await runtime.close();
    }
  });
});

describe("the sandbox", () => {
  const runtime = withRuntime(
    handler(
      "looks",
      "function () { log(['process', 'require', 'fetch', 'Deno', 'WebAssembly', 'setTimeout'].map(function (name) { return typeof globalThis[name]; }).join()); }",
    ),
  );

  it("has nothing of the host in it", async () => {
    const { lines } = await run(runtime(), "looks");
    assert.deepEqual(lines, [Array(6).fill("undefined").join()]);
  });
});

describe("a closed runtime", () => {
  it("ends a run that is under way with an outcome", async () => {
    const source = handler("waits", "function () { TykGetKeyData('k1', 'demo'); }");
    const runtime = await startRuntime([{ path: "a.js", source }], { assets, limits: LIMITS });
    const { promise: called, resolve } = Promise.withResolvers<void>();
    const running = run(runtime, "waits", {
      call: () => {
        resolve();
        return new Promise(() => {});
      },
    });
    await called;
    await runtime.close();
    assert.equal(code(await running), "killed");
  });
});
