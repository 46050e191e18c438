import { AppError } from "../errors.ts";
import type { StoredSession } from "../sessions/item.ts";
import type { Session } from "../sessions/session.ts";
import { type BatchRead, COMMIT_ACTIONS, type ConsumerStore, type Write } from "./store.ts";

/** What one run reads and writes; it becomes part of the unit only when the run succeeded. */
export interface RunBuffer {
  read(key: string): Promise<Session | undefined>;
  write(key: string, session: Session): Promise<void>;
}

/**
 * The sessions and ledger entries of a batch: read once, changed in memory run by run, made true by commits.
 * Runs see what earlier runs of the batch wrote.
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
  /** Events whose uncommitted runs read or wrote it: they fall together. */
  events: Set<string>;
}

interface LedgerState {
  version: number;
  committed: string[];
  added: string[];
}

/** The largest item that DynamoDB takes is 400 KB; some is left for keys and names. */
const ITEM_BYTES = 380 * 1024;

export function createUnitOfWork(
  read: BatchRead,
  store: Pick<ConsumerStore, "readSession" | "commit">,
): UnitOfWork {
  const sessions = new Map<string, SessionState>();
  const ledger = new Map<string, LedgerState>();
  const conflicted = new Set<string>();
  const buffers = new WeakMap<RunBuffer, { reads: Set<string>; writes: Map<string, Session> }>();

  const keep = (key: string, stored: StoredSession) => {
    const state = { ...stored, changed: false, events: new Set<string>() };
    sessions.set(key, state);
    return state;
  };
  for (const [key, stored] of read.sessions) keep(key, stored);
  for (const [id, { version, done }] of read.ledger) ledger.set(id, { version, committed: done, added: [] });

  const load = async (key: string) => sessions.get(key) ?? keep(key, await store.readSession(key));

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

  /** What fell with these items: the events that touched them, what those wrote, the events that read that, … */
  function drop(keys: string[], eventIds: string[]): void {
    const fallen = new Set(eventIds);
    const queue = [...keys];
    for (const [key, { events }] of sessions) if (eventIds.some((id) => events.has(id))) queue.push(key);
    const seen = new Set<string>();
    for (let key = queue.pop(); key !== undefined; key = queue.pop()) {
      if (seen.has(key)) continue;
      seen.add(key);
      for (const id of sessions.get(key)?.events ?? []) {
        fallen.add(id);
        for (const [other, { events }] of sessions) if (events.has(id)) queue.push(other);
      }
    }
    for (const key of seen) sessions.delete(key);
    for (const id of fallen) {
      conflicted.add(id);
      entryOf(id).added = [];
    }
  }

  function settle(): void {
    for (const state of sessions.values()) {
      if (state.changed) state.version += 1;
      state.changed = false;
      state.events.clear();
    }
    for (const entry of ledger.values()) {
      if (entry.added.length === 0) continue;
      entry.version += 1;
      entry.committed = [...entry.committed, ...entry.added];
      entry.added = [];
    }
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

  return {
    conflicted,
    isDone: (eventId, handler) => {
      const { committed, added } = entryOf(eventId);
      return committed.includes(handler) || added.includes(handler);
    },
    startRun() {
      const reads = new Set<string>();
      const writes = new Map<string, Session>();
      const buffer: RunBuffer = {
        async read(key) {
          const written = writes.get(key);
          if (written) return written;
          reads.add(key);
          return (await load(key)).session;
        },
        async write(key, session) {
          // A blind write is put on condition of the version too, so it must be known.
          await load(key);
          writes.set(key, session);
        },
      };
      buffers.set(buffer, { reads, writes });
      return buffer;
    },
    async accept(buffer, eventId, handler) {
      const { reads, writes } = buffers.get(buffer) ?? {
        reads: new Set(),
        writes: new Map<string, Session>(),
      };
      refuseImpossible(writes);
      const fresh = [...writes.keys()].filter((key) => !sessions.get(key)?.changed).length;
      if (pendingWrites().length + fresh + 1 > COMMIT_ACTIONS) {
        await commit();
        // The commit may have thrown away what this run saw; then it counts for nothing.
        if (conflicted.has(eventId) || [...reads, ...writes.keys()].some((key) => !sessions.has(key))) {
          drop([], [eventId]);
          return;
        }
      }
      for (const key of reads) sessions.get(key)?.events.add(eventId);
      for (const [key, session] of writes) {
        const state = sessions.get(key);
        if (!state) continue;
        state.session = session;
        state.changed = true;
        state.events.add(eventId);
      }
      entryOf(eventId).added.push(handler);
    },
    commit,
  };
}

function refuseImpossible(writes: Map<string, Session>): void {
  if (writes.size + 1 > COMMIT_ACTIONS) {
    const message = `the handler wrote ${writes.size} sessions; at most ${COMMIT_ACTIONS - 1} can be committed as one`;
    throw new AppError("commit-impossible", message);
  }
  for (const [key, session] of writes) {
    const bytes = Buffer.byteLength(JSON.stringify(session)) + Buffer.byteLength(key);
    if (bytes > ITEM_BYTES) {
      throw new AppError(
        "commit-impossible",
        `a session of ${bytes} bytes cannot be stored; at most ${ITEM_BYTES} can`,
      );
    }
  }
}
