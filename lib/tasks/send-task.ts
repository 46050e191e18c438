import { createHash } from "node:crypto";
import { AppError, errorText } from "../errors.ts";
import { MESSAGE_BYTES } from "../events/event.ts";
import { messageText } from "../events/message.ts";
import type { QueueSender } from "../events/send.ts";
import { TASK_ATTRIBUTE } from "../queue/attributes.ts";
import type { SendTask, Task } from "./tasks.ts";

/**
 * Shorter than SQS allows: a delayed message counts for the alarm on the oldest message, which has a threshold of 15
 * minutes.
 */
const DELAY_SECONDS = 600;

/** The members of a task that change from attempt to attempt, with their largest values. */
const LARGEST = { due: 9_999_999_999, attempts: 9_999, since: 9_999_999_999, postponed: 9_999 };

/** A message is delayed for at most ten minutes. In a FIFO queue it cannot be delayed, and gets its own group. */
export function createSendTask(deps: {
  send: QueueSender;
  /** In ms since 1970. */
  now: () => number;
  newId: () => string;
}): SendTask {
  return async ({ body, attributes: { MessageGroupId }, messageAttributes }, eventId, task) => {
    const attributes = {
      api_id: messageAttributes.api_id?.stringValue,
      event_id: eventId,
      [TASK_ATTRIBUTE]: messageText(task),
    };
    // With the largest possible task, so that a message that fits now fits at each attempt.
    const grown = { ...attributes, [TASK_ATTRIBUTE]: messageText({ ...task, ...LARGEST }) };
    const bytes = Buffer.byteLength(body + Object.entries(grown).join("")) + 100;
    if (bytes > MESSAGE_BYTES)
      throw new AppError(
        "event-too-large",
        `with its task for ${task.entry} it is larger than the queue takes`,
      );
    const seconds = Math.ceil(Math.max(0, task.due - deps.now() / 1000));
    // A FIFO queue does not support a delay for one message. The task has its own group, so that it delays no other
    // message.
    const how =
      MessageGroupId === undefined
        ? { delaySeconds: Math.min(DELAY_SECONDS, seconds) }
        : { order: { MessageGroupId: groupOf(eventId, task), MessageDeduplicationId: deps.newId() } };
    try {
      await deps.send({ body, attributes, ...how });
    } catch (cause) {
      throw new AppError("dependency-failed", `sqs:SendMessage failed: ${errorText(cause)}`, { cause });
    }
  };
}

const groupOf = (eventId: string, { kind, entry }: Task) =>
  createHash("sha256")
    .update(JSON.stringify([kind, entry, eventId]))
    .digest("base64url");
