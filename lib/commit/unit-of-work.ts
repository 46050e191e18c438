import { AppError } from "../errors.ts";
import { createTurns } from "../in-turn.ts";
import type { Reader } from "../sessions/item.ts";
import type { Session } from "../sessions/session.ts";
import { createBatchLedger } from "./batch-ledger.ts";
import { createBatchSessions, type Edited, type SessionRules, type Touched } from "./batch-sessions.ts";
import { checkCommit, fitsOneCommit } from "./limits.ts";
import { createPartWriter, type Rejection } from "./part-writer.ts";
import { type Part, partsOf } from "./parts.ts";
import type { BatchRead, ConsumerStore } from "./store.ts";

/** The reads and writes of one run; they become part of the unit only if the run succeeds. */
export interface RunBuffer {
  read(key: string, reader?: Reader): Promise<Session | undefined>;
  /** The gateway's name of a key that was read; the key itself if it has no other name. */
  fullNameOf(key: string): string;
  /** The run has read the session that `offer` returned. */
  gave?(key: string): void;
  /** Throws session-refused for a key that the gateway has deleted. */
  write(key: string, edited: Edited): Promise<void>;
}

/** A buffer that a unit of work makes. */
export interface UnitBuffer extends RunBuffer {
  /** A session in memory, to be sent with the run. Whether it is current is checked when it is read. */
  offer(key: string): Session | undefined;
  gave(key: string): void;
}

/** The state of the events of a unit: each is in one of the three. */
export interface Commit {
  committed: ReadonlySet<string>;
  /** Their changes were discarded because another writer changed what they had read; they must be run again. */
  conflicted: ReadonlySet<string>;
  /** The table rejected their writes, with the reason. */
  rejected: ReadonlyMap<string, Rejection>;
  /** Events were discarded because the table rejected them together: each needs its own commit. */
  needsOwnCommit: boolean;
}

/**
 * The sessions and ledger entries of a batch: read once, changed in memory run by run, stored by commits. Runs see the
 * writes of earlier runs of the batch. If a concurrent run changed a session that this run has read, this run is
 * discarded as after a conflict, and its event must be run again.
 */
export interface UnitOfWork {
  isDone(identity: string, handler: string): boolean;
  /** The number of failed runs of its handlers so far. */
  attempts(identity: string): number;
  startRun(): UnitBuffer;
  /**
   * Adds the writes of a successful run. Commits the pending changes first if both do not fit into one transaction.
   * False: the event's changes were discarded because of a conflict or a rejection.
   */
  accept(buffer: RunBuffer, identity: string, handler: string): Promise<boolean>;
  /** True if the event's changes are discarded: the commit says why. */
  isLost(identity: string): boolean;
  /** The handler counts as done although its run failed and wrote nothing. */
  dismiss(identity: string, handler: string): void;
  /** Sets the number of failed runs in the ledger. */
  setAttempts(identity: string, attempts: number): void;
  /** Commits everything that was accepted, except what the table rejects. */
  commit(): Promise<Commit>;
}

/**
 * `fifoGroups`: events that must take effect in this order; each list is a group of a FIFO queue. `onSee` is called
 * once for each session that a run reads, and is told whether it was in memory. `digests`: of the events' content.
 * `homes`: the key of each event, by identity, if it can be the key of a session.
 */
export function createUnitOfWork(
  read: BatchRead,
  store: Pick<ConsumerStore, "readSession" | "commit" | "put" | "proveMarks">,
  {
    fifoGroups = [],
    digests,
    homes = new Map(),
    onSee = () => {},
    ...rules
  }: SessionRules & {
    fifoGroups?: string[][];
    digests?: ReadonlyMap<string, string>;
    homes?: ReadonlyMap<string, string>;
    onSee?: (inMemory: boolean) => void;
  } = {},
): UnitOfWork {
  const sessions = createBatchSessions(read.sessions, store, rules);
  const ledger = createBatchLedger(read.ledger, digests);
  const conflicted = new Set<string>();
  const rejected = new Map<string, Rejection>();
  let needsOwnCommit = false;
  /** Events that wrote other sessions than their home. */
  const fenced = new Set<string>();
  const buffers = new WeakMap<RunBuffer, Touched>();

  /**
   * Cancels everything that depends on these: events that read or wrote the keys, their writes, events that read those,
   * …
   */
  function abort(keys: string[], identities: string[]): void {
    const aborted = new Set<string>();
    const dropped = new Set(keys);
    const abortOne = (id: string) => {
      if (aborted.has(id)) return;
      aborted.add(id);
      for (const [key, { writers }] of sessions.states) if (writers.has(id)) dropped.add(key);
      for (const group of fifoGroups)
        if (group.includes(id)) group.slice(group.indexOf(id) + 1).forEach(abortOne);
    };
    identities.forEach(abortOne);
    // A set's iterator also visits elements that are added during the loop.
    for (const key of dropped) for (const id of sessions.states.get(key)?.events ?? []) abortOne(id);
    dropped.forEach(sessions.drop);
    for (const id of aborted) {
      conflicted.add(id);
      forget(id);
    }
  }

  function forget(id: string): void {
    fenced.delete(id);
    ledger.forget(id);
    sessions.forget(id);
  }

  /** The table rejects this part. A single event is at fault itself; among several, it may be any. */
  function rejectPart({ events, keys }: Part, why: Rejection): void {
    const [id = ""] = events;
    if (events.size > 1) {
      needsOwnCommit = true;
      abort(keys, [...events]);
      return;
    }
    keys.forEach(sessions.drop);
    rejectEvent(id, why);
  }

  function rejectEvent(id: string, why: Rejection): void {
    rejected.set(id, why);
    forget(id);
  }

  /** Waits for earlier work: nothing may be added to a transaction while it is being sent. */
  const inTurn = createTurns();

  const write = createPartWriter({
    read,
    store,
    sessions,
    ledger,
    homes,
    abort,
    rejectPart,
    rejectEvent,
    settleEntry,
    pendingParts: () => partsOf(ledger.pending(), sessions.pending(), fifoGroups),
  });

  function settleEntry(id: string): void {
    fenced.delete(id);
    ledger.settle(id);
    sessions.forget(id);
  }

  /** False if another run changed what this run has read, or a commit discarded it: then this run is discarded. */
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
    if (!rejected.has(identity) && !isFresh(touched)) abort([], [identity]);
    if (isLost(identity)) return false;
    for (const key of seen.keys()) sessions.touch(key, identity);
    for (const [key, edited] of writes) sessions.write(key, edited, identity);
    // Its writes to other sessions are committed with a fence at its home.
    if (isForeign && home !== undefined) sessions.touch(home, identity);
    if (isForeign) fenced.add(identity);
    ledger.add(identity, handler);
    return true;
  }

  return {
    isDone: ledger.isDone,
    isLost,
    attempts: ledger.attempts,
    // Not during a commit, which would treat changes that come after it was sent as written.
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
          // A write without a read is on condition of the version too, so the version must be known.
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
        return { committed, conflicted, rejected, needsOwnCommit };
      }),
  };
}
