import { isAsked } from "../lib/gateway/asked.ts";
import { changedState } from "../lib/gateway/change.ts";
import type { Gateway } from "../lib/gateway/client.ts";
import { type KeyName, renamedRows, renamedSessionStore } from "../lib/gateway/hashed-keys.ts";
import { createReadThrough, type ReadThrough, withSessionReadThrough } from "../lib/gateway/read-through.ts";
import { createRows } from "../lib/gateway/rows.ts";
import type { Log } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import { createLiveReleaseCache } from "../lib/releases/live-release-cache.ts";
import type { LiveRelease } from "../lib/releases/release.ts";
import { createReleaseStore } from "../lib/releases/store.ts";
import { createSessionsApi, type SessionsReply, type SessionsRequest } from "../lib/sessions/api.ts";
import type { ChangedState } from "../lib/sessions/item.ts";
import { type SessionEnd, sessionEnd } from "../lib/sessions/lifetime.ts";
import { createSessionRows, type SessionRows } from "../lib/sessions/rows.ts";
import { createSessionStore, type SessionStore } from "../lib/sessions/store.ts";
import { createDynamo, createS3 } from "./clients.ts";
import { createDocuments } from "./documents.ts";
import { gatewayOptions, perInvocation } from "./gateway.ts";
import { hashFunction, keyName } from "./key-names.ts";
import { proveMarks } from "./prove-marks.ts";
import { choice, type Env, flag, text } from "./settings.ts";

/**
 * The sessions API with the tables of the settings, for the function and for the commands, which follow the same rules.
 */
export interface OpenSessionsApi {
  answer(request: SessionsRequest): Promise<SessionsReply>;
  /** By raw keys. */
  store: SessionStore;
  /** By the names of rows, without a gateway. */
  byName: SessionStore;
  rows: SessionRows;
  /** The live release. */
  release(): Promise<LiveRelease | undefined>;
  /** Only if a gateway owns the sessions. */
  changedState: ChangedState | undefined;
  /** Completes a row by its name with data that only the gateway has. */
  complete: ReadThrough | undefined;
  /** Closes the connections of an invocation. */
  end(): Promise<void>;
}

/** Throws `setting-invalid`. The caller calls `end` after each invocation or command. */
export function openSessionsApi(env: Env, { log, metrics }: { log: Log; metrics: Metrics }): OpenSessionsApi {
  const clockAndRandom = { random: Math.random, now: Date.now };
  const dynamo = createDynamo();
  const table = text(env, "SESSIONS_TABLE");
  const owner = gatewayOptions(env);
  const gateway = owner && perInvocation(owner);
  const release = liveRelease(env, dynamo);
  // A gateway determines the lifetime of sessions itself.
  const endOf = gateway ? undefined : lifetimesOf(release);
  const stored = { dynamo, table, endOf, proveMarks: proveMarks(env, dynamo), ...clockAndRandom };

  /** Sessions by the names that `nameOf` returns, completed by the gateway that owns them. */
  function storeOf(nameOf: KeyName, asked: Pick<Gateway, "get"> | undefined): SessionStore {
    const store = renamedSessionStore(createSessionStore(stored), nameOf);
    if (!asked) return store;
    return withSessionReadThrough(store, readThroughOf(store, nameOf, asked));
  }

  const readThroughOf = (store: SessionStore, nameOf: KeyName, asked: Pick<Gateway, "get">): ReadThrough =>
    createReadThrough({
      ...renamedRows(createRows(stored), nameOf),
      gateway: asked,
      mode: choice(env, "GATEWAY_READ"),
      isAsked,
      fullName: async (key) => key,
      read: store.read,
      log,
      metrics,
    });

  /** By the names of rows, for callers without raw keys. */
  const asked = gateway && (hashFunction(env) ? byHash(gateway) : gateway);
  const byName = createSessionStore(stored);

  const rows = createSessionRows({ dynamo, table, ...clockAndRandom });
  const store = storeOf(keyName(env), gateway);
  const state: ChangedState | undefined =
    gateway && ((stored, reset) => changedState(stored, { reset, now: Date.now() }));
  return {
    answer: createSessionsApi({
      store,
      rows,
      byHash: hashFunction(env) && storeOf((hash) => hash, gateway && byHash(gateway)),
      changedState: state,
      allowMasterKeys: flag(env, "ALLOW_MASTER_KEYS"),
      log,
      ...clockAndRandom,
    }),
    store,
    byName,
    rows,
    release,
    changedState: state,
    complete: asked && readThroughOf(byName, (name) => name, asked),
    end: async () => gateway?.end(),
  };
}

function liveRelease(
  env: Env,
  dynamo: ReturnType<typeof createDynamo>,
): () => Promise<LiveRelease | undefined> {
  const read = createLiveReleaseCache(
    createReleaseStore({
      s3: createS3(env),
      bucket: text(env, "FILES_BUCKET"),
      dynamo: createDocuments(dynamo),
      table: text(env, "STATE_TABLE"),
      now: Date.now,
    }),
  );
  return () => read({ fresh: true });
}

/** The session lifetimes of the live release's APIs. */
function lifetimesOf(release: () => Promise<LiveRelease | undefined>): () => Promise<SessionEnd> {
  return async () => {
    const apis = (await release()) ?? { apis: [], api: () => undefined };
    return (session, now) => sessionEnd(session, apis, now);
  };
}

function byHash(asked: Pick<Gateway, "get">): Pick<Gateway, "get"> {
  return { get: (key, query) => asked.get(key, { ...query, hashed: true }) };
}
