import { AppError } from "../errors.ts";
import type { StoredSession } from "../sessions/item.ts";
import type { Session } from "../sessions/session.ts";
import { fitsOneCommit, sizesOf, sum } from "./commit-limits.ts";
import { type Part, partsOf } from "./commit-parts.ts";
import type { BatchRead, ConsumerStore, Write } from "./store.ts";

/** What one run reads and writes; it becomes part of the unit only when the run succeeded. */
export interface RunBuffer {
  read(key: string): Promise<Session | undefined>;
  write(key: string, session: Session): Promise<void>;
}

/**
 * The sessions and ledger entries of a batch: read once, changed in memory run by run, made true by commits.
 * Runs see what earlier runs of the batch wrote. Of runs at the same time, one whose sessions were changed by
 * another since it read them counts for nothing, as after a conflict: its event must be run again.
 */
export interface UnitOfWork {
  isDone(eventId: string, handler: string): boolean;
  /** How many runs of its handlers have failed so far. */
  attempts(eventId: string): number;
  startRun(): RunBuffer;
  /** Takes the writes of a successful run. Commits what is there before, when both do not fit in one transaction. */
  accept(buffer: RunBuffer, eventId: string, handler: string): Promise<void>;
  /** The handler counts as done although its run failed and left nothing. */
  dismiss(eventId: string, handler: string): void;
  /** Has the ledger say that so many runs have failed. */
  setAttempts(eventId: string, attempts: number): void;
  /** Makes everything accepted true, but for the events in `conflicted` and in `impossible`. */
  commit(): Promise<void>;
  /** Events whose accepted runs were thrown away, because somebody else changed what they read: to be run again. */
  readonly conflicted: ReadonlySet<string>;
  /** Events whose writes the table refused for what they are, and what it said. */
  readonly impossible: ReadonlyMap<string, string>;
  /** True when events were thrown away because the table refused them together: each needs a commit of its own. */
  readonly crowded: boolean;
}

interface SessionState extends StoredSession {
  /** True when `session` is not what the table has. */
  changed: boolean;
  /** Grows with each write that is accepted. */
  changes: number;
  /** What the uncommitted write of it comes to in a transaction. */
  bytes: number;
  /** Events whose uncommitted runs read or wrote it, and those that wrote it. */
  events: Set<string>;
  writers: Set<string>;
}

/** A run's own: what it wrote, and the sessions it read or wrote as they were then. */
interface Touched {
  seen: Map<string, { state: SessionState; changes: number }>;
  writes: Map<string, Session>;
}

interface LedgerState {
  version: number;
  committed: string[];
  added: string[];
  attempts: number;
  /** True when `attempts` is not what the table has. */
  counted: boolean;
}

