// A queue in a thread of its own, so that its work is not the publisher's.
import { parentPort } from "node:worker_threads";
import { startTestQueues } from "../../test/helpers/queues.ts";

const queues = await startTestQueues();
parentPort?.postMessage({ env: queues.env, queueUrl: await queues.create() });
