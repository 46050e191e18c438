import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { AppError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { StoredSession } from "./item.ts";
import { isStorableKey, KEY_BYTES, storableBytes } from "./limits.ts";
import { flagIn, formatCursor, parseListQuery, refuseUnknown } from "./list.ts";
import { applySet, keepPassword, parseSession, showSession } from "./session.ts";
import type { ListedSession, SessionStore } from "./store.ts";

export interface SessionsRequest {
  /** Such as `GET /sessions/{key+}`. */
  route: string;
  /** Decoded; "" where the route has none. */
  key: string;
  query: Record<string, string>;
  /** The header If-Match. */
  ifMatch: string | undefined;
  body: string;
}

/** `body` is JSON text. */
export interface SessionsReply {
  status: number;
  headers?: Record<string, string>;
  body: string;
}

export interface SessionsDeps {
  store: SessionStore;
  allowMasterKeys: boolean;
  now: () => number;
  random: () => number;
  log: Log;
}

type Route = (request: SessionsRequest, deps: SessionsDeps) => Promise<SessionsReply>;

/** The key is greedy: API Gateway decodes a path before it looks for the route, and a key may hold slashes. */
const ROUTES = new Map<string, Route>([
  ["GET /sessions", listSessions],
  ["GET /sessions/{key+}", getSession],
  ["PUT /sessions/{key+}", putSession],
  ["DELETE /sessions/{key+}", deleteSession],
]);

export const SESSION_ROUTES = [...ROUTES.keys()];

/** How often a write without If-Match is tried while handlers change the session. */
const ATTEMPTS = 8;

/** People's way to the sessions table; a coded error says what is wrong with a request. */
export function createSessionsApi(deps: SessionsDeps): (request: SessionsRequest) => Promise<SessionsReply> {
  return async (request) => {
    const route = ROUTES.get(request.route);
    if (!route) throw new AppError("request-invalid", `there is no route ${request.route}`);
    return route(request, deps);
  };
}

async function listSessions({ query }: SessionsRequest, { store }: SessionsDeps): Promise<SessionsReply> {
  refuseUnknown(query, ["org_id", "expires_after", "expires_before", "limit", "cursor", "full"]);
  const { sessions, next } = await store.list(parseListQuery(query), flagIn(query, "full"));
  const body = { sessions: sessions.map(shown), cursor: next && formatCursor(next) };
  return { status: 200, body: JSON.stringify(body) };
}

async function getSession({ key, query }: SessionsRequest, { store }: SessionsDeps): Promise<SessionsReply> {
  refuseUnknown(query, []);
  const { session, version } = await store.read(storable(key));
  if (!session) throw missing();
  return { status: 200, headers: { etag: etagOf(version) }, body: showSession(session) };
}

async function putSession(request: SessionsRequest, deps: SessionsDeps): Promise<SessionsReply> {
  const { store, allowMasterKeys, log } = deps;
  const key = storable(request.key);
  refuseUnknown(request.query, ["suppress_reset"]);
  const suppressReset = flagIn(request.query, "suppress_reset");
  const given = parseSession(request.body);
  const { stored, result: version } = await change(request, deps, async (read) => {
    const now = Math.floor(deps.now() / 1000);
    const session = applySet(keepPassword(given, read.session), { suppressReset, now, allowMasterKeys });
    storableBytes(session);
    return store.put(key, session, read.version);
  });
  const action = stored.session ? "modified" : "added";
  log.info(`session ${action}`, { key_hash: hashOf(key), org_id: given.org_id, version });
  return {
    status: stored.session ? 200 : 201,
    headers: { etag: etagOf(version) },
    body: JSON.stringify({ key, status: "ok", action, version }),
  };
}

async function deleteSession(request: SessionsRequest, deps: SessionsDeps): Promise<SessionsReply> {
  const key = storable(request.key);
  refuseUnknown(request.query, []);
  const { stored } = await change(request, deps, async ({ session, version }) => {
    if (!session) throw missing();
    return (await deps.store.remove(key, version)) || undefined;
  });
  const { session, version } = stored;
  deps.log.info("session deleted", { key_hash: hashOf(key), org_id: session?.org_id, version });
  return { status: 200, body: JSON.stringify({ key, status: "ok", action: "deleted" }) };
}

/**
 * Writes on what was read, and again on fresh data while `write` answers undefined because somebody else was first.
 * Whoever sends If-Match means one version, and is told.
 */
async function change<T>(
  { key, ifMatch }: SessionsRequest,
  { store, random }: SessionsDeps,
  write: (read: StoredSession) => Promise<T | undefined>,
): Promise<{ stored: StoredSession; result: T }> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    if (attempt > 0) await delay(random() * 10 * 2 ** attempt);
    const stored = await store.read(key);
    if (ifMatch !== undefined && !matches(ifMatch, stored)) throw mismatch();
    const result = await write(stored);
    if (result !== undefined) return { stored, result };
  }
  throw new AppError("session-stale", `${ATTEMPTS} changes of others came first: try again`);
}

/** `*`, or entity tags, of which one is the session's. */
function matches(ifMatch: string, { session, version }: StoredSession): boolean {
  if (!session) return false;
  return ifMatch.split(",").some((tag) => ["*", etagOf(version)].includes(tag.trim()));
}

function storable(key: string): string {
  if (isStorableKey(key)) return key;
  throw new AppError("request-invalid", `a key has 1 to ${KEY_BYTES} bytes`, { field: "key" });
}

/** One that is unfit must not hide the others of its page. */
function shown({ key, expires, version, updated_at, session }: ListedSession) {
  const listed = { key, expires, version, updated_at };
  try {
    return session ? { ...listed, session: JSON.parse(showSession(session)) as unknown } : listed;
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    return { ...listed, error: { code: thrown.code, message: thrown.message } };
  }
}

const etagOf = (version: number) => `"${version}"`;

/** Tells keys apart in the log; the key itself is a secret. */
const hashOf = (key: string) => createHash("sha256").update(key).digest("hex").slice(0, 16);

const missing = () => new AppError("session-missing", "there is no session of this key", { field: "key" });

const mismatch = () =>
  new AppError("session-mismatch", "the session is not at the version of If-Match: read it again", {
    field: "if-match",
  });
