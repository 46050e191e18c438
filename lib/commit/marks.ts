import type { Mark, Marks } from "../sessions/item.ts";
import type { LedgerEntry } from "./ledger-item.ts";
import type { BatchRead } from "./store.ts";

/** The maximum size of the marks in a session, in bytes: with more, a write of it costs more than the marks save. */
const MARK_BYTES = 1024;

/** The marks that are not known to be in the ledger. */
export function unproven(marks: Marks = {}, isSaid: (identity: string, handler: string) => boolean): Marks {
  const left = Object.entries(marks).flatMap(([identity, mark]) => {
    const done = mark.done.filter((handler) => !isSaid(identity, handler));
    return done.length > 0 ? [[identity, { ...mark, done }] as const] : [];
  });
  return Object.fromEntries(left);
}

/** Adds a mark to those of its event. */
export function addMark(marks: Marks, identity: string, { done, digest }: Mark): void {
  // An identity contains a #, so it cannot be a member of Object.prototype.
  const before = marks[identity];
  marks[identity] = {
    ...before,
    done: [...new Set([...(before?.done ?? []), ...done])],
    ...(digest && { digest }),
  };
}

/** Whether the marks take at most 1 KB of JSON, the limit for a session's item. */
export const fitsItem = (marks: Marks) => Buffer.byteLength(JSON.stringify(marks)) <= MARK_BYTES;

/** The ledger of a batch, with the marks in the events' homes that are not in it yet. */
export function withMarks(
  { ledger, sessions }: BatchRead,
  homes: ReadonlyMap<string, string>,
): Map<string, LedgerEntry> {
  const entries = [...ledger].map(([identity, entry]) => {
    const mark = sessions.get(homes.get(identity) ?? "")?.marks?.[identity];
    if (!mark) return [identity, entry] as const;
    const marked = mark.done.filter((handler) => !entry.done.includes(handler));
    return [identity, { ...entry, marked, digest: entry.digest ?? mark.digest }] as const;
  });
  return new Map(entries);
}
