import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DEBUG_SYNC } from "quickjs-emscripten";
import { loadAssets } from "../../lib/runtime/assets.ts";
import { DEFAULT_LIMITS, type Limits, type Script, type StopCode } from "../../lib/runtime/protocol.ts";
import { startRuntime } from "../../lib/runtime/runtime.ts";
import { createInstance, type Engine } from "../../lib/runtime/worker/instance.ts";
import { readPrelude } from "../../lib/runtime/worker/jsvm/source.ts";
import { PAGE } from "../../lib/runtime/worker/layout.ts";
import { createSandbox } from "../../lib/runtime/worker/sandbox.ts";
import { takeSnapshot } from "../../lib/runtime/worker/snapshot.ts";
import { runDifferential } from "../hostile/differential.ts";
import { loadInProcess } from "../hostile/in-process.ts";
import { assertNormal, CONTEXT, EVENT, NORMAL } from "../hostile/normal-event.ts";

const assets = loadAssets();

async function openSandbox(engine: Engine, scripts: Script[], limits: Partial<Limits> = {}) {
  const all = { ...DEFAULT_LIMITS, ...limits };
  const stop: { code: StopCode | undefined } = { code: undefined };
  const calls: string[][] = [];
  const instance = await createInstance(engine, all, () => {
    stop.code ??= "memory";
  });
  const sandbox = createSandbox(instance, {
    prelude: readPrelude(),
    limits: all,
    stop,
    hostCall(name, args) {
      calls.push([name, ...args]);
      return { text: name === "getKeyData" ? '{"expires":1}' : undefined };
    },
  });
  sandbox.load(scripts, () => {});
  const run = (handler: string, timeoutMs = 60_000) =>
    sandbox.run({ handler, event: EVENT, context: CONTEXT, timeoutMs });
  return { instance, sandbox, run, calls };
}

function handler(name: string, body: string): Script {
  const source = `var ${name} = new TykJS.TykEventHandlers.NewEventHandler({});
${name}.NewHandler(function (event, context) { ${body} });`;
  return { path: `${name}.js`, source };
}

const SCRIPTS = [
  { path: "state.js", source: "var kept = []; for (var i = 0; i < 20000; i += 1) kept.push({ i: i });" },
  { path: "freed.js", source: "(function () { new Uint8Array(3000000).fill(1); })();" },
  NORMAL,
  handler(
    "spoils",
    "for (var i = 0; i < 20000; i += 1) kept[i] = 'x' + i; Array.prototype.map = null; TykJS = null;",
  ),
  handler("hoards", "globalThis.hoard = []; for (;;) hoard.push('x'.repeat(10000) + hoard.length);"),
  handler("loops", "globalThis.text = ''; for (;;) text += 'y';"),
  handler("throws", "globalThis.thrown = new Error('no'); throw thrown;"),
  handler("promises", "return Promise.resolve().then(function () { log('late'); });"),
];

describe("an argument for which there is no memory", () => {
  test("ends the run, and the next one does not take its place", async () => {
    const fills = handler(
      "fills",
      `var value = "\u00e9".repeat(30000), hoard = [];
      for (var size = 1 << 20; size >= 1 << 14; size >>= 6)
        try { for (;;) hoard.push(new ArrayBuffer(size)); } catch (full) {}
      for (var n = 0; n < 100; n += 1) {
        try { TykStorageSet("k", value, 60); } catch (full) {}
        hoard.pop();
      }`,
    );
    const { run, calls } = await openSandbox({ wasm: assets.wasm }, [fills], {
      memoryBytes: 16 * 1024 * 1024,
    });
    const end = run("fills");
    assert.ok(!end.ok && end.code === "memory", JSON.stringify(end));
    const wrong = calls.filter(([name, , , value = ""]) => name === "storage" && value.length < 30_000);
    assert.deepEqual(wrong, []);
  });
});

