import { isDeepStrictEqual } from "node:util";
import type { EntryWrite, PutResult, SessionWrite, Write } from "../../lib/commit/commit.ts";
import type { LedgerEntry } from "../../lib/commit/ledger-item.ts";
import type { BatchRead, ConsumerStore } from "../../lib/commit/store.ts";
import { type Marks, nextVersion, type StoredSession } from "../../lib/sessions/item.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { frozen } from "./frozen.ts";

export interface MemoryTable extends ConsumerStore {
  stored: Map<string, StoredSession>;
  ledger: Map<string, LedgerEntry>;
  /** The writes that took effect, each transaction or put by itself. */
  commits: Write[][];
  /** The keys that were read one by one, and those that were read with each batch. */
  reads: string[];
  prefetched: string[][];
  session(key: string): Session | undefined;
  /** The error of a transaction or a put; undefined if it succeeds. */
  failing: (writes: Write[]) => unknown;
  /** Called right before the next writes arrive, for changes by others. */
  meanwhile: () => void;
  /** Called for each write that takes effect, with the session before it. */
  onWrite: (write: Write, before: StoredSession | undefined) => void;
  /** A write by somebody else. */
  change(key: string, session: Session | undefined): void;
  /** The same tables, for one process. */
  as(hooks: Hooks): ConsumerStore;
}

export interface MemoryTableOptions {
  sessions?: Record<string, Session>;
  /** Whether the format of the tables has marks. */
  marks?: boolean;
  /** Whether a new item begins at a version of its own, as in the real table, and not at 1. */
  firstVersions?: boolean;
}

/** Hooks for the requests of one process. */
export interface Hooks {
  /** Awaited right before each access of an item, or each transaction. */
  step: (what: string) => Promise<void>;
  /** Whether the answer to a write is lost, so that the write is sent again. */
  isLost: (what: string) => boolean;
}

const NO_ENTRY: LedgerEntry = { version: 0, done: [] };
const PLAIN: Hooks = { step: async () => {}, isLost: () => false };

/** The two tables in memory: each item has a version, and each write is on condition of it. */
export function createMemoryTable({
  sessions = {},
  marks: knowsMarks = true,
  firstVersions = false,
}: MemoryTableOptions = {}): MemoryTable {
  const stored = new Map<string, StoredSession>(
    Object.entries(sessions).map(([key, session]) => [key, frozen({ session, version: 1 })]),
  );
  const ledger = new Map<string, LedgerEntry>();

  const versionOf = (write: Write) =>
    (write.kind === "ledger" ? ledger.get(write.identity) : stored.get(write.key))?.version ?? 0;
  const holds = (write: Write) => versionOf(write) === Math.max(0, write.version);
  let births = 0;
  /** The session as it is read. A new item never gets a version that an earlier item of its key had. */
  const itemAt = (key: string): StoredSession =>
    stored.get(key) ?? { session: undefined, version: firstVersions ? 0 - 1_000 * ++births : 0 };
  const entry = (identity: string) => ledger.get(identity) ?? NO_ENTRY;

  function apply(write: Write): void {
    const version = nextVersion(write.version);
    if (write.kind === "ledger") {
      const { done, attempts = 0, digest } = write;
      ledger.set(write.identity, { version, done, attempts, ...(digest && { digest }) });
      return;
    }
    const before = stored.get(write.key);
    table.onWrite(write, before);
    if (write.kind === "fence") {
      if (before) stored.set(write.key, frozen({ ...before, version }));
      return;
    }
    if (!write.session && !write.gateway) stored.delete(write.key);
    else stored.set(write.key, itemOf(write, version));
  }

  const storeFor = ({ step, isLost }: Hooks): ConsumerStore => ({
    async read(events, keys): Promise<BatchRead> {
      table.prefetched.push(keys);
      await step("read sessions");
      const found = new Map(keys.map((key) => [key, { ...itemAt(key), beforeLedger: true as const }]));
      const named = new Set(events.map(({ identity }) => identity));
      await step("read ledger");
      const others = [...found.values()].flatMap(({ marks = {} }) => Object.keys(marks));
      return {
        liveVersion: "v1",
        marks: knowsMarks,
        ledger: new Map([...named].map((identity) => [identity, entry(identity)])),
        sessions: found,
        marked: new Map(others.filter((id) => !named.has(id)).map((id) => [id, entry(id).done])),
      };
    },
    async readSession(key) {
      table.reads.push(key);
      await step("read session");
      return { ...itemAt(key) };
    },
    async commit(writes) {
      table.meanwhile();
      await step("transaction");
      const thrown = table.failing(writes);
      if (thrown !== undefined) throw thrown;
      const conflicts = writes.flatMap((write, index) => (holds(write) ? [] : [index]));
      if (conflicts.length === 0) {
        writes.forEach(apply);
        table.commits.push(writes);
      }
      // A transaction that is sent again is recognised by its token.
      if (isLost("transaction")) await step("transaction again");
      return { conflicts };
    },
    async put(writes: (SessionWrite | EntryWrite)[]) {
      if (writes.length > 0) table.meanwhile();
      return Promise.all(writes.map(putFor({ step, isLost })));
    },
    async proveMarks(marks: Marks) {
      for (const [identity, { done }] of Object.entries(marks)) {
        await step("prove marks");
        const { version, done: before, ...rest } = entry(identity);
        const missing = done.filter((handler) => !before.includes(handler));
        if (missing.length > 0)
          ledger.set(identity, { ...rest, version: version + 1, done: [...before, ...missing] });
      }
    },
  });

  const putFor =
    ({ step, isLost }: Hooks) =>
    async (write: SessionWrite | EntryWrite): Promise<PutResult> => {
      const what = write.kind === "ledger" ? "put entry" : "put session";
      await step(what);
      const thrown = table.failing([write]);
      if (thrown !== undefined) return { is: "failed", thrown };
      const held = holds(write);
      if (held) {
        apply(write);
        table.commits.push([write]);
      }
      if (!isLost(what)) return { is: held ? "written" : "conflict" };
      await step(`${what} again`);
      return { is: held && isThere(write) ? "written" : "conflict" };
    };

  /** Whether a put that is sent again finds the item that it has written itself. */
  function isThere(write: SessionWrite | EntryWrite): boolean {
    const version = nextVersion(write.version);
    if (write.kind === "ledger") return entry(write.identity).version === version;
    return isDeepStrictEqual(stored.get(write.key), itemOf(write, version));
  }

  const table: MemoryTable = {
    ...storeFor(PLAIN),
    stored,
    ledger,
    commits: [],
    reads: [],
    prefetched: [],
    session: (key) => stored.get(key)?.session,
    meanwhile: () => {},
    failing: () => undefined,
    onWrite: () => {},
    change(key, session) {
      const before = stored.get(key);
      const kept = before?.marks && { marks: before.marks };
      if (!session) stored.delete(key);
      else stored.set(key, frozen({ ...kept, session, version: (before?.version ?? 0) + 1 }));
    },
    as: storeFor,
  };
  return table;
}

function itemOf({ session, gateway, marks, end = 0 }: SessionWrite, version: number): StoredSession {
  return frozen({
    session,
    version,
    ...(gateway && { gateway }),
    ...(marks && Object.keys(marks).length > 0 && { marks }),
    ...(end > 0 && { ttl: end }),
  });
}
