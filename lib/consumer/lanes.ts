import { type Delivery, groupOf } from "../queue/delivery.ts";

/** Events that are run one after the other; those of a FIFO queue's group have the order of their queue. */
export interface Lane {
  ordered: boolean;
  deliveries: Delivery[];
}

/** Events of one group of a FIFO queue, or that name the same key (they are likely to change the same session). */
export function lanesOf(deliveries: Delivery[]): Lane[] {
  const lanes = new Map<unknown, Lane>();
  for (const delivery of deliveries) {
    const { Key } = delivery.envelope.event.Meta;
    const group = groupOf(delivery);
    const name = group ?? (typeof Key === "string" && Key !== "" ? Key : delivery);
    const lane = lanes.get(name) ?? { ordered: group !== undefined, deliveries: [] };
    lanes.set(name, lane);
    lane.deliveries.push(delivery);
  }
  return [...lanes.values()];
}
