import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { loadAssets } from "../../lib/runtime/assets.ts";
import type { Host } from "../../lib/runtime/host.ts";
import type { Isolation, Limits, Outcome, Script } from "../../lib/runtime/protocol.ts";
import { type Runtime, startRuntime } from "../../lib/runtime/runtime.ts";

const assets = loadAssets();
const AMPLE_MS = 60_000;
const MODES: readonly Isolation[] = ["global", "event"];

function handler(name: string, body: string): Script {
  const source = `var ${name} = new TykJS.TykEventHandlers.NewEventHandler({});
${name}.NewHandler(function (event, context) { ${body} });`;
  return { path: `${name}.js`, source };
}

interface Ended {
  outcome: Outcome;
  lines: string[];
}

async function run(
  runtime: Runtime,
  name: string,
  { timeoutMs = AMPLE_MS, call = async () => undefined }: { timeoutMs?: number; call?: Host["call"] } = {},
): Promise<Ended> {
  const lines: string[] = [];
  const log = (_level: string, line: string) => void lines.push(line);
  const outcome = await runtime.run(
    { handler: name, event: '{"Type":"T","Meta":{"Key":"k"}}', context: "{}", timeoutMs },
    { call, log },
  );
  return { outcome, lines: lines.filter((line) => line !== "Calling built - in handle") };
}

const codeOf = ({ outcome }: Ended) => (outcome.ok ? "ok" : outcome.code);

/** A runtime for the tests of one `describe`. */
function withRuntime(scripts: Script[], isolation: Isolation, limits: Partial<Limits> = {}): () => Runtime {
  let runtime: Runtime;
  before(async () => {
    runtime = await startRuntime(scripts, { assets, isolation, limits });
  });
  after(() => runtime.close());
  return () => runtime;
}

describe("what an event leaves behind", () => {
  const scripts = [
    { path: "top.js", source: "log('top level'); var total = 0;" },
    handler("counts", "total += 1; Array.prototype.total = total; log(total);"),
    handler("looks", "log(total + ' ' + [].total);"),
    handler("draws", "log(Math.random());"),
  ];

  test("is there for the next one under global isolation", async () => {
    const runtime = await startRuntime(scripts, { assets, isolation: "global" });
    await run(runtime, "counts");
    assert.deepEqual((await run(runtime, "looks")).lines, ["1 1"]);
    await runtime.close();
  });

  test("is gone under isolation by event, and scripts are evaluated once", async () => {
    const loading: string[] = [];
    const log = (_level: string, line: string) => void loading.push(line);
    const runtime = await startRuntime(scripts, { assets, isolation: "event", log });
    for (let count = 0; count < 5; count += 1)
      assert.deepEqual((await run(runtime, "counts")).lines, ["1"], `event ${count}`);
    assert.deepEqual((await run(runtime, "looks")).lines, ["0 undefined"]);
    assert.deepEqual(loading, ["top level"]);
    assert.deepEqual(runtime.counters, { kills: 0, rebuilds: 0, restores: 6 });
    await runtime.close();
  });

  test("does not make every event draw the same random numbers", async () => {
    const runtime = await startRuntime(scripts, { assets, isolation: "event" });
    const drawn = new Set<string>();
    for (let count = 0; count < 100; count += 1) drawn.add((await run(runtime, "draws")).lines[0] ?? "");
    assert.equal(drawn.size, 100);
    for (const number of drawn) assert.ok(Number(number) >= 0 && Number(number) < 1, number);
    await runtime.close();
  });
});

