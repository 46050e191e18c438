import { randomUUID } from "node:crypto";
import type { AnswerDeps } from "../lib/consumer/answer.ts";
import { createDeadLetters } from "../lib/consumer/dead-letters.ts";
import { createHandBack } from "../lib/consumer/hand-back.ts";
import { createRequeue } from "../lib/consumer/requeue.ts";
import { createSendTask } from "../lib/consumer/send-task.ts";
import type { SendTask } from "../lib/consumer/tasks.ts";
import { createQueueSender } from "../lib/events/send.ts";
import type { Log } from "../lib/log.ts";
import { createSqs } from "./sqs.ts";

/** Where events go that are not done, and what is to be done later. In a module of its own, since most batches are done whole. */
export function createReturns(deps: {
  deadLetters: string;
  events: string;
  log: Log;
}): Pick<AnswerDeps, "sendDeadLetter" | "handBack" | "requeue"> & { sendTask: SendTask } {
  const sqs = createSqs();
  const send = createQueueSender({ sqs, queueUrl: deps.events });
  return {
    sendDeadLetter: createDeadLetters(createQueueSender({ sqs, queueUrl: deps.deadLetters })),
    handBack: createHandBack({ sqs, queueUrl: deps.events, log: deps.log }),
    requeue: createRequeue(send),
    sendTask: createSendTask({ send, now: Date.now, newId: randomUUID }),
  };
}
