/** Events that must be committed together, and the sessions that they changed. */
export interface Part {
  events: Set<string>;
  keys: string[];
}

/**
 * The smallest parts of the pending changes. Events belong together if they read or wrote a session that one of them
 * changed (`touched`: session key to events), or if they are in one FIFO group (`fifoGroups`: the events of each
 * group).
 */
export function partsOf(
  eventIds: string[],
  touched: Map<string, Set<string>>,
  fifoGroups: string[][],
): Part[] {
  const root = new Map(eventIds.map((id) => [id, id]));
  const find = (id: string): string => {
    const parent = root.get(id) ?? id;
    if (parent === id) return id;
    const top = find(parent);
    root.set(id, top);
    return top;
  };
  const join = (ids: Iterable<string>) => {
    const [first, ...others] = [...ids].filter((id) => root.has(id));
    if (first === undefined) return;
    for (const id of others) root.set(find(id), find(first));
  };
  for (const ids of touched.values()) join(ids);
  for (const group of fifoGroups) join(group);

  const parts = new Map<string, Part>();
  for (const id of eventIds) {
    const part = parts.get(find(id)) ?? { events: new Set(), keys: [] };
    parts.set(find(id), part);
    part.events.add(id);
  }
  for (const [key, [any]] of touched) if (any !== undefined) parts.get(find(any))?.keys.push(key);
  return [...parts.values()];
}
