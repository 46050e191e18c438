import type { LedgerEntry } from "../../lib/commit/ledger-item.ts";
import type {
  BatchRead,
  ConsumerStore,
  EntryWrite,
  PutResult,
  SessionWrite,
  Write,
} from "../../lib/commit/store.ts";
import { type Marks, nextVersion, type StoredSession } from "../../lib/sessions/item.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { frozen } from "./frozen.ts";

export interface MemoryTable extends ConsumerStore {
  stored: Map<string, StoredSession>;
  ledger: Map<string, LedgerEntry>;
  /** The writes that became true together, or one by one. */
  commits: Write[][];
  /** The keys that were read one by one, and those of each batch's read. */
  reads: string[];
  prefetched: string[][];
  session(key: string): Session | undefined;
  /** What a transaction, or a put, fails with; undefined for one that it does not. */
  failing: (writes: Write[]) => unknown;
  /** What happens elsewhere, right before the next writes arrive. */
  meanwhile: () => void;
  /** Somebody else's write. */
  change(key: string, session: Session | undefined): void;
}

export interface MemoryTableOptions {
  sessions?: Record<string, Session>;
  /** Whether its format knows marks. */
  marks?: boolean;
  /** Awaited right before each access of an item or transaction, with what it is. */
  step?: (what: string) => Promise<void> | void;
  /** Awaited once a write is done and before its answer arrives. */
  answered?: (what: string) => Promise<void> | void;
}

const NONE: StoredSession = { session: undefined, version: 0 };
const NO_ENTRY: LedgerEntry = { version: 0, done: [] };

/** The two tables in memory: each item with its version, each write on condition of it. */
export function createMemoryTable({
  sessions = {},
  marks: knowsMarks = true,
  step = () => {},
  answered = () => {},
}: MemoryTableOptions = {}): MemoryTable {
  const stored = new Map<string, StoredSession>(
    Object.entries(sessions).map(([key, session]) => [key, frozen({ session, version: 1 })]),
  );
  const ledger = new Map<string, LedgerEntry>();
  const commits: Write[][] = [];
  const reads: string[] = [];
  const prefetched: string[][] = [];

  const versionOf = (write: Write) =>
    (write.kind === "ledger" ? ledger.get(write.identity) : stored.get(write.key))?.version ?? 0;
  const holds = (write: Write) => versionOf(write) === Math.max(0, write.version);

  function apply(write: Write): void {
    const version = nextVersion(write.version);
    if (write.kind === "ledger") {
      const { done, attempts = 0, digest } = write;
      ledger.set(write.identity, { version, done, attempts, ...(digest && { digest }) });
      return;
    }
    const before = stored.get(write.key);
    if (write.kind === "fence") {
      if (before) stored.set(write.key, frozen({ ...before, version }));
      return;
    }
    const { session, gateway, marks, end = 0 } = write;
    if (!session && !gateway) stored.delete(write.key);
    else
      stored.set(
        write.key,
        frozen({
          session,
          version,
          ...(gateway && { gateway }),
          ...(marks && Object.keys(marks).length > 0 && { marks }),
          ...(end > 0 && { ttl: end }),
        }),
      );
  }

  const entry = (identity: string) => ledger.get(identity) ?? NO_ENTRY;

  const table: MemoryTable = {
    stored,
    ledger,
    commits,
    reads,
    prefetched,
    session: (key) => stored.get(key)?.session,
    meanwhile: () => {},
    failing: () => undefined,
    change(key, session) {
      const before = stored.get(key);
      if (!session) stored.delete(key);
      else
        stored.set(
          key,
          frozen({
            ...(before?.marks && { marks: before.marks }),
            session,
            version: (before?.version ?? 0) + 1,
          }),
        );
    },
    async read(events, keys): Promise<BatchRead> {
      prefetched.push(keys);
      await step("read sessions");
      const found = new Map(
        keys.map((key) => [key, { ...(stored.get(key) ?? NONE), beforeLedger: true as const }]),
      );
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
      reads.push(key);
      await step(`read ${key}`);
      return { ...(stored.get(key) ?? NONE) };
    },
    async commit(writes) {
      table.meanwhile();
      await step("transaction");
      const thrown = table.failing(writes);
      if (thrown !== undefined) throw thrown;
      const conflicts = writes.flatMap((write, index) => (holds(write) ? [] : [index]));
      if (conflicts.length === 0) {
        writes.forEach(apply);
        commits.push(writes);
      }
      await answered("transaction");
      return { conflicts };
    },
    async put(writes: (SessionWrite | EntryWrite)[]) {
      if (writes.length > 0) table.meanwhile();
      return Promise.all(
        writes.map(async (write): Promise<PutResult> => {
          const what = write.kind === "ledger" ? "put entry" : "put session";
          await step(what);
          const thrown = table.failing([write]);
          if (thrown !== undefined) return { is: "failed", thrown };
          const held = holds(write);
          if (held) {
            apply(write);
            commits.push([write]);
          }
          await answered(what);
          return { is: held ? "held" : "conflict" };
        }),
      );
    },
    async proveMarks(marks: Marks) {
      for (const [identity, { done }] of Object.entries(marks)) {
        await step("prove");
        const { version, done: before, ...rest } = entry(identity);
        const missing = done.filter((handler) => !before.includes(handler));
        if (missing.length > 0)
          ledger.set(identity, { ...rest, version: version + 1, done: [...before, ...missing] });
      }
    },
  };
  return table;
}
