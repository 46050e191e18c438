// Who ended a thread and why, as the outcome of the run that lost it says.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { loadAssets } from "../../lib/runtime/assets.ts";
import type { Host } from "../../lib/runtime/host.ts";
import type { JobEnd } from "../../lib/runtime/jobs.ts";
import { DEFAULT_LIMITS } from "../../lib/runtime/protocol.ts";
import { startThread, type Thread } from "../../lib/runtime/thread.ts";

const assets = loadAssets();
const LIMITS = { ...DEFAULT_LIMITS, graceMs: 50 };
const SOURCE = `
var h = new TykJS.TykEventHandlers.NewEventHandler({});
h.NewHandler(function (event) {
  if (event.native) [].indexOf.call({ length: 2 ** 53 - 1 }, 1);
  TykGetKeyData("k", "demo");
});`;

async function threadWith(source: string, limits = LIMITS): Promise<Thread> {
  const thread = startThread(assets, limits, "global");
  assert.deepEqual(await thread.load([{ path: "h.js", source }], () => {}), []);
  return thread;
}

const SILENT: Host = { call: async () => undefined, log: () => {} };

async function run(thread: Thread, event: string, timeoutMs: number, host = SILENT): Promise<JobEnd[]> {
  const ends: JobEnd[] = [];
  const job = {
    run: { handler: "h", event, context: "{}", timeoutMs },
    host,
    ended: async (end: JobEnd) => void ends.push(end),
  };
  const left = await thread.runAll([job], { onLate() {}, onEnd() {}, logLoading() {} });
  assert.deepEqual(left, []);
  return ends;
}

const messageOf = ([end]: JobEnd[]) => {
  assert.ok(end && end !== "unstarted" && !end.ok);
  return `${end.code}: ${end.error.message}`;
};

const NATIVE =
  "gatehook ended its thread, since a native call cannot be stopped, such as a regular expression that backtracks";

describe("a lost thread", () => {
  it("is one that gatehook ended, when nothing else stops the handler", async () => {
    const thread = await threadWith(SOURCE);
    assert.equal(
      messageOf(await run(thread, '{"native":true}', 100)),
      `killed: handler h did not stop within 100 ms: ${NATIVE}`,
    );
    assert.equal(thread.alive, false);
  });

  it("is one that was closed under it", async () => {
    const thread = await threadWith(SOURCE);
    const { promise: called, resolve: call } = Promise.withResolvers<void>();
    const waiting: Host = {
      ...SILENT,
      call: () => {
        call();
        return new Promise(() => {});
      },
    };
    const ended = run(thread, "{}", 60_000, waiting);
    await called;
    await thread.close();
    assert.equal(
      messageOf(await ended),
      "killed: handler h did not stop: its thread was closed with its release",
    );
  });

  /** A thread that ends like this at its first message. */
  const endingThread = (end: string) => {
    const source = `import { parentPort } from "node:worker_threads"; parentPort.once("message", () => { ${end} });`;
    return startThread(
      { ...assets, worker: new URL(`data:text/javascript,${encodeURIComponent(source)}`) },
      LIMITS,
      "global",
    );
  };

  it("is one that died, with its reason", async () => {
    const thread = endingThread('throw new Error("no memory left")');
    assert.equal(
      messageOf(await run(thread, "{}", 60_000)),
      "killed: handler h did not stop: its thread died: no memory left",
    );
  });

  it("is one that ended, with its exit code", async () => {
    const thread = endingThread("process.exit(3)");
    assert.equal(
      messageOf(await run(thread, "{}", 60_000)),
      "killed: handler h did not stop: its thread ended with exit code 3",
    );
  });

  it("is told of scripts that are loaded too", async () => {
    const thread = startThread(assets, { ...LIMITS, loadTimeoutMs: 100 }, "global");
    const source = "[].indexOf.call({ length: 2 ** 53 - 1 }, 1);";
    const { faults } = await thread.survey([{ path: "h.js", source, asked: { names: [], declared: [] } }]);
    assert.deepEqual(
      faults.map(({ path, error }) => [path, error.message]),
      [["h.js", `did not finish loading within 100 ms: ${NATIVE}`]],
    );
  });
});
