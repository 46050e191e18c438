import { type Delivery, groupOf } from "./records.ts";

/** Events of one group of a FIFO queue, or that name the same key (they are likely to change the same session). */
export function lanesOf(deliveries: Delivery[]): Delivery[][] {
  const lanes = new Map<unknown, Delivery[]>();
  for (const delivery of deliveries) {
    const { Key } = delivery.envelope.event.Meta;
    const name = groupOf(delivery) ?? (typeof Key === "string" && Key !== "" ? Key : delivery);
    const lane = lanes.get(name);
    if (lane) lane.push(delivery);
    else lanes.set(name, [delivery]);
  }
  return [...lanes.values()];
}

/** Does the work of each lane in order, and of at most so many lanes at once; after a throw, starts nothing more. */
export async function inLanes<T>(
  lanes: T[][],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = lanes.values();
  const thrown: unknown[] = [];
  async function drain(): Promise<void> {
    for (const lane of left) {
      for (const item of lane) {
        if (thrown.length > 0) return;
        await work(item).catch((error: unknown) => thrown.push(error));
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, drain));
  if (thrown.length > 0) throw thrown[0];
}