/** `chains`: events that must take effect in this order, if at all; each list is a group of a FIFO queue. */
export function createUnitOfWork(
  read: BatchRead,
  store: Pick<ConsumerStore, "readSession" | "commit">,
  chains: string[][] = [],
): UnitOfWork {
  const sessions = new Map<string, SessionState>();
  const ledger = new Map<string, LedgerState>();
  const conflicted = new Set<string>();
  const impossible = new Map<string, string>();
  let crowded = false;
  const loading = new Map<string, Promise<SessionState>>();
  const buffers = new WeakMap<RunBuffer, Touched>();

  const keep = (key: string, stored: StoredSession): SessionState => {
    const uncommitted = {
      changed: false,
      changes: 0,
      bytes: 0,
      events: new Set<string>(),
      writers: new Set<string>(),
    };
    const state = { ...stored, ...uncommitted };
    sessions.set(key, state);
    return state;
  };
  for (const [key, stored] of read.sessions) keep(key, stored);
  for (const [id, { version, done, attempts = 0 }] of read.ledger)
    ledger.set(id, { version, committed: done, added: [], attempts, counted: false });

  /** Runs at the same time must get one and the same state, not two reads of it. */
  async function load(key: string): Promise<SessionState> {
    const known = sessions.get(key) ?? loading.get(key);
    if (known !== undefined) return known;
    const reading = store.readSession(key).then((stored) => keep(key, stored));
    loading.set(key, reading);
    return reading.finally(() => loading.delete(key));
  }

  function entryOf(eventId: string): LedgerState {
    const entry = ledger.get(eventId);
    if (!entry) throw new Error(`event ${eventId} is not part of this unit of work`);
    return entry;
  }

  const isPending = ({ added, counted }: LedgerState) => added.length > 0 || counted;

  function pendingParts(): Part[] {
    const eventIds = [...ledger].flatMap(([id, entry]) => (isPending(entry) ? [id] : []));
    const changed = [...sessions].flatMap(([key, { changed, events }]) =>
      changed ? [[key, events] as const] : [],
    );
    return partsOf(eventIds, new Map(changed), chains);
  }

  function writesOf({ events, keys }: Part): Write[] {
    const puts = keys.flatMap((key): Write[] => {
      const { session, version } = sessions.get(key) ?? {};
      return session && version !== undefined ? [{ kind: "session", key, session, version }] : [];
    });
    const entries = [...events].map((eventId): Write => {
      const { version, committed, added, attempts } = entryOf(eventId);
      return { kind: "ledger", eventId, done: [...committed, ...added], attempts, version };
    });
    return [...puts, ...entries];
  }

  /** What fell with these items: the events that touched them, what those wrote, the events that touched that, … */
  function drop(keys: string[], eventIds: string[]): void {
    const fallen = new Set<string>();
    const gone = new Set(keys);
    const fall = (id: string) => {
      if (fallen.has(id)) return;
      fallen.add(id);
      for (const [key, { writers }] of sessions) if (writers.has(id)) gone.add(key);
      for (const chain of chains) if (chain.includes(id)) chain.slice(chain.indexOf(id) + 1).forEach(fall);
    };
    eventIds.forEach(fall);
    // A set's iterator goes on to what is added meanwhile.
    for (const key of gone) for (const id of sessions.get(key)?.events ?? []) fall(id);
    for (const key of gone) sessions.delete(key);
    for (const id of fallen) {
      conflicted.add(id);
      forget(id);
    }
  }

  /** Nothing of this event is to be committed any more. */
  function forget(id: string): void {
    Object.assign(entryOf(id), { added: [], counted: false });
    for (const { events, writers } of sessions.values()) {
      events.delete(id);
      writers.delete(id);
    }
  }

  function settle({ events, keys }: Part): void {
    for (const key of keys) {
      const state = sessions.get(key);
      if (state) Object.assign(state, { version: state.version + 1, changed: false });
    }
    for (const id of events) {
      const entry = entryOf(id);
      entry.version += 1;
      entry.committed = [...entry.committed, ...entry.added];
      forget(id);
    }
  }

  /** The table refuses this part for what it is. One event alone can never be committed; of several, each may be. */
  function refuse({ events, keys }: Part, message: string): void {
    const [id = ""] = events;
    if (events.size > 1) {
      crowded = true;
      drop(keys, [...events]);
      return;
    }
    for (const key of keys) sessions.delete(key);
    impossible.set(id, message);
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
          changed.flatMap((write) => (write.kind === "ledger" ? [write.eventId] : [])),
        );
      } catch (thrown) {
        if (!(thrown instanceof AppError) || thrown.code !== "commit-impossible") throw thrown;
        const [part, ...others] = parts;
        if (part && others.length === 0) return refuse(part, thrown.message);
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
    [...seen].every(([key, { state, changes }]) => sessions.get(key) === state && state.changes === changes);

  function fitsWithPending(sizes: Map<string, number>): boolean {
    const pending = [...sessions].filter(([key, { changed }]) => changed && !sizes.has(key));
    const bytes = pending.reduce((sum, [, state]) => sum + state.bytes, 0);
    const entries = [...ledger.values()].filter(isPending).length;
    return fitsOneCommit(pending.length + sizes.size + entries + 1, bytes + sum(sizes));
  }

  async function admit(touched: Touched, eventId: string, handler: string): Promise<void> {
    const { seen, writes } = touched;
    const sizes = sizesOf(writes);
    if (!fitsWithPending(sizes)) await commit();
    if (impossible.has(eventId)) return;
    if (conflicted.has(eventId) || !isFresh(touched)) return drop([], [eventId]);
    for (const { state } of seen.values()) state.events.add(eventId);
    for (const [key, session] of writes) {
      const state = sessions.get(key);
      if (!state) continue;
      state.session = session;
      state.changed = true;
      state.changes += 1;
      state.bytes = sizes.get(key) ?? 0;
      state.writers.add(eventId);
    }
    entryOf(eventId).added.push(handler);
  }

  return {
    conflicted,
    impossible,
    get crowded() {
      return crowded;
    },
    attempts: (eventId) => entryOf(eventId).attempts,
    dismiss: (eventId, handler) => void entryOf(eventId).added.push(handler),
    setAttempts: (eventId, attempts) => void Object.assign(entryOf(eventId), { attempts, counted: true }),
    isDone: (eventId, handler) => {
      const { committed, added } = entryOf(eventId);
      return committed.includes(handler) || added.includes(handler);
    },
    startRun() {
      const touched: Touched = { seen: new Map(), writes: new Map() };
      const { seen, writes } = touched;
      const see = async (key: string) => {
        const state = await load(key);
        if (!seen.has(key)) seen.set(key, { state, changes: state.changes });
        return state;
      };
      const buffer: RunBuffer = {
        read: async (key) => writes.get(key) ?? (await see(key)).session,
        async write(key, session) {
          // A blind write is put on condition of the version too, so it must be known.
          await see(key);
          writes.set(key, session);
        },
      };
      buffers.set(buffer, touched);
      return buffer;
    },
    accept: (buffer, eventId, handler) =>
      inTurn(async () => {
        const touched = buffers.get(buffer);
        if (!touched) throw new Error("this buffer is not of this unit of work");
        await admit(touched, eventId, handler);
      }),
    commit: () => inTurn(() => commit()),
  };
}
