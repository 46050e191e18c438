// A queue in its own thread, so that its work does not count as the publisher's.
import { parentPort } from "node:worker_threads";
import { startTestQueues } from "../../test/helpers/queues.ts";

const queues = await startTestQueues();
parentPort?.postMessage({ env: queues.env, queueUrl: await queues.create() });
