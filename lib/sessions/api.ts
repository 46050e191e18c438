import { AppError } from "../errors.ts";
import { shortKeyDigest } from "../gateway/key-digest.ts";
import type { Log } from "../log.ts";
import { changeSession } from "./change.ts";
import type { ChangedBy, ChangedState, SessionRow, StoredSession } from "./item.ts";
import { storableBytes, storableKey } from "./limits.ts";
import { flagIn, formatCursor, LIST_PARAMETERS, parseListQuery, refuseUnknown, truthIn } from "./list.ts";
import type { SessionRows } from "./rows.ts";
import { applySet, keepPassword, parseSession, type Session, showSession } from "./session.ts";
import type { SessionStore } from "./store.ts";
import { keepUnknown } from "./whole.ts";

/** A request to the sessions API, from any HTTP edge. */
export interface SessionsRequest {
  /** Such as `GET /sessions/{key+}`. */
  route: string;
  /** Decoded; "" if the route has none. */
  key: string;
  query: Record<string, string>;
  /** The header If-Match. */
  ifMatch: string | undefined;
  /** The header If-None-Match: `*` if the session must be new, or entity tags that it must not have. */
  ifNoneMatch?: string | undefined;
  body: string;
  /** The caller, for `changed_by`. */
  changedBy: ChangedBy;
}

/** `body` is JSON text. */
export interface SessionsReply {
  status: number;
  headers?: Record<string, string>;
  body: string;
}

/** `now` in ms, `random` from 0 to 1. */
export interface SessionsDeps {
  store: SessionStore;
  rows: Pick<SessionRows, "page">;
  /** Only if the table names keys by their hashes: the same store, by hash. */
  byHash?: SessionStore | undefined;
  /** Only if a gateway owns the sessions: a change is sent there, and is done when the gateway has it. */
  changedState?: ChangedState | undefined;
  allowMasterKeys: boolean;
  now: () => number;
  random: () => number;
  log: Log;
}

type Route = (request: SessionsRequest, deps: SessionsDeps) => Promise<SessionsReply>;

/** The key is greedy: API Gateway decodes a path before it matches a route, and a key may contain slashes. */
const ROUTES = new Map<string, Route>([
  ["GET /sessions", listSessions],
  ["GET /sessions/{key+}", getSession],
  ["PUT /sessions/{key+}", putSession],
  ["DELETE /sessions/{key+}", deleteSession],
]);

/** The header that marks a request of the console. */
export const WRITER_HEADER = "gatehook-writer";

/** As an HTTP API of API Gateway names routes. */
export const SESSION_ROUTES = [...ROUTES.keys()];

/** The HTTP API of the sessions table; throws a coded error for an invalid request. */
export function createSessionsApi(deps: SessionsDeps): (request: SessionsRequest) => Promise<SessionsReply> {
  return async (request) => {
    const route = ROUTES.get(request.route);
    if (!route) throw new AppError("request-invalid", `there is no route ${request.route}`);
    return route(request, deps);
  };
}

async function listSessions({ query }: SessionsRequest, { rows }: SessionsDeps): Promise<SessionsReply> {
  refuseUnknown(query, [...LIST_PARAMETERS, "full"]);
  const { search, limit, after } = parseListQuery(query);
  const isFull = flagIn(query, "full");
  const { rows: found, next } = await rows.page(search, limit, after);
  const body = { sessions: found.map((row) => shown(row, isFull)), cursor: next && formatCursor(next) };
  return { status: 200, body: JSON.stringify(body) };
}

async function getSession({ key, query }: SessionsRequest, deps: SessionsDeps): Promise<SessionsReply> {
  const store = storeFor(query, [], deps);
  const { session, version } = await store.read(storableKey(key));
  if (!session) throw missing();
  return { status: 200, headers: { etag: etagOf(version) }, body: showSession(session) };
}

