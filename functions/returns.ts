import { randomUUID } from "node:crypto";
import { createQueueSender } from "../lib/events/send.ts";
import type { Log } from "../lib/log.ts";
import type { BatchResultDeps } from "../lib/queue/batch-result.ts";
import { createDeadLetters } from "../lib/queue/dead-letters.ts";
import { createRequeue } from "../lib/queue/requeue.ts";
import { createChangeVisibility } from "../lib/queue/visibility.ts";
import { createSendTask } from "../lib/tasks/send-task.ts";
import type { SendTask } from "../lib/tasks/tasks.ts";
import { createSqs } from "./sqs.ts";

/**
 * Sends back events that are not done, and sends tasks. In a module of its own, since most batches are done completely.
 */
export function createReturns(deps: {
  deadLetters: string;
  events: string;
  log: Log;
}): Pick<BatchResultDeps, "sendDeadLetter" | "changeVisibility" | "requeue"> & { sendTask: SendTask } {
  const sqs = createSqs();
  const send = createQueueSender({ sqs, queueUrl: deps.events });
  return {
    sendDeadLetter: createDeadLetters(createQueueSender({ sqs, queueUrl: deps.deadLetters })),
    changeVisibility: createChangeVisibility({ sqs, queueUrl: deps.events, log: deps.log }),
    requeue: createRequeue(send),
    sendTask: createSendTask({ send, now: Date.now, newId: randomUUID }),
  };
}
