import { AppError, type ErrorCode } from "../errors.ts";
import type { Reader } from "../sessions/item.ts";
import type { Session } from "../sessions/session.ts";
import { createBatchLedger } from "./batch-ledger.ts";
import { createBatchSessions, type Edited, type SessionRules, type Touched } from "./batch-sessions.ts";
import { checkCommit, fitsOneCommit } from "./commit-limits.ts";
import { type Part, partsOf } from "./commit-parts.ts";
import type { BatchRead, ConsumerStore, Write } from "./store.ts";

/** What one run reads and writes; it becomes part of the unit only when the run succeeded. */
export interface RunBuffer {
  read(key: string, reader?: Reader): Promise<Session | undefined>;
  /** The name under which the gateway has a key that was read; the key itself where that is not another. */
  fullNameOf(key: string): string;
  /** Throws session-refused for a key that the gateway has deleted. */
  write(key: string, edited: Edited): Promise<void>;
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
  startRun(): RunBuffer;
  /** Takes the writes of a successful run. Commits what is there before, when both do not fit in one transaction. */
  accept(buffer: RunBuffer, identity: string, handler: string): Promise<void>;
  /** The handler counts as done although its run failed and left nothing. */
  dismiss(identity: string, handler: string): void;
  /** Has the ledger say that so many runs have failed. */
  setAttempts(identity: string, attempts: number): void;
  /** Makes everything accepted true, but for the events in `conflicted` and in `refused`. */
  commit(): Promise<void>;
  /** Events whose accepted runs were thrown away, because somebody else changed what they read: to be run again. */
  readonly conflicted: ReadonlySet<string>;
  /** Events whose writes the table did not take, and why. */
  readonly refused: ReadonlyMap<string, Refused>;
  /** True when events were thrown away because the table refused them together: each needs a commit of its own. */
  readonly crowded: boolean;
}

const REFUSALS: ReadonlySet<ErrorCode> = new Set(["commit-impossible", "commit-failed"]);

/**
 * `chains`: events that must take effect in this order, if at all; each list is a group of a FIFO queue. `onSee` is
 * told of each session that a run asks for, once, whether it was in memory. `digests`: of the events' content.
 */
export function createUnitOfWork(
  read: BatchRead,
  store: Pick<ConsumerStore, "readSession" | "commit">,
  {
    chains = [],
    digests,
    onSee = () => {},
    ...rules
  }: SessionRules & {
    chains?: string[][];
    digests?: ReadonlyMap<string, string>;
    onSee?: (inMemory: boolean) => void;
  } = {},
): UnitOfWork {
  const sessions = createBatchSessions(read.sessions, store, rules);
  const ledger = createBatchLedger(read.ledger, digests);
  const conflicted = new Set<string>();
  const refused = new Map<string, Refused>();
  let crowded = false;
  const buffers = new WeakMap<RunBuffer, Touched>();

  const pendingParts = (): Part[] => partsOf(ledger.pending(), sessions.pending(), chains);

  const writesOf = ({ events, keys }: Part): Write[] => [
    ...keys.flatMap(sessions.writeOf),
    ...[...events].map(ledger.writeOf),
  ];

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
    ledger.forget(id);
    sessions.forget(id);
  }

  function settle({ events, keys }: Part): void {
    keys.forEach(sessions.settle);
    for (const id of events) {
      ledger.settle(id);
      sessions.forget(id);
    }
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
    refused.set(id, why);
    forget(id);
  }

  /** Ends what was begun before: while a transaction is under way, nothing may be added to what it holds. */
  let last: Promise<unknown> = Promise.resolve();
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  }

  async function commit(only?: ReadonlySet<string>): Promise<void> {
    for (;;) {
      const parts = pendingParts().filter(({ events }) => !only || [...events].some((id) => only.has(id)));
      if (parts.length === 0) return;
      const writes = parts.flatMap(writesOf);
      try {
        const { conflicts } = await store.commit(writes);
        if (conflicts.length === 0) return parts.forEach(settle);
        const changed = conflicts.flatMap((index) => writes[index] ?? []);
        drop(
          changed.flatMap((write) => (write.kind === "session" ? [write.key] : [])),
          changed.flatMap((write) => (write.kind === "ledger" ? [write.identity] : [])),
        );
      } catch (thrown) {
        if (!(thrown instanceof AppError) || !REFUSALS.has(thrown.code)) throw thrown;
        const [part, ...others] = parts;
        if (part && others.length === 0) return refuse(part, thrown);
        // One of them is at fault: found by halves.
        for (const half of [parts.slice(0, parts.length / 2), parts.slice(parts.length / 2)]) {
          await commit(new Set(half.flatMap(({ events }) => [...events])));
        }
        return;
      }
    }
  }

  /** False when another run changed what this one saw, or a commit threw it away: then this one counts for nothing. */
  const isFresh = ({ seen }: Touched) =>
    [...seen].every(
      ([key, { state, changes }]) => sessions.states.get(key) === state && state.changes === changes,
    );

  function fitsWithPending(sizes: Map<string, number>): boolean {
    const { count, bytes } = sessions.pendingWith(sizes);
    return fitsOneCommit(count + ledger.pendingCount + 1, bytes);
  }

  async function admit(touched: Touched, identity: string, handler: string): Promise<void> {
    const { seen, writes } = touched;
    const sizes = new Map([...writes].map(([key, { bytes = 0 }]) => [key, bytes]));
    checkCommit(sizes);
    if (!fitsWithPending(sizes)) await commit();
    if (refused.has(identity)) return;
    if (conflicted.has(identity) || !isFresh(touched)) return drop([], [identity]);
    for (const key of seen.keys()) sessions.touch(key, identity);
    for (const [key, edited] of writes) sessions.write(key, edited, identity);
    ledger.add(identity, handler);
  }

  return {
    conflicted,
    refused,
    get crowded() {
      return crowded;
    },
    isDone: ledger.isDone,
    attempts: ledger.attempts,
    setAttempts: ledger.setAttempts,
    dismiss: ledger.add,
    startRun() {
      const touched: Touched = { seen: new Map(), writes: new Map() };
      const { seen, writes } = touched;
      const see = async (key: string, reader?: Reader) => {
        if (!seen.has(key)) onSee(sessions.states.has(key));
        const state = await sessions.load(key, reader);
        if (!seen.has(key)) seen.set(key, { state, changes: state.changes });
        return state;
      };
      const buffer: RunBuffer = {
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
        await admit(touched, identity, handler);
      }),
    commit: () => inTurn(() => commit()),
  };
}
