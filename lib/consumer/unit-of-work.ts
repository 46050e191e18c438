import type { StoredSession } from "../sessions/item.ts";
import type { Session } from "../sessions/session.ts";
import { fitsOneCommit, sizesOf, sum } from "./commit-limits.ts";
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
  startRun(): RunBuffer;
  /** Takes the writes of a successful run. Commits what is there before, when both do not fit in one transaction. */
  accept(buffer: RunBuffer, eventId: string, handler: string): Promise<void>;
  /** Makes everything accepted true, but for the events it answers: those must be run again on fresh data. */
  commit(): Promise<void>;
  /** Events whose accepted runs were thrown away, because somebody else changed what they read. */
  readonly conflicted: ReadonlySet<string>;
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
}

export function createUnitOfWork(
  read: BatchRead,
  store: Pick<ConsumerStore, "readSession" | "commit">,
): UnitOfWork {
  const sessions = new Map<string, SessionState>();
  const ledger = new Map<string, LedgerState>();
  const conflicted = new Set<string>();
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
  for (const [id, { version, done }] of read.ledger) ledger.set(id, { version, committed: done, added: [] });

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

  function pendingWrites(): Write[] {
    const writes: Write[] = [];
    for (const [key, { session, version, changed }] of sessions) {
      if (changed && session) writes.push({ kind: "session", key, session, version });
    }
    for (const [eventId, { version, committed, added }] of ledger) {
      if (added.length > 0) writes.push({ kind: "ledger", eventId, done: [...committed, ...added], version });
    }
    return writes;
  }

  /** What fell with these items: the events that touched them, what those wrote, the events that touched that, … */
  function drop(keys: string[], eventIds: string[]): void {
    const fallen = new Set<string>();
    const gone = new Set(keys);
    const fall = (id: string) => {
      fallen.add(id);
      for (const [key, { writers }] of sessions) if (writers.has(id)) gone.add(key);
    };
    eventIds.forEach(fall);
    // A set's iterator goes on to what is added meanwhile.
    for (const key of gone) for (const id of sessions.get(key)?.events ?? []) if (!fallen.has(id)) fall(id);
    for (const key of gone) sessions.delete(key);
    for (const id of fallen) {
      conflicted.add(id);
      entryOf(id).added = [];
      for (const { events } of sessions.values()) events.delete(id);
    }
  }

  function settle(): void {
    for (const state of sessions.values()) {
      if (state.changed) state.version += 1;
      state.changed = false;
      state.events.clear();
      state.writers.clear();
    }
    for (const entry of ledger.values()) {
      if (entry.added.length === 0) continue;
      entry.version += 1;
      entry.committed = [...entry.committed, ...entry.added];
      entry.added = [];
    }
  }

  /** Ends what was begun before: while a transaction is under way, nothing may be added to what it holds. */
  let last: Promise<unknown> = Promise.resolve();
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  }

  async function commit(): Promise<void> {
    for (let writes = pendingWrites(); writes.length > 0; writes = pendingWrites()) {
      const { conflicts } = await store.commit(writes);
      if (conflicts.length === 0) return settle();
      const changed = conflicts.flatMap((index) => writes[index] ?? []);
      drop(
        changed.flatMap((write) => (write.kind === "session" ? [write.key] : [])),
        changed.flatMap((write) => (write.kind === "ledger" ? [write.eventId] : [])),
      );
    }
  }

  /** False when another run changed what this one saw, or a commit threw it away: then this one counts for nothing. */
  const isFresh = ({ seen }: Touched) =>
    [...seen].every(([key, { state, changes }]) => sessions.get(key) === state && state.changes === changes);

  function fitsWithPending(sizes: Map<string, number>): boolean {
    const pending = [...sessions].filter(([key, { changed }]) => changed && !sizes.has(key));
    const bytes = pending.reduce((sum, [, state]) => sum + state.bytes, 0);
    const entries = [...ledger.values()].filter(({ added }) => added.length > 0).length;
    return fitsOneCommit(pending.length + sizes.size + entries + 1, bytes + sum(sizes));
  }

  async function admit(touched: Touched, eventId: string, handler: string): Promise<void> {
    const { seen, writes } = touched;
    const sizes = sizesOf(writes);
    if (!fitsWithPending(sizes)) await commit();
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
    commit: () => inTurn(commit),
  };
}
