import { AppError, type ErrorCode } from "../errors.ts";
import { valueIn } from "../json.ts";
import type { Marks } from "../sessions/item.ts";
import type { BatchLedger } from "./batch-ledger.ts";
import type { BatchSessions } from "./batch-sessions.ts";
import type { Write } from "./commit.ts";
import { addMark, fitsItem, unproven } from "./marks.ts";
import type { Part } from "./parts.ts";
import { type BatchRead, COMMIT_ACTIONS, type ConsumerStore } from "./store.ts";

/** Why the table rejected the writes of an event, while it accepts other writes. */
export type Rejection = Pick<AppError, "code" | "message">;

/** The batch's state, its pending parts, and callbacks for parts that were written, were rejected or had a conflict. */
export interface PartWriterDeps {
  read: Pick<BatchRead, "marks" | "marked">;
  store: Pick<ConsumerStore, "commit" | "put" | "proveMarks">;
  sessions: BatchSessions;
  ledger: BatchLedger;
  /** The key of each event, if it can be the key of a session. */
  homes: ReadonlyMap<string, string>;
  /** Discards these events and all that read or wrote these sessions, because of a conflict. */
  abort(keys: string[], identities: string[]): void;
  /** The table rejects this part, or this event's entry. */
  rejectPart(part: Part, why: Rejection): void;
  rejectEvent(identity: string, why: Rejection): void;
  /** The event's entry is written. */
  settleEntry(identity: string): void;
  /** The parts that are still to be written. */
  pendingParts(): Part[];
}

/** A part that is written with single puts: its session has marks for its events. */
interface FastPart extends Part {
  key: string;
  marks: Marks;
}

/** A transaction: its parts, its fences, and the marks that its sessions keep. */
interface Transaction {
  parts: Part[];
  fences: string[];
  marks: ReadonlyMap<string, Marks>;
}

const REJECTIONS: ReadonlySet<ErrorCode> = new Set(["commit-impossible", "commit-failed"]);

/** Why the table rejected a write. Throws any other error. */
function rejectionOf(thrown: unknown): Rejection {
  if (thrown instanceof AppError && REJECTIONS.has(thrown.code)) return thrown;
  throw thrown;
}

/** Writes the pending parts; only those of these events, if `only` is given. */
export type WriteParts = (only?: ReadonlySet<string>) => Promise<void>;

/**
 * Writes each part in the cheapest of three ways that keeps the guarantees (docs/delivery.md): with a mark in its
 * session, with its ledger entry only, or in a transaction.
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
  pendingParts,
}: PartWriterDeps): WriteParts {
  const isSaid = (identity: string, handler: string) =>
    ledger.isCommitted(identity, handler) || (read.marked?.get(identity)?.includes(handler) ?? false);

  /**
   * The marks for the ledger entries of this part. They are possible only if it has one session, which existed before,
   * is the home of each event that wrote it, and cannot be deleted.
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

  /** Sorted by how they are written: with marks, with ledger entries only, or in one transaction. */
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

  /** The events of a part that wrote sessions. */
  const writersOf = ({ events, keys }: Part): string[] =>
    [...events].filter((id) => keys.some((key) => sessions.states.get(key)?.writers.has(id)));

  /** Whether the event's home has a mark of another delivery that was written after this batch was read. */
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

  /**
   * The homes of events that wrote sessions. If a home is not written too, it gets a fence, which prevents a single put
   * with a mark.
   */
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

  /**
   * The marks that a session keeps in a transaction. If its item may be deleted, they are written to the ledger first.
   */
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
    // A session that was created and deleted in this batch is a key of a part, but is not written, so it needs its
    // fence.
    for (const key of marks.keys()) if (sessions.writeOf(key).length > 0) fences.delete(key);
    return { parts, fences: [...fences], marks };
  }

  /** Writes these parts in one transaction. If the table rejects it, bisection finds the part at fault. */
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
      await write(new Set(half.flatMap(({ events }) => [...events])));
  }

  /** Writes the sessions, and then the ledger entries of their events and of events without writes. */
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

  /** A rejection affects only its own part; any other error is thrown after all parts were tried. */
  function take(thrown: unknown, reject: (why: Rejection) => void, failures: unknown[]): void {
    if (thrown instanceof AppError && REJECTIONS.has(thrown.code)) reject(thrown);
    else failures.push(thrown);
  }

  /** Both ways are tried, even if one fails. */
  async function writeOpen(parts: Part[]): Promise<void> {
    const { fast, alone, slow } = sorted(parts);
    const ways = await Promise.allSettled([writeSlow(slow.slice(0, COMMIT_ACTIONS)), writeFast(fast, alone)]);
    for (const way of ways) if (way.status === "rejected") throw way.reason;
  }

  const write: WriteParts = async (only) => {
    for (;;) {
      const open = pendingParts().filter(({ events }) => !only || [...events].some((id) => only.has(id)));
      if (open.length === 0) return;
      await writeOpen(open);
    }
  };
  return write;
}
