// The thread of one sandbox. It knows no environment and no credentials; what needs I/O it asks of the main
// thread and waits for, since the gateway's JavaScript API is synchronous.
import { parentPort, workerData } from "node:worker_threads";
import { createHostCalls } from "./host-calls.ts";
import { readPrelude } from "./jsvm/source.ts";
import { createKeeper } from "./keeper.ts";
import type { FromWorker, ToWorker, WorkerSetup } from "./protocol.ts";

const { wasm, limits, isolation, calls, signal } = workerData as WorkerSetup;
const port = parentPort;
if (!port) throw new Error("worker.ts runs as a worker thread only");

const post = (message: FromWorker) => port.postMessage(message);
const keeper = createKeeper({
  engine: { wasm },
  prelude: readPrelude(),
  limits,
  isolation,
  host: createHostCalls({ limits, post, answers: calls, answered: new Int32Array(signal) }),
  onLoading: (path, leftMs) => post({ type: "loading", path, ...(leftMs !== undefined && { leftMs }) }),
});

async function answer(message: ToWorker): Promise<void> {
  switch (message.type) {
    case "load":
      return post({ type: "loaded", faults: await keeper.load(message.scripts) });
    case "survey":
      return post({ type: "surveyed", ...(await keeper.survey(message.scripts)) });
    case "probe":
      post({ type: "probed", answers: keeper.probe(message.handlers) });
      return keeper.rest();
    case "look":
      post({ type: "looked", held: keeper.look(message.asked) });
      return keeper.rest();
    case "run": {
      const end = keeper.run(message.run);
      post({ type: "ended", ...end });
      await keeper.rest();
      if (end.rebuilding) post({ type: "rebuilt" });
    }
  }
}

// One message at a time: what follows a run ends before the next run starts.
let last: Promise<void> = keeper.prepare();
port.on("message", (message: ToWorker) => {
  last = last.then(() => answer(message));
});
