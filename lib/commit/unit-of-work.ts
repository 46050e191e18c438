import { AppError, type ErrorCode } from "../errors.ts";
import type { Marks, Reader } from "../sessions/item.ts";
import type { Session } from "../sessions/session.ts";
import { createBatchLedger } from "./batch-ledger.ts";
import { createBatchSessions, type Edited, type SessionRules, type Touched } from "./batch-sessions.ts";
import { checkCommit, fitsOneCommit } from "./limits.ts";
import { addMark, fitsItem, unproven } from "./marks.ts";
import { type Part, partsOf } from "./parts.ts";
import { type BatchRead, COMMIT_ACTIONS, type ConsumerStore, type Write } from "./store.ts";

/** What one run reads and writes; it becomes part of the unit only when the run succeeded. */
export interface RunBuffer {
  read(key: string, reader?: Reader): Promise<Session | undefined>;
  /** The name under which the gateway has a key that was read; the key itself where that is not another. */
  fullNameOf(key: string): string;
  /** The run has read what `offer` answered. */
  gave?(key: string): void;
  /** Throws session-refused for a key that the gateway has deleted. */
  write(key: string, edited: Edited): Promise<void>;
}

/** As a unit of work gives it. */
export interface UnitBuffer extends RunBuffer {
  /** A session that is in memory now, to be sent along with the run. Whether it is fresh is judged when it is read. */
  offer(key: string): Session | undefined;
  gave(key: string): void;
}

/** What became of the events of a unit so far: each is in one of the three. */
export interface Commit {
  committed: ReadonlySet<string>;
  /** What they did was thrown away, because somebody else changed what they read: to be run again. */
  conflicted: ReadonlySet<string>;
  /** The table did not take what they wrote, and why. */
  rejected: ReadonlyMap<string, Refused>;
  /** Events were thrown away because the table refused them together: each needs a commit of its own. */
  crowded: boolean;
}

/** Why the table did not take what an event wrote, and would take that of others. */
export type Refused = Pick<AppError, "code" | "message">;

/**
 * The sessions and ledger entries of a batch: read once, changed in memory run by run, made true by commits.
 * Runs see what earlier runs of the batch wrote. Of runs at the same time, one whose sessions were changed by
 * another since it read them counts for nothing, as after a conflict: its event must be run again.
 */
export interface UnitOfWork {
  isDone(identity: string, handler: string): boolean;
  /** How many runs of its handlers have failed so far. */
  attempts(identity: string): number;
  startRun(): UnitBuffer;
  /**
   * Takes the writes of a successful run. Commits what is there before, when both do not fit in one transaction. False:
   * what the event did is lost, by a conflict or since the table did not take it.
   */
  accept(buffer: RunBuffer, identity: string, handler: string): Promise<boolean>;
  /** True when nothing that the event does counts any more: the commit says why. */
  isLost(identity: string): boolean;
  /** The handler counts as done although its run failed and left nothing. */
  dismiss(identity: string, handler: string): void;
  /** Has the ledger say that so many runs have failed. */
  setAttempts(identity: string, attempts: number): void;
  /** Makes everything accepted true, as far as that goes. */
  commit(): Promise<Commit>;
}

/** A part of which each write is made by itself, and by which marks it is known that its events are in the session. */
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

const REFUSALS: ReadonlySet<ErrorCode> = new Set(["commit-impossible", "commit-failed"]);

/** Why the table did not take a write, or what else was thrown. */
function refusalIn(thrown: unknown): Refused {
  if (thrown instanceof AppError && REFUSALS.has(thrown.code)) return thrown;
  throw thrown;
}

/**
 * `chains`: events that must take effect in this order, if at all; each list is a group of a FIFO queue. `onSee` is
 * told of each session that a run asks for, once, whether it was in memory. `digests`: of the events' content. `homes`:
 * by identity, the key that an event is about, where a session can have it.
 */
