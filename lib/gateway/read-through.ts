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

/** The gateway, and the table that what it has is written to. */
export interface ReadThroughDeps {
  gateway: Pick<Gateway, "get">;
  /** `missing`: asks for keys that the table does not have. `fresh`: for all that have no change on its way. */
  mode: "missing" | "fresh";
  /** Keys that are not to be asked for, such as one that holds a password. */
  isAsked: (key: string) => boolean;
  /** Puts what the gateway has in place of what was read; the version it has then, undefined when others were first. */
  keep: (
    key: string,
    read: StoredSession,
    session: Session,
    state: GatewayState,
  ) => Promise<number | undefined>;
  /** Asks gateway-sync to find out whether the gateway has deleted a key. */
  doubt: (key: string) => Promise<void>;
  /** The name under which the gateway has a key that it found in the name of an API. */
  fullName: (key: string, orgId: string) => Promise<string | undefined>;
  /** The table, asked again. */
  read: (key: string) => Promise<StoredSession>;
  log: Log;
  metrics: Metrics;
}

/** Completes what the table has of a key by what the gateway has. Never throws for the gateway's sake. */
export type ReadThrough = (key: string, stored: StoredSession, reader?: Reader) => Promise<StoredSession>;

interface Found {
  fullName: string;
  theirs: Members;
  session: Session;
}

/**
 * A key that the gateway does not show is only put in doubt. A gateway that fails is logged and counted, and the reader
 * gets what the table has; errors of the table come through.
 */
export function createReadThrough(deps: ReadThroughDeps): ReadThrough {
  const { log, metrics } = deps;

  function wants(key: string, { version, gateway }: StoredSession): boolean {
    if (!deps.isAsked(key)) return false;
    if (version <= 0) return true;
    return deps.mode === "fresh" && !gateway?.change && gateway?.look === undefined;
  }

  /** Undefined when it cannot be known: the gateway is down or slow, or has a session that the table cannot hold. */
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
      // No proof of absence: the handler gets the copy, and whether it is true is found out beside its run.
      if (stored.version > 0 && !stored.gateway?.gone) await deps.doubt(key);
      return stored;
    }
    const { theirs, session, fullName } = look;
    metrics.count("GatewayReads");
    // Its row has another name, by which it is read next.
    if (fullName !== key) return { ...stored, fullName };
    const held = { session: stored.session, gateway: stored.gateway ?? {} };
    // Only what the gateway counts is newer, such as a quota's use: not worth a write.
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

/** People's sessions, completed; a key is read by the name that it is asked for. */
export const withSessionReadThrough = (store: SessionStore, complete: ReadThrough): SessionStore => ({
  ...store,
  read: async (key) => complete(key, await store.read(key)),
});

/** Many rows, with those that only the gateway has; `complete` is given the names of rows. */
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

/** The sessions of a batch, completed in one round; a batch's other reads one by one. */
export function withReadThrough(store: ConsumerStore, complete: ReadThrough): ConsumerStore {
  return {
    ...store,
    async read(events, sessionKeys) {
      const read = await store.read(events, sessionKeys);
      const completed = [...read.sessions].map(
        async ([key, stored]) => [key, await complete(key, stored)] as const,
      );
      // A short name is known in the name of an API alone: the handler that asks for it says which.
      const isKnown = ([key, { version }]: readonly [string, StoredSession]) =>
        version > 0 || orgOf(key) !== "";
      return { ...read, sessions: new Map((await Promise.all(completed)).filter(isKnown)) };
    },
    readSession: async (key, reader) => complete(key, await store.readSession(key), reader),
  };
}
