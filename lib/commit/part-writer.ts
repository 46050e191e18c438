import { AppError, type ErrorCode } from "../errors.ts";
import { valueIn } from "../json.ts";
import type { Marks } from "../sessions/item.ts";
import type { BatchLedger } from "./batch-ledger.ts";
import type { BatchSessions } from "./batch-sessions.ts";
import type { Write } from "./commit.ts";
import { addMark, fitsItem, unproven } from "./marks.ts";
import type { Part } from "./parts.ts";
import { type BatchRead, COMMIT_ACTIONS, type ConsumerStore } from "./store.ts";

/** Why the table did not take what an event wrote, and would take that of others. */
export type Rejection = Pick<AppError, "code" | "message">;

/** The batch's state, and what is done when a part was written, was refused or came too late. */
export interface PartWriterDeps {
  read: Pick<BatchRead, "marks" | "marked">;
  store: Pick<ConsumerStore, "commit" | "put" | "proveMarks">;
  sessions: BatchSessions;
  ledger: BatchLedger;
  /** By event, the key that it is about, where a session can have it. */
  homes: ReadonlyMap<string, string>;
  /** Discards these events and all that touched these sessions: other writers were first. */
  abort(keys: string[], identities: string[]): void;
  /** The table does not take this part, or this event's entry. */
  rejectPart(part: Part, why: Rejection): void;
  rejectEvent(identity: string, why: Rejection): void;
  /** The event's entry says what was to be committed of it. */
  settleEntry(identity: string): void;
  /** Writes what is open of these events. */
  writeAgain(identities: ReadonlySet<string>): Promise<void>;
}

/** A part whose writes are made one by one, with the marks that say in its session which events it has. */
interface FastPart extends Part {
  key: string;
  marks: Marks;
}

/** A transaction, with what makes it more than the writes of its parts. */
interface Transaction {
  parts: Part[];
  fences: string[];
  marks: ReadonlyMap<string, Marks>;
}

const REJECTIONS: ReadonlySet<ErrorCode> = new Set(["commit-impossible", "commit-failed"]);

/** Why the table did not take a write, or what else was thrown. */
function rejectionOf(thrown: unknown): Rejection {
  if (thrown instanceof AppError && REJECTIONS.has(thrown.code)) return thrown;
  throw thrown;
}

/**
 * Writes parts, each in the cheapest of three ways that keeps the promise (docs/delivery.md): with a mark in its session,
 * by its ledger entry alone, or as a part of one transaction.
 */
