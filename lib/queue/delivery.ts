import type { EventEnvelope } from "../events/event.ts";
import { digestOf, type EventKey, eventKey } from "../events/identity.ts";
import { type Task, taskOf } from "../tasks/tasks.ts";
import { parseRecord, type QueueRecord } from "./records.ts";

/** An event of the batch with the records that carry it: a duplicate delivery may be in the same batch. */
export interface Delivery extends EventKey {
  envelope: EventEnvelope;
  /** Distinguishes contents under one identity. */
  digest: string;
  records: QueueRecord[];
  /** What it asks for, where that is not all that its event is to do. */
  task?: Task;
}

/** Throws `event-invalid`. */
export function deliveryOf(record: QueueRecord): Delivery {
  const task = taskOf(record);
  const parsed = parseRecord(record);
  const envelope = task?.id ? { ...parsed, id: task.id } : parsed;
  const delivery = { ...eventKey(envelope), envelope, digest: digestOf(envelope.event), records: [record] };
  if (!task) return delivery;
  // Any event of a window stands for all; a webhook has no entry in the ledger.
  if (task.kind === "window") return { ...delivery, digest: "window", task };
  return { ...delivery, identity: `${delivery.identity} ${task.entry}`, task };
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
