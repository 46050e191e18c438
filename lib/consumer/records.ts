import { type EventEnvelope, parseEvent } from "../events/event.ts";
import { digestOf, type EventKey, eventKey } from "../events/identity.ts";

/** One SQS message of a batch, as much of it as matters here. */
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

/** An event of the batch with the records that carry it: a duplicate delivery may be in the same batch. */
export interface Delivery extends EventKey {
  envelope: EventEnvelope;
  /** Of its content. */
  digest: string;
  records: QueueRecord[];
}

/** Throws `event-invalid`. */
export function deliveryOf(record: QueueRecord): Delivery {
  const envelope = parseRecord(record);
  return { ...eventKey(envelope), envelope, digest: digestOf(envelope.event), records: [record] };
}

/**
 * The event of a record. Its id is the publisher's; without one, the id it had before it was a dead letter (a
 * redrive gives a new messageId); without that, SQS's messageId. Throws `event-invalid`.
 */
export function parseRecord(record: QueueRecord): EventEnvelope {
  const attribute = (name: string) => record.messageAttributes[name]?.stringValue;
  return parseEvent(record.body, {
    apiId: attribute("api_id"),
    fallbackId: attribute("event_id") ?? record.messageId,
  });
}

export function receives(record: QueueRecord): number {
  return Number(record.attributes.ApproximateReceiveCount) || 1;
}

/** The group that orders a record in a FIFO queue. */
export function groupOf({ records: [record] }: Delivery): string | undefined {
  return record?.attributes.MessageGroupId;
}

/** The identities of each group's events, in their order; none in a queue that is not FIFO. */
export function groupsOf(deliveries: Delivery[]): string[][] {
  const groups = new Map<string, string[]>();
  for (const delivery of deliveries) {
    const group = groupOf(delivery);
    if (group !== undefined) groups.set(group, [...(groups.get(group) ?? []), delivery.identity]);
  }
  return [...groups.values()];
}
