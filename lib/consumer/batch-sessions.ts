import { nextVersion, type StoredSession } from "../sessions/item.ts";
import type { Session } from "../sessions/session.ts";
import type { ConsumerStore, Write } from "./store.ts";

/** A session as the batch has it. */
export interface SessionState extends StoredSession {
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

/** The sessions of a batch: each read once, then changed in memory. */
export interface BatchSessions {
  readonly states: ReadonlyMap<string, SessionState>;
  /** Reads it from the table if it is not here. */
  load(key: string): Promise<SessionState>;
  writeOf(key: string): Write[];
  /** What was to be committed of it is true now. */
  settle(key: string): void;
  /** It is read afresh by later runs. */
  drop(key: string): void;
  /** Nothing of this event is to be committed any more. */
  forget(eventId: string): void;
}

export function createBatchSessions(
  read: Map<string, StoredSession>,
  { readSession }: Pick<ConsumerStore, "readSession">,
): BatchSessions {
  const states = new Map<string, SessionState>();
  const loading = new Map<string, Promise<SessionState>>();

  const keep = (key: string, stored: StoredSession): SessionState => {
    const events = { events: new Set<string>(), writers: new Set<string>() };
    const state = { ...stored, changed: false, changes: 0, bytes: 0, ...events };
    states.set(key, state);
    return state;
  };
  for (const [key, stored] of read) keep(key, stored);

  return {
    states,
    /** Runs at the same time must get one and the same state, not two reads of it. */
    async load(key) {
      const known = states.get(key) ?? loading.get(key);
      if (known !== undefined) return known;
      const reading = readSession(key).then((stored) => keep(key, stored));
      loading.set(key, reading);
      return reading.finally(() => loading.delete(key));
    },
    writeOf(key) {
      const { session, version } = states.get(key) ?? {};
      return session && version !== undefined ? [{ kind: "session", key, session, version }] : [];
    },
    settle(key) {
      const state = states.get(key);
      if (state) Object.assign(state, { version: nextVersion(state.version), changed: false });
    },
    drop: (key) => void states.delete(key),
    forget(eventId) {
      for (const { events, writers } of states.values()) {
        events.delete(eventId);
        writers.delete(eventId);
      }
    },
  };
}

/** A run's own: what it wrote, and the sessions it read or wrote as they were then. */
export interface Touched {
  seen: Map<string, { state: SessionState; changes: number }>;
  writes: Map<string, { session: Session; bytes: number }>;
}