export function createUnitOfWork(
  read: BatchRead,
  store: Pick<ConsumerStore, "readSession" | "commit" | "put" | "proveMarks">,
  {
    chains = [],
    digests,
    homes = new Map(),
    onSee = () => {},
    ...rules
  }: SessionRules & {
    chains?: string[][];
    digests?: ReadonlyMap<string, string>;
    homes?: ReadonlyMap<string, string>;
    onSee?: (inMemory: boolean) => void;
  } = {},
): UnitOfWork {
  const sessions = createBatchSessions(read.sessions, store, rules);
  const ledger = createBatchLedger(read.ledger, digests);
  const conflicted = new Set<string>();
  const rejected = new Map<string, Refused>();
  let crowded = false;
  /** Events that wrote other sessions than their home. */
  const fenced = new Set<string>();
  const buffers = new WeakMap<RunBuffer, Touched>();

  const pendingParts = (): Part[] => partsOf(ledger.pending(), sessions.pending(), chains);

  /** What fell with these items: the events that touched them, what those wrote, the events that touched that, … */
  function drop(keys: string[], identities: string[]): void {
    const fallen = new Set<string>();
    const gone = new Set(keys);
    const fall = (id: string) => {
      if (fallen.has(id)) return;
      fallen.add(id);
      for (const [key, { writers }] of sessions.states) if (writers.has(id)) gone.add(key);
      for (const chain of chains) if (chain.includes(id)) chain.slice(chain.indexOf(id) + 1).forEach(fall);
    };
    identities.forEach(fall);
    // A set's iterator goes on to what is added meanwhile.
    for (const key of gone) for (const id of sessions.states.get(key)?.events ?? []) fall(id);
    gone.forEach(sessions.drop);
    for (const id of fallen) {
      conflicted.add(id);
      forget(id);
    }
  }

  function forget(id: string): void {
    fenced.delete(id);
    ledger.forget(id);
    sessions.forget(id);
  }

  /** The table does not take this part. One event alone is at fault then; of several, it may be any. */
  function refuse({ events, keys }: Part, why: Refused): void {
    const [id = ""] = events;
    if (events.size > 1) {
      crowded = true;
      drop(keys, [...events]);
      return;
    }
    keys.forEach(sessions.drop);
    reject(id, why);
  }

  function reject(id: string, why: Refused): void {
    rejected.set(id, why);
    forget(id);
  }

  /** Ends what was begun before: while a transaction is under way, nothing may be added to what it holds. */
  let last: Promise<unknown> = Promise.resolve();
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  }

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
    const mark = Object.hasOwn(marks, identity) ? marks[identity] : undefined;
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
        drop(part.keys, [...part.events]);
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
      return split(parts, refusalIn(thrown));
    }
    if (conflicts.length > 0) {
      const changed = conflicts.flatMap((index) => writes[index] ?? []);
      return drop(
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

  function settleEntry(id: string): void {
    fenced.delete(id);
    ledger.settle(id);
    sessions.forget(id);
  }

  async function split(parts: Part[], why: Refused): Promise<void> {
    const [part, ...others] = parts;
    if (part && others.length === 0) return refuse(part, why);
    for (const half of [parts.slice(0, parts.length / 2), parts.slice(parts.length / 2)])
      await write(new Set(half.flatMap(({ events }) => [...events])));
  }

  /** The sessions, and then the entries of their events and of those that wrote none. */
  async function writeFast(fast: FastPart[], alone: Part[]): Promise<void> {
    const held: Part[] = [];
    const results = await store.put(fast.flatMap(({ key, marks }) => sessions.writeOf(key, marks)));
    const failures: unknown[] = [];
    fast.forEach((part, index) => {
      const result = results[index];
      if (result?.is === "held") {
        sessions.settle(part.key, part.marks);
        held.push(part);
      } else if (result?.is === "failed") take(result.thrown, (why) => refuse(part, why), failures);
      else drop([part.key], []);
    });
    const ids = [...held, ...alone].flatMap(({ events }) => [...events]);
    const ends = await store.put(ids.map(ledger.writeOf));
    ids.forEach((id, index) => {
      const end = ends[index];
      if (end?.is === "held") settleEntry(id);
      else if (end?.is === "failed") take(end.thrown, (why) => reject(id, why), failures);
      else drop([], [id]);
    });
    if (failures.length > 0) throw failures[0];
  }

  /** What concerns one part alone is that part's; all else is thrown when the others have been tried too. */
  function take(thrown: unknown, whenRefused: (why: Refused) => void, failures: unknown[]): void {
    if (thrown instanceof AppError && REFUSALS.has(thrown.code)) whenRefused(thrown);
    else failures.push(thrown);
  }

  /** Those of the events `only`, if any are given. When one way fails, the other has been tried too. */
  async function write(only?: ReadonlySet<string>): Promise<void> {
    for (;;) {
      const open = pendingParts().filter(({ events }) => !only || [...events].some((id) => only.has(id)));
      if (open.length === 0) return;
      const { fast, alone, slow } = sorted(open);
      const ways = await Promise.allSettled([
        writeSlow(slow.slice(0, COMMIT_ACTIONS)),
        writeFast(fast, alone),
      ]);
      for (const way of ways) if (way.status === "rejected") throw way.reason;
    }
  }

  /** False when another run changed what this one saw, or a commit threw it away: then this one counts for nothing. */
  const isFresh = ({ seen }: Touched) =>
    [...seen].every(
      ([key, { state, changes }]) => sessions.states.get(key) === state && state.changes === changes,
    );

  function fitsWithPending(sizes: Map<string, number>): boolean {
    const { count, bytes } = sessions.pendingWith(sizes);
    return fitsOneCommit(count + ledger.pendingCount + fenced.size + 2, bytes);
  }

  const isLost = (identity: string) => conflicted.has(identity) || rejected.has(identity);

  async function admit(touched: Touched, identity: string, handler: string): Promise<boolean> {
    const { seen, writes } = touched;
    const sizes = new Map([...writes].map(([key, { bytes = 0 }]) => [key, bytes]));
    const home = homes.get(identity);
    const isForeign = read.marks === true && [...writes.keys()].some((key) => key !== home);
    checkCommit(sizes, isForeign && home !== undefined && !writes.has(home) ? 1 : 0);
    if (!fitsWithPending(sizes)) await write();
    if (!rejected.has(identity) && !isFresh(touched)) drop([], [identity]);
    if (isLost(identity)) return false;
    for (const key of seen.keys()) sessions.touch(key, identity);
    for (const [key, edited] of writes) sessions.write(key, edited, identity);
    // What it wrote elsewhere is committed with a fence at its home.
    if (isForeign && home !== undefined) sessions.touch(home, identity);
    if (isForeign) fenced.add(identity);
    ledger.add(identity, handler);
    return true;
  }

  return {
    isDone: ledger.isDone,
    isLost,
    attempts: ledger.attempts,
    // In turn with commits: one that is under way would count as written what came after it was sent.
    setAttempts: (identity, attempts) => void inTurn(async () => ledger.setAttempts(identity, attempts)),
    dismiss: (identity, handler) => void inTurn(async () => ledger.add(identity, handler)),
    startRun() {
      const touched: Touched = { seen: new Map(), writes: new Map() };
      const { seen, writes } = touched;
      const see = async (key: string, reader?: Reader) => {
        if (!seen.has(key)) onSee(sessions.states.has(key));
        const state = await sessions.load(key, reader);
        if (!seen.has(key)) seen.set(key, { state, changes: state.changes });
        return state;
      };
      const offered: Touched["seen"] = new Map();
      const buffer: UnitBuffer = {
        offer(key) {
          const state = sessions.states.get(key);
          if (state) offered.set(key, { state, changes: state.changes });
          return state?.session;
        },
        gave(key) {
          const state = offered.get(key);
          if (!state || seen.has(key)) return;
          onSee(true);
          seen.set(key, state);
        },
        async read(key, reader) {
          const written = writes.get(key);
          return written ? written.session : (await see(key, reader)).session;
        },
        fullNameOf: (key) => seen.get(key)?.state.stored.fullName ?? key,
        async write(key, edited) {
          // A blind write is put on condition of the version too, so it must be known.
          const { stored } = await see(key);
          if (stored.gateway?.gone) throw new AppError("session-refused", "the gateway has deleted this key");
          const before = writes.get(key);
          writes.set(key, before?.reset ? { ...edited, reset: true } : edited);
        },
      };
      buffers.set(buffer, touched);
      return buffer;
    },
    accept: (buffer, identity, handler) =>
      inTurn(async () => {
        const touched = buffers.get(buffer);
        if (!touched) throw new Error("this buffer is not of this unit of work");
        return admit(touched, identity, handler);
      }),
    commit: () =>
      inTurn(async () => {
        await write();
        const committed = new Set([...read.ledger.keys()].filter((identity) => !isLost(identity)));
        return { committed, conflicted, rejected, crowded };
      }),
  };
}
