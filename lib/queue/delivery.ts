import type { EventEnvelope } from "../events/event.ts";
import { digestOf, type EventKey, eventKey } from "../events/identity.ts";
import { type Task, taskOf } from "../tasks/tasks.ts";
import { parseRecord, type QueueRecord } from "./records.ts";

/** An event of the batch with its records: a duplicate may be in the same batch. */
export interface Delivery extends EventKey {
  envelope: EventEnvelope;
  /** Distinguishes different contents with one identity. */
  digest: string;
  records: QueueRecord[];
  /** The task of its message, if it is not for all handlers of the event. */
  task?: Task;
}

/** Throws `event-invalid`. */
export function deliveryOf(record: QueueRecord): Delivery {
  const task = taskOf(record);
  const parsed = parseRecord(record);
  const envelope = task?.id ? { ...parsed, id: task.id } : parsed;
  const delivery = { ...eventKey(envelope), envelope, digest: digestOf(envelope.event), records: [record] };
  if (!task) return delivery;
  // Any event of a window can represent it; a webhook has no ledger entry.
  if (task.kind === "window") return { ...delivery, digest: "window", task };
  return { ...delivery, identity: `${delivery.identity} ${task.entry}`, task };
}

/** The FIFO group of a record. */
export function groupOf({ records: [record] }: Delivery): string | undefined {
  return record?.attributes.MessageGroupId;
}

/** The identities of each FIFO group's events, in their order; empty for a standard queue. */
export function groupsOf(deliveries: Delivery[]): string[][] {
  const groups = new Map<string, string[]>();
  for (const delivery of deliveries) {
    const group = groupOf(delivery);
    if (group !== undefined) groups.set(group, [...(groups.get(group) ?? []), delivery.identity]);
  }
  return [...groups.values()];
}
