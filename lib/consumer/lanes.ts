import { type Delivery, groupOf } from "../queue/delivery.ts";

/** Events that run one after the other; events of a FIFO group are in the order of their queue. */
export interface Lane {
  ordered: boolean;
  deliveries: Delivery[];
}

/** Events of one FIFO group, or with the same key (they are likely to change the same session). */
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
