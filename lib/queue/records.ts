import { type EventEnvelope, parseEvent } from "../events/event.ts";

/** One SQS message of a batch, with the members that are used. */
export interface QueueRecord {
  messageId: string;
  receiptHandle: string;
  body: string;
  /** `MessageGroupId` in FIFO queues only; `SentTimestamp` in ms. */
  attributes: {
    ApproximateReceiveCount: string;
    MessageGroupId?: string | undefined;
    SentTimestamp?: string | undefined;
  };
  messageAttributes: Record<string, { stringValue?: string | undefined } | undefined>;
}

/**
 * The event of a record. Its id is the publisher's; otherwise the id that it had before it became a dead letter (a
 * redrive has a new messageId); otherwise SQS's messageId. Throws `event-invalid`.
 */
export function parseRecord(record: QueueRecord): EventEnvelope {
  const attribute = (name: string) => record.messageAttributes[name]?.stringValue;
  return parseEvent(record.body, {
    apiId: attribute("api_id"),
    fallbackId: attribute("event_id") ?? record.messageId,
  });
}

/** How often SQS has delivered the message, this time included; approximate, as SQS counts it. */
export function receives(record: QueueRecord): number {
  return Number(record.attributes.ApproximateReceiveCount) || 1;
}
