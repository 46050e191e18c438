import type { Mark } from "../sessions/item.ts";
import type { EntryWrite } from "./commit.ts";
import type { LedgerEntry } from "./ledger-item.ts";

interface LedgerState {
  version: number;
  committed: string[];
  marked: string[];
  added: string[];
  /** As the table has it, and as it is pending. */
  committedAttempts: number;
  attempts: number;
  /** The digest of the event's content in this batch. */
  digest: string | undefined;
}

/** The ledger entries of a batch's events, by identity: the table's state, and pending changes. */
export interface BatchLedger {
  isDone(identity: string, handler: string): boolean;
  attempts(identity: string): number;
  add(identity: string, handler: string): void;
  setAttempts(identity: string, attempts: number): void;
  /** Identities of the events with pending changes, in the batch's order. */
  pending(): string[];
  /** Their number, in constant time: it is read at each run. */
  readonly pendingCount: number;
  writeOf(identity: string): EntryWrite;
  /** Whether the table's entry says that it is done. */
  isCommitted(identity: string, handler: string): boolean;
  /** Whether the entry or a mark said that it is done when the batch was read. */
  wasDone(identity: string, handler: string): boolean;
  /** The handlers that are done and not committed, as a session's mark. */
  markOf(identity: string): Mark;
  /** Its commit was successful. */
  settle(identity: string): void;
  /** Discards its pending changes. */
  forget(identity: string): void;
}

/** `digests`: of the events' content, by identity. */
export function createBatchLedger(
  read: Map<string, LedgerEntry>,
  digests: ReadonlyMap<string, string> = new Map(),
): BatchLedger {
  const states = new Map<string, LedgerState>();
  /** Entries whose `added` or `attempts` differ from the table. */
  const pending = new Set<string>();
  for (const [identity, { version, done, attempts = 0, marked = [] }] of read) {
    const digest = digests.get(identity);
    const counts = { committedAttempts: attempts, attempts };
    states.set(identity, { version, committed: done, marked, added: [...marked], ...counts, digest });
    if (marked.length > 0) pending.add(identity);
  }

  function of(identity: string): LedgerState {
    const state = states.get(identity);
    if (!state) throw new Error(`event ${identity} is not part of this unit of work`);
    return state;
  }
  function pend(identity: string): LedgerState {
    const state = of(identity);
    pending.add(identity);
    return state;
  }
  function forget(identity: string): void {
    const state = of(identity);
    state.added = [];
    state.attempts = state.committedAttempts;
    pending.delete(identity);
  }

  return {
    isDone(identity, handler) {
      const { committed, added } = of(identity);
      return committed.includes(handler) || added.includes(handler);
    },
    isCommitted: (identity, handler) => states.get(identity)?.committed.includes(handler) ?? false,
    wasDone(identity, handler) {
      const { committed, marked } = of(identity);
      return committed.includes(handler) || marked.includes(handler);
    },
    markOf(identity) {
      const { added, digest } = of(identity);
      return { done: added, ...(digest && { digest }) };
    },
    attempts: (identity) => of(identity).attempts,
    add: (identity, handler) => void pend(identity).added.push(handler),
    setAttempts: (identity, attempts) => void Object.assign(pend(identity), { attempts }),
    pending: () => [...states.keys()].filter((identity) => pending.has(identity)),
    get pendingCount() {
      return pending.size;
    },
    writeOf(identity) {
      const { version, committed, added, attempts, digest } = of(identity);
      const done = [...committed, ...added];
      // If an event became a dead letter before any handler was done, its identity is free for a corrected event.
      const held = done.length > 0 || attempts > 0 ? digest : undefined;
      return { kind: "ledger", identity, done, attempts, digest: held, version };
    },
    settle(identity) {
      const state = of(identity);
      state.version += 1;
      state.committed = [...state.committed, ...state.added];
      state.committedAttempts = state.attempts;
      forget(identity);
    },
    forget,
  };
}
