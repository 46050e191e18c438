import { setTimeout as delay } from "node:timers/promises";
import { transactionErrorOf } from "../dynamo/transaction-error.ts";
import { AppError } from "../errors.ts";
import type { Entry } from "./forms.ts";
import type { SessionRow } from "./item.ts";
import {
  type ChangedBy,
  type GatewayState,
  type Marks,
  newSession,
  nextMarks,
  nextVersion,
  ownEnd,
  type ProveMarks,
  type StoredSession,
  sessionItem,
} from "./item.ts";
import { storableBytes } from "./limits.ts";
import type { SessionRows } from "./rows.ts";
import { checkRights, type Session } from "./session.ts";
import { formatWhole } from "./whole.ts";

/** The rows for imported sessions. */
export interface TakenRows extends Pick<SessionRows, "put"> {
  readMany(names: string[]): Promise<FoundRows>;
}

/** `now` in ms, `random` from 0 to 1. */
export interface TakeDeps {
  rows: TakenRows;
  /** Only if a gateway owns the sessions: the gateway data of the row. Throws if the gateway would reject it. */
  stateOf?: ((read: StoredSession, entry: Entry) => GatewayState) | undefined;
  allowMasterKeys: boolean;
  /** The author of entries that do not name one. */
  changedBy: ChangedBy;
  proveMarks: ProveMarks;
  /** Waits before each write; false if it is time to end. */
  pace: (count: number) => Promise<boolean>;
  now: () => number;
  random: () => number;
}

/** The result of one session. */
export type Taken = "added" | "replaced" | "unchanged" | "kept" | "stopped";

type FoundRow = Pick<SessionRow, "stored" | "updatedAt">;
/** Rows by name. */
export type FoundRows = Map<string, FoundRow>;

/** The target of an import. */
export interface Take {
  /** The existing rows with these names. */
  read(names: string[]): Promise<FoundRows>;
  /** `found`: the rows that were read; it is kept up to date. Throws a coded error for a session that is rejected. */
  take(entry: Entry, name: string, found: FoundRows): Promise<Taken>;
}

/** The maximum number of attempts of a write while others change the row, or the table is throttled. */
const ATTEMPTS = 8;

/**
 * Puts a session into the table, on condition of the version that was read, and never over one that is not older.
 * Throws a coded error if the table, or the gateway that owns the sessions, rejects it.
 */
export function createTake(deps: TakeDeps): Take {
  const { rows, stateOf, allowMasterKeys, now, random } = deps;
  const seconds = () => Math.floor(now() / 1000);

  async function itemOf(entry: Entry, name: string, read: StoredSession): Promise<Record<string, unknown>> {
    const { session, ttl, changedBy = deps.changedBy } = entry;
    checkRights(session, allowMasterKeys);
    storableBytes(session);
    const at = seconds();
    if (ttl && ttl <= at)
      throw new AppError("session-refused", "its ttl is over: nobody would see it any more");
    const state = stateOf?.(read, entry);
    const end = ttl ?? ownEnd(session, at);
    const marks = await nextMarks(read, end, deps.proveMarks);
    const version = nextVersion(read.version);
    const item = sessionItem(name, session, version, at, state, end, changedBy, marks);
    return { ...item, updated_at: entry.updatedAt ?? at };
  }

  /** The current rows with these names. */
  const read = (names: string[]) => retried(() => rows.readMany(names), random);

  async function take(entry: Entry, name: string, found: FoundRows): Promise<Taken> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      if (attempt > 0) {
        await delay(random() * 10 * 2 ** attempt);
        found.delete(name);
        for (const [key, row] of await read([name])) found.set(key, row);
      }
      const row = found.get(name);
      const verdict = compare(entry, row);
      if (verdict === "unchanged" || verdict === "kept") return verdict;
      const before = row?.stored ?? newSession(random);
      const item = await itemOf(entry, name, before);
      if (!(await deps.pace(1))) return "stopped";
      if (!(await retried(() => rows.put(item, before.version), random))) continue;
      found.set(name, rowAfter(item, entry));
      return verdict;
    }
    throw new AppError("session-stale", `${ATTEMPTS} changes of others came first: import it again`);
  }

  return { read, take };
}

/** The row with which a later line of the same key is compared. */
const rowAfter = ({ version, updated_at, marks }: Record<string, unknown>, { session }: Entry): FoundRow => ({
  stored: { session, version: version as number, marks: marks as Marks | undefined },
  updatedAt: updated_at as number,
});

function compare({ session, updatedAt = 0 }: Entry, row: FoundRow | undefined): Exclude<Taken, "stopped"> {
  const before = row?.stored.session;
  if (!row || !before) return "added";
  if (textOf(before) === formatWhole(session)) return "unchanged";
  return updatedAt > row.updatedAt ? "replaced" : "kept";
}

/** Undefined for an item that is invalid after a manual edit. */
function textOf(session: Session): string | undefined {
  try {
    return formatWhole(session);
  } catch (thrown) {
    if (thrown instanceof AppError) return undefined;
    throw thrown;
  }
}

/** Throttling and lost responses are transient; if the write took effect, the next read finds it. */
async function retried<T>(work: () => Promise<T>, random: () => number): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (thrown) {
      const { kind } = transactionErrorOf(thrown);
      if (attempt === ATTEMPTS || (kind !== "unknown" && kind !== "cancelled")) throw thrown;
      await delay(random() * 50 * 2 ** attempt);
    }
  }
}