for (const isolation of MODES) {
  describe(`a limit, under ${isolation} isolation`, () => {
    const stubborn = (body: string) =>
      `(function again() { try { ${body} } catch (e) { log('caught'); again(); } finally { again(); } })();`;
    const limits = { graceMs: AMPLE_MS, jobs: 20, httpCalls: 3, storageCalls: 4, sessionCalls: 5 };
    const runtime = withRuntime(
      [
        handler("endless", stubborn("for (;;);")),
        handler("decodes", "var s = 'QUFB'; while (s.length < 1000000) s += s; for (;;) b64dec(s);"),
        handler("jobs", "(function again() { Promise.resolve().then(again); })();"),
        handler("http", stubborn("for (;;) TykMakeHttpRequest('{}');")),
        handler("batch", "TykBatchRequest(JSON.stringify({ requests: [{}, {}, {}, {}] })); log('went on');"),
        handler("storage", stubborn("for (;;) TykStorageGet('k');")),
        handler(
          "sessions",
          stubborn("for (;;) { TykGetKeyData('k'); TykSetKeyData('k', '{}'); TykDelKeyData('k', 'a'); }"),
        ),
        handler("deep", "(function f() { f(); })();"),
        handler("hoards", "var a = []; for (;;) a.push(new Array(10000).fill(a));"),
        handler("good", "log('good');"),
      ],
      isolation,
      limits,
    );

    for (const [name, code, calls] of [
      ["endless", "timeout", 0],
      ["decodes", "timeout", 0],
      ["jobs", "jobs", 0],
      ["http", "http-calls", 3],
      ["batch", "http-calls", 1],
      ["storage", "storage-calls", 4],
      ["sessions", "session-calls", 5],
      ["deep", "stack", 0],
      ["hoards", "memory", 0],
    ] as const) {
      test(`${code} ends ${name}, whatever it catches, and the next event is right`, async () => {
        let asked = 0;
        const call: Host["call"] = async (callName, [asks = ""], { admit }) => {
          asked += 1;
          if (callName === "batchRequest") assert.equal(admit(JSON.parse(asks).requests.length), false);
          return callName === "storage" ? '{"error":null,"value":""}' : "{}";
        };
        const timeoutMs = code === "timeout" ? 50 : AMPLE_MS;
        const ended = await run(runtime(), name, { timeoutMs, call });
        assert.deepEqual([codeOf(ended), asked, ended.lines], [code, calls, []]);
        const next = await run(runtime(), "good");
        assert.deepEqual([codeOf(next), next.lines], ["ok", ["good"]]);
      });
    }
  });

  describe(`a host call that takes longer than the run may, under ${isolation} isolation`, () => {
    const runtime = withRuntime(
      [handler("asks", "log(TykMakeHttpRequest('first')); log(TykMakeHttpRequest('second'));")],
      isolation,
      { graceMs: AMPLE_MS },
    );

    test("ends it at its deadline without the thread, aborts, and is no answer to the next run", async () => {
      const aborted = Promise.withResolvers<void>();
      const late = await run(runtime(), "asks", {
        timeoutMs: 50,
        call: async (_name, _args, { signal }) => {
          signal.addEventListener("abort", () => aborted.resolve());
          await aborted.promise;
          return "late";
        },
      });
      assert.deepEqual([codeOf(late), late.lines], ["timeout", []]);
      await aborted.promise;
      const next = await run(runtime(), "asks", { call: async (_name, [asked = ""]) => `to ${asked}` });
      assert.deepEqual(next.lines, ["to first", "to second"]);
      assert.equal(runtime().counters.kills, 0);
    });
  });

  describe(`a native that never ends, under ${isolation} isolation`, () => {
    const runtime = withRuntime(
      [
        handler(
          "native",
          "log('last words'); [].indexOf.call({ length: 9007199254740991 }, 1); log('never');",
        ),
        handler("good", "log('good');"),
      ],
      isolation,
      { graceMs: 50 },
    );

    test("is ended with its thread, its last words are kept, and the next event is right", async () => {
      const ended = await run(runtime(), "native", { timeoutMs: 50 });
      assert.deepEqual([codeOf(ended), ended.lines], ["killed", ["last words"]]);
      assert.deepEqual((await run(runtime(), "good")).lines, ["good"]);
      const { kills, rebuilds } = runtime().counters;
      assert.deepEqual({ kills, rebuilds }, { kills: 1, rebuilds: 1 });
    });
  });
}

describe("several workers", () => {
  const scripts = [
    handler("meets", "TykMakeHttpRequest('here'); log('met');"),
    handler("native", "log('last words'); [].indexOf.call({ length: 9007199254740991 }, 1);"),
  ];

  test("run as many events at once, and no more", async () => {
    const runtime = await startRuntime(scripts, { assets, isolation: "event", workers: 3 });
    const all = Promise.withResolvers<void>();
    let here = 0;
    let most = 0;
    const call: Host["call"] = async () => {
      here += 1;
      most = Math.max(most, here);
      if (here === 3) all.resolve();
      await all.promise;
      here -= 1;
      return "";
    };
    const ended = await Promise.all(Array.from({ length: 9 }, () => run(runtime, "meets", { call })));
    assert.deepEqual(new Set(ended.map(codeOf)), new Set(["ok"]));
    assert.equal(most, 3);
    await runtime.close();
  });

  test("do not notice that one of them is killed", async () => {
    const limits = { graceMs: 50 };
    const runtime = await startRuntime(scripts, { assets, isolation: "event", workers: 2, limits });
    const killed = Promise.withResolvers<void>();
    const call: Host["call"] = async () => {
      await killed.promise;
      return "";
    };
    const waiting = run(runtime, "meets", { call });
    assert.equal(codeOf(await run(runtime, "native", { timeoutMs: 50 })), "killed");
    killed.resolve();
    assert.deepEqual((await waiting).lines, ["met"]);
    assert.deepEqual((await run(runtime, "meets")).lines, ["met"]);
    await runtime.close();
  });

  test("are refused where events share globals", async () => {
    await assert.rejects(startRuntime([], { assets, isolation: "global", workers: 2 }), /isolation by event/);
  });
});

describe("a script that does harm while it is loaded", () => {
  for (const isolation of MODES) {
    test(`is named and left out, and the others are there, under ${isolation} isolation`, async () => {
      const scripts = [
        handler("first", "log('first');"),
        { path: "trap.js", source: "eval('['.repeat(1000000));" },
        { path: "jobs.js", source: "(function again() { Promise.resolve().then(again); })();" },
        handler("last", "log('last');"),
      ];
      const runtime = await startRuntime(scripts, { assets, isolation });
      assert.deepEqual(
        runtime.faults.map(({ path }) => path),
        ["trap.js", "jobs.js"],
      );
      for (const name of ["first", "last"]) assert.deepEqual((await run(runtime, name)).lines, [name]);
      await runtime.close();
    });
  }
});

test("a worker has no environment, and a heap with limits", async () => {
  const source = `import { parentPort, resourceLimits } from "node:worker_threads";
    const { maxOldGenerationSizeMb, maxYoungGenerationSizeMb } = resourceLimits;
    const { NODE_COMPILE_CACHE, ...env } = process.env; // Node's own, where it is used
    const told = [env, maxOldGenerationSizeMb, maxYoungGenerationSizeMb];
    parentPort.on("message", () => parentPort.postMessage(
      { type: "loaded", faults: [{ path: JSON.stringify(told), error: {} }] }));`;
  const worker = new URL(`data:text/javascript,${encodeURIComponent(source)}`);
  const runtime = await startRuntime([], { assets: { ...assets, worker } });
  assert.deepEqual(
    runtime.faults.map(({ path }) => path),
    ["[{},64,4]"],
  );
  await runtime.close();
});