describe("a restored snapshot", () => {
  test("is the memory as it was, to the byte, but for the dead stack", async () => {
    const { instance, sandbox, run } = await openSandbox({ wasm: assets.wasm }, SCRIPTS);
    const { memory, layout } = instance;
    const { stackLow, stackHigh } = layout;
    assert.ok(stackHigh - stackLow > 4 * 1024 * 1024, "the stack of this build is found");
    const parts = [
      [0, stackLow],
      [stackHigh, memory.byteLength - stackHigh],
    ] as const;
    const was = Buffer.from(memory.slice(0));
    const snapshot = takeSnapshot(memory, layout);
    const end = layout.heapEnd();
    assert.ok(
      was.subarray(end).every((byte) => byte === 0),
      "above the heap nothing was ever written",
    );
    for (const name of ["spoils", "hoards", "loops", "throws", "promises", "normal"]) {
      run(name, name === "loops" ? 20 : 60_000);
      assert.equal(sandbox.intact, true, name);
      snapshot.restore();
      for (const [start, bytes] of parts) {
        const now = Buffer.from(memory, start, bytes);
        assert.ok(now.equals(was.subarray(start, start + bytes)), `after ${name}, from ${start}`);
      }
      assert.equal(layout.heapEnd(), end);
    }
  });

  test("keeps the pages that hold something, and no others", async () => {
    const { instance } = await openSandbox({ wasm: assets.wasm }, SCRIPTS);
    const { memory, layout } = instance;
    const { bytes } = takeSnapshot(memory, layout);
    const heap = layout.heapEnd() - layout.stackHigh + layout.stackLow;
    assert.equal(bytes % PAGE, 0);
    assert.ok(bytes <= heap + PAGE, `${bytes} of ${heap}`);
  });
});

test("events under isolation have the effect that they have in a fresh sandbox, in any order", async () => {
  const { divergences, compared, hostile } = await runDifferential(3_000, { seed: 1, payloads: 1 });
  assert.deepEqual(divergences, []);
  assert.ok(compared > 2_500 && hostile > 100, `${compared} compared, ${hostile} hostile`);
});

test("large texts in circles, left by one event after another, never make a later one fail", async () => {
  const circle = "var o = { text: 'x'.repeat(100000) + event.Type }; o.self = o;";
  const limits = { memoryBytes: 16 * 1024 * 1024 };
  const { lifecycle } = await loadInProcess([handler("leaves", circle)], "global", { limits });
  for (let count = 0; count < 1_000; count += 1) {
    const run = { handler: "leaves", event: EVENT, context: CONTEXT, timeoutMs: 60_000 };
    assert.equal(lifecycle.run(run).outcome.ok, true, `event ${count}`);
    await lifecycle.rest();
  }
});

describe("a sandbox of the debug build", () => {
  const engine: Engine = { wasm: undefined, variant: DEBUG_SYNC };
  // That build needs more of both for the same work.
  const limits = { memoryBytes: 512 * 1024 * 1024, stackBytes: 1024 * 1024 };
  const broken = [
    { path: "syntax.js", source: "no script (" },
    { path: "throws.js", source: "nothing();" },
  ];
  const scripts = [NORMAL, ...SCRIPTS.slice(-2), ...broken, handler("waits", "return new Promise(Object);")];

  async function usedBy(work: (opened: Awaited<ReturnType<typeof openSandbox>>) => void): Promise<string[]> {
    const said: string[] = [];
    const { log } = console;
    // The engine prints its leaks when it is freed; the glue takes this function when an instance is made.
    console.log = (...words) => void said.push(words.join(" "));
    try {
      const opened = await openSandbox(engine, scripts, limits);
      work(opened);
      opened.sandbox.dispose();
    } finally {
      console.log = log;
    }
    return said;
  }

  test("has nothing left when it is freed after loads, runs, failures, jobs and probes", async () => {
    const said = await usedBy(({ sandbox, run }) => {
      for (let count = 0; count < 20; count += 1) {
        for (const name of ["normal", "throws", "promises", "missing", "waits"]) run(name);
        sandbox.probe(["normal", "missing", "no name"]);
      }
    });
    assert.deepEqual(said, []);
  });

  test("tells of a handle that is not disposed, so that the test above means something", async () => {
    const said = await usedBy(({ instance }) => void instance.context.newString("forgotten"));
    assert.match(said.join("\n"), /leak[\s\S]*forgotten/i);
  });
});

test("a runtime that is closed leaves no port, timer or thread, whatever happened in it", async () => {
  const resources = () =>
    process
      .getActiveResourcesInfo()
      .filter((name) => /MessagePort|Worker|Timeout/.test(name))
      .sort();
  const held = resources();
  const scripts = [NORMAL, handler("native", "[].indexOf.call({ length: 9007199254740991 }, 1);")];
  const options = { assets, isolation: "event", workers: 2, limits: { graceMs: 50 } } as const;
  const runtime = await startRuntime(scripts, options);
  const host = { log() {}, call: async () => undefined };
  const run = { handler: "native", event: EVENT, context: CONTEXT, timeoutMs: 50 };
  await Promise.all([runtime.run(run, host), runtime.run(run, host), assertNormal(runtime)]);
  await runtime.probe(["normal"]);
  await runtime.close();
  assert.deepEqual(resources(), held);
});
