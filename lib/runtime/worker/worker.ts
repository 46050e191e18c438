// The thread of one sandbox. It has no environment and no credentials. For I/O it calls the main thread and waits,
// since the gateway's JavaScript API is synchronous.
import { parentPort, workerData } from "node:worker_threads";
import { clockMs } from "../clock.ts";
import { createProgress } from "../progress.ts";
import type { FromWorker, Run, RunEnd, ToWorker, WorkerSetup } from "../protocol.ts";
import { createUnsentLog } from "../unsent-log.ts";
import { createHostCalls } from "./host-calls.ts";
import { readPrelude } from "./jsvm/source.ts";
import { createMeter } from "./meter.ts";
import { createSnapshotLifecycle } from "./snapshot-lifecycle.ts";

/** How long the end of a run waits for others, so that one message reports several. */
const FLUSH_MS = 4;

const setup = workerData as WorkerSetup;
const { wasm, limits, isolation } = setup;
const port = parentPort;
if (!port) throw new Error("worker.ts runs as a worker thread only");

const post = (message: FromWorker) => port.postMessage(message);
const progress = createProgress(setup.progress);
const host = createHostCalls({
  limits,
  post,
  answers: setup.calls,
  answered: new Int32Array(setup.signal),
  unsentLog: createUnsentLog(setup.unsentLog),
  flushEnds: flush,
});
const meter = setup.tellUsed ? createMeter(Date.now) : undefined;
// The engine calls this for the time, and nothing else in this thread does.
if (meter) Date.now = meter.now;
const lifecycle = createSnapshotLifecycle({
  engine: { wasm },
  prelude: readPrelude(),
  limits,
  isolation,
  host,
  meter,
  onLoading: (path, leftMs) => post({ type: "loading", path, ...(leftMs !== undefined && { leftMs }) }),
});

let ends: RunEnd[] = [];
let flushedAt = 0;

function flush(): void {
  flushedAt = clockMs();
  if (ends.length === 0) return;
  post({ type: "ended", ends });
  ends = [];
}

async function runAll(runs: Run[]): Promise<void> {
  host.beginMessage();
  flushedAt = clockMs();
  for (const [index, run] of runs.entries()) {
    const now = clockMs();
    if (run.startBy !== undefined && now > run.startBy) {
      ends.push({ outcome: undefined, rebuilding: false, operations: [] });
      continue;
    }
    progress.start(index, now);
    const end = lifecycle.run(run);
    ends.push({ ...end, operations: host.takeOperations() });
    // The main thread's work for a run, such as an HTTP request, is never repeated because of another run.
    const isLast = index === runs.length - 1;
    if (isLast || end.rebuilding || host.asked || clockMs() - flushedAt > FLUSH_MS) flush();
    progress.rest();
    await lifecycle.rest();
    if (end.rebuilding) post({ type: "rebuilt" });
  }
  flush();
}

async function answer(message: ToWorker): Promise<void> {
  switch (message.type) {
    case "load":
      return post({ type: "loaded", faults: await lifecycle.load(message.scripts, message.replay) });
    case "survey":
      return post({ type: "surveyed", ...(await lifecycle.survey(message.scripts)) });
    case "probe":
      post({ type: "probed", answers: lifecycle.probe(message.handlers) });
      return lifecycle.rest();
    case "look":
      post({ type: "looked", held: lifecycle.look(message.asked) });
      return lifecycle.rest();
    case "runs":
      return runAll(message.runs);
  }
}

// One message at a time: the work after a run is finished before the next run starts.
let last: Promise<void> = lifecycle.prepare();
port.on("message", (message: ToWorker) => {
  last = last.then(() => answer(message));
});
