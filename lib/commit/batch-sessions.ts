import {
  type ChangedBy,
  type ChangedState,
  type Marks,
  nextVersion,
  ownEnd,
  type Reader,
  type StoredSession,
} from "../sessions/item.ts";
import type { Session } from "../sessions/session.ts";
import type { SessionWrite } from "./commit.ts";
import type { ConsumerStore } from "./store.ts";

/** A session in the memory of a batch; only `BatchSessions` changes it. */
export interface SessionState {
  /** The item in the table. */
  stored: StoredSession;
  session: Session | undefined;
  /** Whether a handler has reset the quota. */
  reset: boolean;
  /** The author of the last pending write. */
  changedBy: ChangedBy | undefined;
  /** Grows with each write that is accepted. */
  changes: number;
  /** Events whose uncommitted runs read or wrote it, and those of them that wrote it. */
  events: Set<string>;
  writers: Set<string>;
}

/** The sessions of a batch: each read once, then changed in memory. */
export interface BatchSessions {
  readonly states: ReadonlyMap<string, SessionState>;
  /** Reads it from the table if it is not in memory. */
  load(key: string, reader?: Reader): Promise<SessionState>;
  /** Records that an accepted run of this event read or wrote it. */
  touch(key: string, eventId: string): void;
  /** Records the write of an accepted run of this event. */
  write(key: string, edited: Edited, eventId: string): void;
  /** The sessions with pending writes, each with the events that read or wrote it, in the batch's order. */
  pending(): Map<string, Set<string>>;
  /** The size of the pending writes, including these sessions of another run; the time depends only on those. */
  pendingWith(sizes: ReadonlyMap<string, number>): { count: number; bytes: number };
  writeOf(key: string, marks?: Marks): SessionWrite[];
  /** Whether DynamoDB or this write may delete its item: then it cannot have marks. */
  mayVanish(key: string): boolean;
  /** Its commit was successful: the pending write is stored. */
  settle(key: string, marks?: Marks): void;
  /** A fence has raised its version, and changed nothing else. */
  raise(key: string): void;
  /** Removes it from memory: later runs read it again. */
  drop(key: string): void;
  /** Removes the event from the readers and writers of sessions. */
  forget(eventId: string): void;
}

/** What is stored with a session that a handler changed: the state of the gateway that owns it, or its `ttl`. */
export interface SessionRules {
  changedState?: ChangedState | undefined;
  /** When DynamoDB deletes it, in unix seconds; 0 means never. */
  endOf?: ((session: Session) => number) | undefined;
}

