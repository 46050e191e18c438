import type { QueueSender } from "../events/send.ts";
import { TASK_ATTRIBUTE } from "./attributes.ts";
import type { QueueRecord } from "./records.ts";

/** Sends a copy of a record to its queue, as a new message. `seconds`: until it can be received. */
export type Requeue = (
  record: QueueRecord,
  how: { eventId: string | undefined; seconds: number },
) => Promise<void>;

/** For a standard queue: in a FIFO queue the copy would come after later events of its group. */
export function createRequeue(send: QueueSender): Requeue {
  return ({ body, messageAttributes }, { eventId, seconds }) =>
    // The event's id may be the message's id, which the copy does not have.
    send({
      body,
      attributes: {
        api_id: messageAttributes.api_id?.stringValue,
        event_id: eventId,
        // Without the task, the copy would be the event, which is done, and the webhook or the window would be lost.
        [TASK_ATTRIBUTE]: messageAttributes[TASK_ATTRIBUTE]?.stringValue,
      },
      delaySeconds: seconds,
    });
}