async function putSession(request: SessionsRequest, deps: SessionsDeps): Promise<SessionsReply> {
  const { allowMasterKeys, changedState, log } = deps;
  const { changedBy } = request;
  const key = storableKey(request.key);
  const store = storeFor(request.query, ["suppress_reset"], deps);
  const suppressReset = flagIn(request.query, "suppress_reset");
  const given = parseSession(request.body);
  const { stored, result: version } = await change(request, store, deps, async (read) => {
    if (read.gateway?.gone) throw new AppError("session-gone", "the gateway has deleted this key");
    const now = Math.floor(deps.now() / 1000);
    const set = applySet(keepPassword(given, read.session), { suppressReset, now, allowMasterKeys });
    const session = keepUnknown(set, read.session);
    storableBytes(session);
    return store.put(key, session, read, { changedBy, gateway: changedState?.(read, !suppressReset) });
  });
  const action = stored.session ? "modified" : "added";
  log.info(`session ${action}`, { key_hash: shortKeyDigest(key), org_id: given.org_id, version });
  return {
    status: stored.session ? 200 : 201,
    headers: { etag: etagOf(version) },
    body: JSON.stringify({ key, status: "ok", action, version, ...pending(deps) }),
  };
}

async function deleteSession(request: SessionsRequest, deps: SessionsDeps): Promise<SessionsReply> {
  const { changedState } = deps;
  const key = storableKey(request.key);
  const store = storeFor(request.query, [], deps);
  const { stored } = await change(request, store, deps, async (read) => {
    if (!read.session) throw missing();
    if (changedState)
      return store.put(key, undefined, read, {
        changedBy: request.changedBy,
        gateway: changedState(read, false),
      });
    return (await store.remove(key, read)) || undefined;
  });
  const { session, version } = stored;
  deps.log.info("session deleted", { key_hash: shortKeyDigest(key), org_id: session?.org_id, version });
  return { status: 200, body: JSON.stringify({ key, status: "ok", action: "deleted", ...pending(deps) }) };
}

/** Repeated if others change the session first; with If-Match, rejected if that changed the version. */
function change<T>(
  { key, ifMatch, ifNoneMatch }: SessionsRequest,
  store: SessionStore,
  { random }: SessionsDeps,
  write: (read: StoredSession) => Promise<T | undefined>,
): Promise<{ stored: StoredSession; result: T }> {
  return changeSession(key, { store, random }, async (stored) => {
    if (ifMatch !== undefined && !matches(ifMatch, stored)) throw mismatch();
    if (ifNoneMatch !== undefined && matches(ifNoneMatch.replaceAll("W/", ""), stored)) throw excluded();
    return write(stored);
  });
}

/** `tags`: `*`, or entity tags, one of which must be the session's. */
function matches(tags: string, { session, version }: StoredSession): boolean {
  if (!session) return false;
  return tags.split(",").some((tag) => ["*", etagOf(version)].includes(tag.trim()));
}

/** Rejects parameters that the route does not have. */
function storeFor(
  query: Record<string, string>,
  known: readonly string[],
  { store, byHash }: SessionsDeps,
): SessionStore {
  refuseUnknown(query, byHash ? [...known, "hashed"] : known);
  return byHash && truthIn(query, "hashed") ? byHash : store;
}

/** If a gateway owns the sessions, the reply says that the change is pending. */
const pending = ({ changedState }: SessionsDeps) => (changedState ? { pending: true } : {});

/** An invalid session must not hide the others of its page. */
function shown({ key, stored, expires, updatedAt, changedBy }: SessionRow, isFull: boolean) {
  const { session = {} as Session, version } = stored;
  const listed = {
    key,
    expires,
    version,
    updated_at: updatedAt,
    ...(changedBy && { changed_by: changedBy }),
  };
  try {
    return isFull ? { ...listed, session: JSON.parse(showSession(session)) as unknown } : listed;
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    return { ...listed, error: { code: thrown.code, message: thrown.message } };
  }
}

const etagOf = (version: number) => `"${version}"`;

const missing = () => new AppError("session-missing", "there is no session of this key", { field: "key" });

const excluded = () =>
  new AppError(
    "session-mismatch",
    "there is a session of this key, at a version that If-None-Match excludes: read it first",
    { field: "if-none-match" },
  );

const mismatch = () =>
  new AppError("session-mismatch", "the session is not at the version of If-Match: read it again", {
    field: "if-match",
  });
