import type { QueueSender } from "../events/send.ts";
import type { QueueRecord } from "./records.ts";

/** Sends a record's body to its queue again, as a message of its own. `seconds`: until it can be received. */
export type Requeue = (
  record: QueueRecord,
  how: { eventId: string | undefined; seconds: number },
) => Promise<void>;

export function createRequeue(send: QueueSender): Requeue {
  return ({ body, messageAttributes }, { eventId, seconds }) =>
    // Its id may be the message's own, which the copy does not have.
    send({
      body,
      attributes: { api_id: messageAttributes.api_id?.stringValue, event_id: eventId },
      delaySeconds: seconds,
    });
}
