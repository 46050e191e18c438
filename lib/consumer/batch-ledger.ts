import type { LedgerEntry, Write } from "./store.ts";

interface LedgerState {
  version: number;
  committed: string[];
  added: string[];
  attempts: number;
  /** True when `attempts` is not what the table has. */
  counted: boolean;
}

/** The ledger entries of a batch's events: what the table has, and what is to be committed. */
export interface BatchLedger {
  isDone(eventId: string, handler: string): boolean;
  attempts(eventId: string): number;
  add(eventId: string, handler: string): void;
  setAttempts(eventId: string, attempts: number): void;
  /** Ids of the events of which something is to be committed. */
  pending(): string[];
  writeOf(eventId: string): Write;
  /** What was to be committed of it is true now. */
  settle(eventId: string): void;
  /** Nothing of it is to be committed any more. */
  forget(eventId: string): void;
}

export function createBatchLedger(read: Map<string, LedgerEntry>): BatchLedger {
  const states = new Map<string, LedgerState>();
  for (const [id, { version, done, attempts = 0 }] of read)
    states.set(id, { version, committed: done, added: [], attempts, counted: false });

  function of(eventId: string): LedgerState {
    const state = states.get(eventId);
    if (!state) throw new Error(`event ${eventId} is not part of this unit of work`);
    return state;
  }
  const forget = (eventId: string) => void Object.assign(of(eventId), { added: [], counted: false });

  return {
    isDone(eventId, handler) {
      const { committed, added } = of(eventId);
      return committed.includes(handler) || added.includes(handler);
    },
    attempts: (eventId) => of(eventId).attempts,
    add: (eventId, handler) => void of(eventId).added.push(handler),
    setAttempts: (eventId, attempts) => void Object.assign(of(eventId), { attempts, counted: true }),
    pending: () =>
      [...states].flatMap(([id, { added, counted }]) => (added.length > 0 || counted ? [id] : [])),
    writeOf(eventId) {
      const { version, committed, added, attempts } = of(eventId);
      return { kind: "ledger", eventId, done: [...committed, ...added], attempts, version };
    },
    settle(eventId) {
      const state = of(eventId);
      state.version += 1;
      state.committed = [...state.committed, ...state.added];
      forget(eventId);
    },
    forget,
  };
}
