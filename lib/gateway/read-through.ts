import type { ConsumerStore } from "../commit/store.ts";
import { AppError, errorText } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { type GatewayState, newSession, type Reader, type StoredSession } from "../sessions/item.ts";
import { storableBytes } from "../sessions/limits.ts";
import type { SessionRows } from "../sessions/rows.ts";
import { parseSession, type Session } from "../sessions/session.ts";
import type { SessionStore } from "../sessions/store.ts";
import type { FoundRows, TakenRows } from "../sessions/take.ts";
import type { Gateway } from "./client.ts";
import { shortKeyDigest } from "./key-digest.ts";
import { orgOf } from "./key-name.ts";
import type { Members } from "./merge.ts";
import { createdOf, showsTheirs } from "./row.ts";

/** The gateway, and the table to which its sessions are written. */
export interface ReadThroughDeps {
  gateway: Pick<Gateway, "get">;
  /** `missing`: reads keys that the table does not have. `fresh`: reads all keys without a pending change. */
  mode: "missing" | "fresh";
  /** Keys that must not be requested, such as one that contains a password. */
  isAsked: (key: string) => boolean;
  /**
   * Replaces the row that was read by the gateway's session; returns the new version, undefined if others were first.
   */
  keep: (
    key: string,
    read: StoredSession,
    session: Session,
    state: GatewayState,
  ) => Promise<number | undefined>;
  /** Has gateway-sync find out whether the gateway has deleted a key. */
  doubt: (key: string) => Promise<void>;
  /** The gateway's full name of a key that it found for an API. */
  fullName: (key: string, orgId: string) => Promise<string | undefined>;
  /** Reads the table again. */
  read: (key: string) => Promise<StoredSession>;
  log: Log;
  metrics: Metrics;
}

/** Completes the table's data with the gateway's session of a key. Never throws because of the gateway. */
export type ReadThrough = (key: string, stored: StoredSession, reader?: Reader) => Promise<StoredSession>;

interface Found {
  fullName: string;
  theirs: Members;
  session: Session;
}

/**
 * A key that is missing at the gateway is only marked as in doubt. Failures of the gateway are logged and counted, and
 * the reader gets the table's session; errors of the table are thrown.
 */
export function createReadThrough(deps: ReadThroughDeps): ReadThrough {
  const { log, metrics } = deps;

  function wants(key: string, { version, gateway }: StoredSession): boolean {
    if (!deps.isAsked(key)) return false;
    if (version <= 0) return true;
    return deps.mode === "fresh" && !gateway?.change && gateway?.look === undefined;
  }

  /** Undefined if it is unknown: the gateway is unavailable or slow, or has a session that the table cannot hold. */
  async function ask(key: string, reader: Reader | undefined): Promise<Found | "missing" | undefined> {
    try {
      const look = await deps.gateway.get(key, reader ? { apiId: reader.apiId } : {});
      if (look === "missing") return look;
      const fullName = reader ? await deps.fullName(key, reader.orgId) : key;
      if (fullName === undefined)
        throw new AppError("session-unfit", "the gateway has it under no name that is known");
      const session = parseSession(look.text);
      storableBytes(session);
      return { theirs: look.session, session, fullName };
    } catch (thrown) {
      if (!(thrown instanceof AppError)) throw thrown;
      log.warn("session not read from the gateway", {
        key_hash: shortKeyDigest(key),
        error: errorText(thrown),
      });
      metrics.count("GatewayReadFailures");
      return undefined;
    }
  }

  return async (key, stored, reader) => {
    if (!wants(key, stored)) return stored;
    const look = await ask(key, reader);
    if (look === undefined) return stored;
    if (look === "missing") {
      // This does not prove absence: the handler gets the copy, and the absence is checked in parallel.
      if (stored.version > 0 && !stored.gateway?.gone) await deps.doubt(key);
      return stored;
    }
    const { theirs, session, fullName } = look;
    metrics.count("GatewayReads");
    // Its row has another name, which is read next.
    if (fullName !== key) return { ...stored, fullName };
    const held = { session: stored.session, gateway: stored.gateway ?? {} };
    // Only members that the gateway maintains are newer, such as the used quota: not worth a write.
    if (stored.version > 0 && showsTheirs(held, theirs)) return { ...stored, session };
    const state = { created: createdOf(theirs) };
    const version = await deps.keep(key, stored, session, state);
    if (version === undefined) return deps.read(key);
    const { marks, beforeLedger } = stored;
    return {
      session,
      version,
      gateway: state,
      ...(marks && { marks }),
      ...(beforeLedger && { beforeLedger }),
    };
  };
}

/** The store of the sessions API, completed; a key is read by its requested name. */
export const withSessionReadThrough = (store: SessionStore, complete: ReadThrough): SessionStore => ({
  ...store,
  read: async (key) => complete(key, await store.read(key)),
});

/** Rows, including those that only the gateway has; `complete` gets the names of rows. */
export const withRowsReadThrough = (
  rows: Pick<SessionRows, "readMany">,
  complete: ReadThrough,
  { now, random }: { now: () => number; random: () => number },
): Pick<TakenRows, "readMany"> => ({
  async readMany(names) {
    const found: FoundRows = await rows.readMany(names);
    const missing = names.filter((name) => !found.has(name));
    const completed = missing.map(async (name) => [name, await complete(name, newSession(random))] as const);
    for (const [key, stored] of await Promise.all(completed)) {
      if (stored.version <= 0) continue;
      const updatedAt = Math.floor(now() / 1000);
      found.set(key, { stored, updatedAt });
    }
    return found;
  },
});

/** Completes the sessions of a batch together, and its other reads one by one. */
export function withReadThrough(store: ConsumerStore, complete: ReadThrough): ConsumerStore {
  return {
    ...store,
    async read(events, sessionKeys) {
      const read = await store.read(events, sessionKeys);
      const completed = [...read.sessions].map(
        async ([key, stored]) => [key, await complete(key, stored)] as const,
      );
      // A short name is valid only for an API, which is that of the handler that reads it.
      const isKnown = ([key, { version }]: readonly [string, StoredSession]) =>
        version > 0 || orgOf(key) !== "";
      return { ...read, sessions: new Map((await Promise.all(completed)).filter(isKnown)) };
    },
    readSession: async (key, reader) => complete(key, await store.readSession(key), reader),
  };
}
