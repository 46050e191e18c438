import { isObject } from "../json.ts";
import { type EventRow, rowAfter, rowKey } from "./event-rows.ts";
import type { Filter } from "./filter.ts";
import type { HistoryLine } from "./records.ts";

/** The events of a history, built line by line. */
export interface EventList {
  /** Adds a line; returns the new row of its event. */
  add(line: HistoryLine): EventRow;
  /** Whether the filter matches the row, with all lines of its event so far. */
  fits(row: EventRow): boolean;
  /** The rows that match the filter, the newest first. */
  rows(): EventRow[];
}

/** Keeps a row for each event, even if it does not match: it may match after a later line. */
export function createEventList(filter: Filter): EventList {
  const rows = new Map<string, EventRow>();
  const found = new Map<string, Set<string>>();

  const fits = (row: EventRow) => filter.matches(row, (text) => found.get(rowKey(row))?.has(text) ?? false);

  function look(key: string, line: HistoryLine): void {
    const left = filter.texts.filter((text) => !found.get(key)?.has(text));
    const here = left.filter((text) => hasText(line, text));
    if (here.length > 0) found.set(key, new Set([...(found.get(key) ?? []), ...here]));
  }

  return {
    add(line) {
      const key = rowKey(eventOf(line));
      const row = rowAfter(rows.get(key), line);
      rows.set(key, row);
      look(key, line);
      return row;
    },
    fits,
    rows: () => [...rows.values()].filter(fits).sort((a, b) => (a.at === b.at ? 0 : a.at < b.at ? 1 : -1)),
  };
}

/** The event of a line. */
export function eventOf(line: HistoryLine): { id: string; api_id: string } {
  if ("attempt" in line) return line.attempt;
  return "received" in line ? line.received : line.refused;
}

/** Whether a value contains a lower-case text: in a string, a number, or the name of a member. */
function hasText(value: unknown, text: string): boolean {
  // Without recursion, since a line in a file may be nested more deeply than the stack allows.
  const left = [value];
  while (left.length > 0) {
    const each = left.pop();
    if (typeof each === "string" || typeof each === "number") {
      if (String(each).toLowerCase().includes(text)) return true;
    } else if (Array.isArray(each)) for (const item of each) left.push(item);
    else if (isObject(each)) for (const [name, member] of Object.entries(each)) left.push(name, member);
  }
  return false;
}
