import type { Mark, Marks } from "../sessions/item.ts";
import type { LedgerEntry } from "./ledger-item.ts";
import type { BatchRead } from "./store.ts";

/** The most bytes of marks in a session: with more, a write of it costs more than the marks save. */
const MARK_BYTES = 1024;

/** The marks that the ledger is not known to have. */
export function unproven(marks: Marks = {}, isSaid: (identity: string, handler: string) => boolean): Marks {
  const left = Object.entries(marks).flatMap(([identity, mark]) => {
    const done = mark.done.filter((handler) => !isSaid(identity, handler));
    return done.length > 0 ? [[identity, { ...mark, done }] as const] : [];
  });
  return Object.fromEntries(left);
}

/** Adds a mark to those of its event. */
export function addMark(marks: Marks, identity: string, { done, digest }: Mark): void {
  // An identity has a # in it, so it is not the name of a member that every object has.
  const before = marks[identity];
  marks[identity] = {
    ...before,
    done: [...new Set([...(before?.done ?? []), ...done])],
    ...(digest && { digest }),
  };
}

/** Whether the marks take 1 KB of JSON or less, the most that a session's item may hold of them. */
export const fitsItem = (marks: Marks) => Buffer.byteLength(JSON.stringify(marks)) <= MARK_BYTES;

/** The ledger as a batch has to read it: with the marks of the events' homes that it does not have yet. */
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