/** `read`: the sessions that came with the batch, by key. Others are read when a run needs them, once for all runs. */
export function createBatchSessions(
  read: Map<string, StoredSession>,
  { readSession }: Pick<ConsumerStore, "readSession">,
  { changedState, endOf }: SessionRules = {},
): BatchSessions {
  const states = new Map<string, SessionState>();
  const loading = new Map<string, Promise<SessionState>>();
  /** The size of the uncommitted writes in a transaction, by key, and in total. */
  const pending = new Map<string, number>();
  let pendingBytes = 0;
  /** By event, the keys that its uncommitted runs read or wrote. */
  const touched = new Map<string, Set<string>>();

  const keep = (key: string, stored: StoredSession): SessionState => {
    const events = { events: new Set<string>(), writers: new Set<string>() };
    const { session } = stored;
    const work = { reset: false, changedBy: undefined, changes: 0 };
    const state = { stored, session, ...work, ...events };
    states.set(key, state);
    return state;
  };
  for (const [key, stored] of read) keep(key, stored);

  /** `bytes` undefined: it has no pending write. */
  function pend(key: string, bytes: number | undefined): void {
    pendingBytes += (bytes ?? 0) - (pending.get(key) ?? 0);
    if (bytes === undefined) pending.delete(key);
    else pending.set(key, bytes);
  }

  function touch(key: string, eventId: string): void {
    states.get(key)?.events.add(eventId);
    const keys = touched.get(eventId) ?? new Set();
    touched.set(eventId, keys.add(key));
  }

  /** When DynamoDB deletes it, if that is relevant here; 0 means never. */
  const endIn = (session: Session) => (endOf ? endOf(session) : ownEnd(session, 1));

  return {
    states,
    /** Concurrent runs must get the same state, not two reads of it. */
    async load(key, reader) {
      const known = states.get(key) ?? loading.get(key);
      if (known !== undefined) return known;
      const reading = readSession(key, reader).then((stored) => keep(key, stored));
      loading.set(key, reading);
      return reading.finally(() => loading.delete(key));
    },
    touch,
    write(key, { session, bytes = 0, reset = false, changedBy }, eventId) {
      const state = states.get(key);
      if (!state) return;
      touch(key, eventId);
      state.writers.add(eventId);
      pend(key, bytes);
      const changes = state.changes + 1;
      Object.assign(state, { session, changedBy, reset: state.reset || reset, changes });
    },
    pending: () =>
      new Map([...states].flatMap(([key, { events }]) => (pending.has(key) ? [[key, events]] : []))),
    pendingWith(sizes) {
      let count = pending.size;
      let bytes = pendingBytes;
      for (const [key, size] of sizes) {
        const before = pending.get(key);
        if (before === undefined) count += 1;
        bytes += size - (before ?? 0);
      }
      return { count, bytes };
    },
    writeOf(key, marks) {
      const state = states.get(key);
      if (!state) return [];
      const { stored, session, reset, changedBy } = state;
      const { version } = stored;
      // Created and deleted again before anyone saw it.
      if (!session && version <= 0 && !changedState) return [];
      const gateway = changedState?.(stored, reset);
      const facts = {
        ...(gateway && { gateway }),
        ...(changedBy && { changedBy }),
        ...(marks && Object.keys(marks).length > 0 && { marks }),
      };
      const end = session && endOf && { end: endOf(session) };
      return [{ kind: "session", key, session, version, ...end, ...facts }];
    },
    mayVanish(key) {
      const state = states.get(key);
      if (!state) return false;
      const { stored, session } = state;
      return stored.ttl !== undefined || (session ? endIn(session) > 0 : !changedState);
    },
    settle(key, marks) {
      const state = states.get(key);
      if (!state) return;
      const { stored, session, reset } = state;
      const gateway = changedState?.(stored, reset);
      const gone = !session && !gateway;
      const { beforeLedger } = stored;
      const end = session ? endIn(session) : 0;
      state.stored = {
        session,
        // A new item must not get a version that this item had.
        version: gone ? 0 - nextVersion(stored.version) : nextVersion(stored.version),
        ...(gateway && { gateway }),
        ...(marks && !gone && { marks }),
        ...(end > 0 && { ttl: end }),
        // There was no other write between that read and this write.
        ...(beforeLedger && { beforeLedger }),
      };
      state.reset = false;
      pend(key, undefined);
    },
    raise(key) {
      const state = states.get(key);
      if (state && state.stored.version > 0)
        state.stored = { ...state.stored, version: nextVersion(state.stored.version) };
    },
    drop(key) {
      states.delete(key);
      pend(key, undefined);
    },
    forget(eventId) {
      for (const key of touched.get(eventId) ?? []) {
        states.get(key)?.events.delete(eventId);
        states.get(key)?.writers.delete(eventId);
      }
      touched.delete(eventId);
    },
  };
}

/** A run's write of a session; `session` undefined: a deletion. */
export interface Edited {
  session: Session | undefined;
  /** Its size in the table, which limits how much fits into one transaction. */
  bytes?: number;
  reset?: boolean;
  changedBy?: ChangedBy;
}

/** The state of one run: its writes, and the sessions that it read or wrote, as they were then. */
export interface Touched {
  seen: Map<string, { state: SessionState; changes: number }>;
  writes: Map<string, Edited>;
}
