import { AppError } from "../errors.ts";
import { shortKeyDigest } from "../gateway/key-digest.ts";
import { hashKey } from "../gateway/key-hash.ts";
import { changeSession } from "../sessions/change.ts";
import { changedByWriter } from "../sessions/item.ts";
import { storableBytes, storableKey } from "../sessions/limits.ts";
import { applySet, formatSession, parseSession, type Session } from "../sessions/session.ts";
import { keepUnknown } from "../sessions/whole.ts";
import { isHashed, type KeyRequest, type KeysDeps, storeFor } from "./deps.ts";
import { findKey, rawKey } from "./find.ts";
import { withPasswordHash } from "./password.ts";
import { done, json, type KeysReply, problem } from "./reply.ts";
import { hasRights, policyProblem, withCounters, withScopes } from "./session.ts";

const FAILED = "Failed to create key, ensure security settings are correct.";
const NO_RIGHTS = "Failed to create key, keys must have at least one Access Rights record set.";
const MIN_NAME_BYTES = 3;

/** `POST /tyk/keys/create`: creates a key with a generated name. */
export async function createKey(deps: KeysDeps, { body }: KeyRequest): Promise<KeysReply> {
  const session = read(body);
  if (!session) return problem(500, "Unmarshalling failed");
  const unfit = policyProblem(session);
  if (unfit) return problem(500, `Failed to create key - ${unfit}`);
  if (!hasRights(session) && !deps.allowMasterKeys) return problem(400, NO_RIGHTS);
  const key = nameFor(deps, session, "");
  const made = await withPasswordHash({ ...session, date_created: isoTime(deps) });
  return overwrite(deps, key, { session: made, shown: key, suppressReset: false, hashed: false });
}

/** `POST /tyk/keys/preview`: returns a session as it would be stored. */
export function previewKey(deps: KeysDeps, { body }: KeyRequest): KeysReply {
  const session = read(body);
  if (!session) return problem(500, "Unmarshalling failed");
  const dated = { ...session, last_updated: String(secondsOf(deps)), date_created: isoTime(deps) };
  return json(200, formatSession(withScopes(dated)));
}

/** `POST /tyk/keys/{name}`: creates the key or overwrites it. */
export async function postKey(deps: KeysDeps, request: KeyRequest): Promise<KeysReply> {
  const { name, query, body } = request;
  const session = read(body);
  if (!session) return problem(400, "Request malformed");
  const bytes = Buffer.byteLength(name);
  if (bytes > 0 && bytes < MIN_NAME_BYTES) return problem(400, tooShort(bytes));
  const rejection = rejectionOf(deps, session);
  if (rejection) return rejection;
  const key = nameFor(deps, session, name);
  const given = {
    ...session,
    date_created: isoTime(deps),
    expires: isPast(session, deps) ? 0 : (session.expires ?? 0),
  };
  const made = await withPasswordHash(given);
  // For a user whose name is hashed, the answer has only the hash.
  const shown = deps.hashFunction && made.basic_auth_data?.password ? "" : key;
  const suppressReset = query.suppress_reset === "1";
  return overwrite(deps, key, { session: made, shown, suppressReset, hashed: isHashed(request) });
}

interface Overwriting {
  session: Session;
  /** The key in the answer. */
  shown: string;
  suppressReset: boolean;
  hashed: boolean;
}

/** Replaces a whole session. */
async function overwrite(
  deps: KeysDeps,
  key: string,
  { session, shown, suppressReset, hashed }: Overwriting,
): Promise<KeysReply> {
  const { hashFunction } = deps;
  const made = applied(deps, withScopes(session), suppressReset);
  const hash = hashFunction && (hashed ? key : hashKey(hashFunction, key));
  return write(deps, key, hashed, async () => ({ session: made, reply: done("added", shown, hash) }));
}