export function createPartWriter({
  read,
  store,
  sessions,
  ledger,
  homes,
  abort,
  rejectPart,
  rejectEvent,
  settleEntry,
  writeAgain,
}: PartWriterDeps): (parts: Part[]) => Promise<void> {
  const isSaid = (identity: string, handler: string) =>
    ledger.isCommitted(identity, handler) || (read.marked?.get(identity)?.includes(handler) ?? false);

  /**
   * The marks that stand for the ledger's entries, if this part can be written so: of one session that was there, that
   * is the home of each event which wrote it, and that nothing takes away.
   */
  function fastMarks({ keys: [key, ...others] }: Part): FastPart["marks"] | undefined {
    const state = key === undefined ? undefined : sessions.states.get(key);
    if (!read.marks || key === undefined || others.length > 0 || !state?.session) return undefined;
    const { stored, writers } = state;
    if (!stored.beforeLedger || stored.version <= 0 || sessions.mayVanish(key)) return undefined;
    const marks = unproven(stored.marks, isSaid);
    for (const id of writers) {
      if (homes.get(id) !== key) return undefined;
      addMark(marks, id, ledger.markOf(id));
    }
    return fitsItem(marks) ? marks : undefined;
  }

  /** By how they are written: with marks, by entries of the ledger alone, or in one transaction. */
  function sorted(parts: Part[]): { fast: FastPart[]; alone: Part[]; slow: Part[] } {
    const fast: FastPart[] = [];
    const alone: Part[] = [];
    const slow: Part[] = [];
    for (const part of parts) {
      const [key] = part.keys;
      const marks = fastMarks(part);
      if (key !== undefined && marks) fast.push({ ...part, key, marks });
      else if (key === undefined && part.events.size === 1) alone.push(part);
      else slow.push(part);
    }
    return { fast, alone, slow };
  }

  /** Of a part, the events that wrote sessions. */
  const writersOf = ({ events, keys }: Part): string[] =>
    [...events].filter((id) => keys.some((key) => sessions.states.get(key)?.writers.has(id)));

  /** Whether another delivery of the event is in its home already, by a mark that came after this batch was read. */
  function isMarked(identity: string, home: string): boolean {
    const marks = sessions.states.get(home)?.stored.marks ?? {};
    const mark = valueIn(marks, identity);
    return mark?.done.some((handler) => !ledger.wasDone(identity, handler)) ?? false;
  }

  async function loadHome(identity: string): Promise<void> {
    const home = homes.get(identity);
    if (home === undefined || sessions.states.has(home)) return;
    await sessions.load(home);
    sessions.touch(home, identity);
  }

  /** The homes of events that wrote sessions: where they are not written too, a fence closes the fast way to them. */
  function fencesOf(part: Part): string[] | "marked" {
    const fences = new Set<string>();
    for (const id of writersOf(part)) {
      const home = homes.get(id);
      if (home === undefined) continue;
      if (isMarked(id, home)) return "marked";
      fences.add(home);
    }
    return [...fences];
  }

  /** The marks that a session keeps in a transaction. Those of an item that may vanish are the ledger's before it does. */
  async function keptMarks(key: string): Promise<Marks> {
    const open = unproven(sessions.states.get(key)?.stored.marks, isSaid);
    if (Object.keys(open).length === 0 || (fitsItem(open) && !sessions.mayVanish(key))) return open;
    await store.proveMarks(open);
    return {};
  }

  async function openTransaction(slow: Part[]): Promise<Transaction> {
    const parts: Part[] = [];
    const fences = new Set<string>();
    const marks = new Map<string, Marks>();
    if (read.marks) await Promise.all(slow.flatMap(writersOf).map(loadHome));
    for (const part of slow) {
      const own = read.marks ? fencesOf(part) : [];
      if (own === "marked") {
        abort(part.keys, [...part.events]);
        continue;
      }
      for (const key of part.keys) marks.set(key, await keptMarks(key));
      for (const key of own) fences.add(key);
      parts.push(part);
    }
    // One that was made and removed again in this batch is a key of a part, and nothing is written of it.
    for (const key of marks.keys()) if (sessions.writeOf(key).length > 0) fences.delete(key);
    return { parts, fences: [...fences], marks };
  }

  /** All or nothing of these parts. When the table does not take them, one of them is at fault, found by halves. */
  async function writeSlow(slow: Part[]): Promise<void> {
    const { parts, fences, marks } = await openTransaction(slow);
    if (parts.length === 0) return;
    const writes: Write[] = [
      ...parts.flatMap(({ events, keys }) => [
        ...keys.flatMap((key) => sessions.writeOf(key, marks.get(key))),
        ...[...events].map(ledger.writeOf),
      ]),
      ...fences.map((key): Write => ({ kind: "fence", key, version: versionOf(key) })),
    ];
    let conflicts: number[];
    try {
      ({ conflicts } = await store.commit(writes));
    } catch (thrown) {
      return split(parts, rejectionOf(thrown));
    }
    if (conflicts.length > 0) {
      const changed = conflicts.flatMap((index) => writes[index] ?? []);
      return abort(
        changed.flatMap((write) => (write.kind === "ledger" ? [] : [write.key])),
        changed.flatMap((write) => (write.kind === "ledger" ? [write.identity] : [])),
      );
    }
    for (const { events, keys } of parts) {
      for (const key of keys) sessions.settle(key, marks.get(key));
      for (const id of events) settleEntry(id);
    }
    fences.forEach(sessions.raise);
  }

  const versionOf = (key: string) => sessions.states.get(key)?.stored.version ?? 0;

  async function split(parts: Part[], why: Rejection): Promise<void> {
    const [part, ...others] = parts;
    if (part && others.length === 0) return rejectPart(part, why);
    for (const half of [parts.slice(0, parts.length / 2), parts.slice(parts.length / 2)])
      await writeAgain(new Set(half.flatMap(({ events }) => [...events])));
  }

  /** The sessions, and then the entries of their events and of those that wrote none. */
  async function writeFast(fast: FastPart[], alone: Part[]): Promise<void> {
    const held: Part[] = [];
    const results = await store.put(fast.flatMap(({ key, marks }) => sessions.writeOf(key, marks)));
    const failures: unknown[] = [];
    fast.forEach((part, index) => {
      const result = results[index];
      if (result?.is === "written") {
        sessions.settle(part.key, part.marks);
        held.push(part);
      } else if (result?.is === "failed") take(result.thrown, (why) => rejectPart(part, why), failures);
      else abort([part.key], []);
    });
    const ids = [...held, ...alone].flatMap(({ events }) => [...events]);
    const ends = await store.put(ids.map(ledger.writeOf));
    ids.forEach((id, index) => {
      const end = ends[index];
      if (end?.is === "written") settleEntry(id);
      else if (end?.is === "failed") take(end.thrown, (why) => rejectEvent(id, why), failures);
      else abort([], [id]);
    });
    if (failures.length > 0) throw failures[0];
  }

  /** What concerns one part alone is that part's; all else is thrown when the others have been tried too. */
  function take(thrown: unknown, reject: (why: Rejection) => void, failures: unknown[]): void {
    if (thrown instanceof AppError && REJECTIONS.has(thrown.code)) reject(thrown);
    else failures.push(thrown);
  }

  /** When one way fails, the other has been tried too. */
  return async (parts) => {
    const { fast, alone, slow } = sorted(parts);
    const ways = await Promise.allSettled([writeSlow(slow.slice(0, COMMIT_ACTIONS)), writeFast(fast, alone)]);
    for (const way of ways) if (way.status === "rejected") throw way.reason;
  };
}