/** `PUT /tyk/keys/{name}`: overwrites an existing key, except for the members that a gateway keeps. */
export async function putKey(deps: KeysDeps, request: KeyRequest): Promise<KeysReply> {
  const session = read(request.body);
  if (!session) return problem(400, "Request malformed");
  const hashed = isHashed(request);
  const found = await findKey(deps, session.org_id ?? "", request.name, hashed);
  if (!found) return NOT_FOUND;
  const suppressReset = request.query.suppress_reset === "1";
  return write(deps, found.key, hashed, async (before) => {
    if (!before) return { reply: NOT_FOUND };
    const rejection = certificateProblem(session, before) ?? rejectionOf(deps, session);
    if (rejection) return { reply: rejection };
    const { date_created: _, ...changed } = session;
    const given = withScopes({
      ...changed,
      ...(before.date_created && { date_created: before.date_created }),
      expires: (isPast(session, deps) ? before.expires : session.expires) ?? 0,
    });
    const counted = suppressReset ? withCounters(given, before, secondsOf(deps)) : given;
    const made = applied(deps, await withPasswordHash(counted, before), suppressReset);
    return { session: keepUnknown(made, before), reply: done("modified", found.key) };
  });
}

const NOT_FOUND = problem(404, "Key is not found");

/** The session to store, if any, and the reply. */
interface Answer {
  session?: Session;
  reply: KeysReply;
}

/** Stores the result of `make` for the current session; repeats this if another write came first. */
async function write(
  deps: KeysDeps,
  key: string,
  hashed: boolean,
  make: (before: Session | undefined) => Promise<Answer>,
): Promise<KeysReply> {
  const store = storeFor(deps, hashed);
  const { result } = await changeSession(key, { ...deps, store }, async (stored) => {
    const { session, reply } = await make(stored.session);
    if (!session) return reply;
    storableBytes(session);
    const version = await store.put(key, session, stored, { changedBy: BY_API });
    if (version === undefined) return undefined;
    const action = stored.session ? "modified" : "added";
    deps.log.info(`session ${action}`, { key_hash: shortKeyDigest(key), org_id: session.org_id, version });
    return reply;
  });
  return result;
}

/** Its callers share a secret, so they cannot be identified. */
const BY_API = changedByWriter("api");

/** Undefined for an invalid session; throws session-too-large. */
function read(body: string): Session | undefined {
  try {
    return parseSession(body);
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === "session-invalid") return undefined;
    throw thrown;
  }
}

/** With the rules of every other write; whether a master key is allowed has been checked before. */
const applied = (deps: KeysDeps, session: Session, suppressReset: boolean): Session =>
  applySet(session, { suppressReset, now: secondsOf(deps), allowMasterKeys: deps.allowMasterKeys });

/** The answer does not name the security setting, so the log does. */
function rejectionOf({ allowMasterKeys, log }: KeysDeps, session: Session): KeysReply | undefined {
  const noRights = hasRights(session) || allowMasterKeys ? undefined : "access_rights is empty";
  const reason = policyProblem(session) ?? noRights;
  if (reason === undefined) return undefined;
  log.warn("key refused", { org_id: session.org_id, reason });
  return problem(500, FAILED);
}

function certificateProblem({ certificate = "" }: Session, before: Session): KeysReply | undefined {
  if (certificate === (before.certificate ?? "")) return undefined;
  return certificate
    ? problem(400, "Key must be used with an existent certificate")
    : problem(400, "Key cannot be used without a certificate");
}

function nameFor(deps: KeysDeps, { org_id = "" }: Session, name: string): string {
  return storableKey(rawKey(deps, org_id, name === "" || name === org_id ? deps.newId() : name));
}

const secondsOf = ({ now }: KeysDeps) => Math.floor(now() / 1000);

const isoTime = ({ now }: KeysDeps) => new Date(now()).toISOString();

const isPast = ({ expires = 0 }: Session, { now }: KeysDeps) => expires > 1 && expires * 1000 < now();

const tooShort = (bytes: number) =>
  `custom key ID length ${bytes} is less than min_token_length (${MIN_NAME_BYTES}); the key would be unreachable at ` +
  "auth time. Use an ID of at least min_token_length characters, or lower min_token_length in the gateway " +
  "configuration.";
