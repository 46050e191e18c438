import { fullName, orgOf, storedName } from "../../lib/gateway/key-name.ts";
import { type Draft, draftOf, printDraft } from "./draft.ts";
import { tokenMeta } from "./events.ts";
import { apiOf, lifetimeOf, type Parts, secondsOf } from "./parts.ts";
import { applyPolicies, isEmptyLimit, policyIds } from "./policies.ts";
import { done, json, problem, type Reply } from "./reply.ts";

/** What of a request to a key counts. */
export interface KeyRequest {
  method: string;
  /** As the path has it, decoded. */
  name: string;
  query: URLSearchParams;
  body: string;
}

const FAILED = "Failed to create key, ensure security settings are correct.";
const NO_RIGHTS = "Failed to create key, keys must have at least one Access Rights record set.";
const MIN_NAME_BYTES = 3;

/** `POST /tyk/keys/create`: a key with a name that the gateway makes up. */
export function createKey(parts: Parts, body: string): Reply {
  const session = read(body);
  if (!session) return problem(500, "Unmarshalling failed");
  const key = nameFor(parts, session.org_id ?? "", "");
  session.date_created = isoTime(parts);
  const unfit = applyPolicies(session, parts.config.policies);
  if (unfit) return problem(500, `Failed to create key - ${unfit}`);
  if (!Object.keys(session.access_rights ?? {}).length && !parts.config.allow_master_keys)
    return problem(400, NO_RIGHTS);
  const failed = store(parts, key, session, { suppressReset: false, hashed: false });
  if (failed) return problem(500, `Failed to create key - ${failed}`);
  parts.fire("TokenCreated", tokenMeta("Key generated.", session.org_id ?? "", key));
  return done("added", key, hashShown(parts, key));
}

/** `POST /tyk/keys/preview`: what a session would be, stored nowhere. */
export function previewKey(parts: Parts, body: string): Reply {
  const session = read(body);
  if (!session) return problem(500, "Unmarshalling failed");
  session.last_updated = String(secondsOf(parts.now));
  session.date_created = isoTime(parts);
  applyPolicies(session, parts.config.policies);
  return json(200, printDraft(session));
}

/** `POST /tyk/keys/{name}`: makes the key or overwrites it. */
export function postKey(parts: Parts, { name, query, body }: KeyRequest): Reply {
  const session = read(body);
  if (!session) return problem(400, "Request malformed");
  applyPolicies(session, parts.config.policies);
  const bytes = Buffer.byteLength(name);
  if (bytes > 0 && bytes < MIN_NAME_BYTES) return problem(400, tooShort(bytes));
  session.date_created = isoTime(parts);
  const key = nameFor(parts, session.org_id ?? "", name);
  if (isPast(session.expires, parts)) session.expires = 0;
  const isBasicAuth = !!session.basic_auth_data?.password;
  hashPassword(session);
  const hashed = !!query.get("hashed");
  if (store(parts, key, session, { suppressReset: query.get("suppress_reset") === "1", hashed }))
    return problem(500, FAILED);
  parts.fire("TokenCreated", tokenMeta("Key modified.", session.org_id ?? "", key));
  const shown = isBasicAuth && parts.config.hash_keys ? "" : key;
  return done("added", shown, hashed && parts.config.hash_keys ? key : hashShown(parts, key));
}

/** `PUT /tyk/keys/{name}`: overwrites a key that is there, but for what the gateway keeps. */
export function putKey(parts: Parts, { name, query, body }: KeyRequest): Reply {
  const session = read(body);
  if (!session) return problem(400, "Request malformed");
  applyPolicies(session, parts.config.policies);
  const hashed = !!query.get("hashed");
  const found = parts.sessions.find(session.org_id ?? "", name, hashed);
  if (!found) return problem(404, "Key is not found");
  const { session: before } = found;
  if ((session.certificate ?? "") !== (before.certificate ?? "")) {
    if (!session.certificate) return problem(400, "Key cannot be used without a certificate");
    return problem(400, "Key must be used with an existent certificate");
  }
  session.date_created = before.date_created ?? "";
  const suppressReset = query.get("suppress_reset") === "1";
  if (suppressReset) keepCounters(session, before);
  if (isPast(session.expires, parts)) session.expires = before.expires ?? 0;
  keepPassword(session, before);
  const key = orgOf(found.key) === "" ? customKey(parts, session, found.key) : found.key;
  if (store(parts, key, session, { suppressReset, hashed })) return problem(500, FAILED);
  parts.fire("TokenUpdated", tokenMeta("Key modified.", session.org_id ?? "", key));
  return done("modified", key);
}

/** `POST /tyk/keys/policy/{hash}`: other policies for a key known by its hash; no event tells of it. */
export function setPolicies(parts: Parts, name: string, body: string): Reply {
  const given = readPolicies(body);
  if (!given) return problem(400, "Couldn't decode instruction");
  const found = parts.sessions.find("", name, true);
  if (!found) return problem(404, "Key not found");
  const { session } = found;
  session.last_updated = String(secondsOf(parts.now));
  session.apply_policy_id = "";
  session.apply_policies = given;
  if (!parts.sessions.save(found.key, session, 0, true)) return problem(500, "Could not write key data");
  return done("updated", found.key);
}

/** A copy to change; undefined for what is no session. */
function read(body: string): Draft | undefined {
  try {
    return draftOf(body);
  } catch {
    return undefined;
  }
}

function readPolicies(body: string): string[] | undefined {
  try {
    const { policy = "", apply_policies = [] } = JSON.parse(body) as Record<string, string & string[]>;
    return policy ? [...apply_policies, policy] : apply_policies;
  } catch {
    return undefined;
  }
}

/** Stores a session for each API of its rights, as a gateway does; returns what is wrong. */
function store(
  parts: Parts,
  key: string,
  session: Draft,
  { suppressReset, hashed }: { suppressReset: boolean; hashed: boolean },
): string | undefined {
  const { config, sessions, now } = parts;
  if (!suppressReset) session.last_updated = String(secondsOf(now));
  const listed = Object.keys(session.access_rights ?? {});
  if (listed.length === 0 && !config.allow_master_keys) return "Master keys not allowed";
  for (const apiId of listed.length > 0 ? listed : config.apis.map(({ api_id }) => api_id)) {
    const api = apiOf(parts, apiId);
    if (api) startTrial(parts, key, session, hashed);
    if (!suppressReset && !api?.dont_set_quota_on_create) {
      sessions.resetQuota(key, session, hashed);
      session.quota_renews = secondsOf(now) + (session.quota_renewal_rate ?? 0);
    }
    const unfit = applyPolicies(session, config.policies, api?.org_id);
    if (unfit) return unfit;
    if (!sessions.save(key, session, longestLifetime(parts, session), hashed))
      return "storage: Redis is either down or was not configured";
  }
  return undefined;
}

function longestLifetime(parts: Parts, session: Draft): number {
  const apis = Object.keys(session.access_rights ?? {}).flatMap((id) => apiOf(parts, id) ?? []);
  const lifetimes = apis.map((api) => lifetimeOf(session, api.session_lifetime, parts.now));
  return lifetimes.includes(-1) ? -1 : Math.max(0, ...lifetimes);
}

function startTrial({ config, sessions, now }: Parts, key: string, session: Draft, hashed: boolean): void {
  for (const id of policyIds(session)) {
    const policy = config.policies.find((one) => one.id === id && one.org_id === session.org_id);
    if (!policy?.key_expires_in || sessions.find(session.org_id ?? "", key, hashed)) continue;
    session.expires = secondsOf(now) + policy.key_expires_in;
  }
}

/** With `suppress_reset=1` the running periods go on. */
function keepCounters(session: Draft, before: Draft): void {
  session.quota_renews = before.quota_renews ?? 0;
  session.last_updated = before.last_updated ?? "";
  for (const [apiId, { limit }] of Object.entries(before.access_rights ?? {})) {
    const now = session.access_rights?.[apiId]?.limit;
    if (now && !isEmptyLimit(now) && !isEmptyLimit(limit)) now.quota_renews = limit?.quota_renews ?? 0;
  }
}

/** A blank password keeps the one that is there, and any other is hashed. */
function keepPassword(session: Draft, before: Draft): void {
  const kept = before.basic_auth_data;
  const given = session.basic_auth_data?.password;
  if (given && given !== kept?.password) hashPassword(session);
  else if (!given && kept?.password) session.basic_auth_data = kept;
}

/** Nobody sees the hash, so it need not be bcrypt's. */
function hashPassword(session: Draft): void {
  const password = session.basic_auth_data?.password;
  if (password) session.basic_auth_data = { password: passwordHash(password), hash_type: "bcrypt" };
}

export const passwordHash = (password: string) => `hash of ${password}`;

/** A key of no known organisation may be the name of one that is there. */
function customKey({ config, sessions }: Parts, session: Draft, key: string): string {
  const full = fullName(config.hash_key_function, session.org_id ?? "", key);
  return sessions.find("", storedName(config.hash_keys, full), true) ? full : key;
}

const nameFor = ({ config, random }: Parts, orgId: string, name: string) =>
  fullName(config.hash_key_function, orgId, name === "" || name === orgId ? random() : name);

const hashShown = ({ config }: Parts, key: string) => (config.hash_keys ? storedName(true, key) : undefined);

const isoTime = ({ now }: Parts) => new Date(now()).toISOString();

const isPast = (expires: number | undefined, { now }: Parts) =>
  expires !== undefined && expires > 1 && expires * 1000 < now();

const tooShort = (bytes: number) =>
  `custom key ID length ${bytes} is less than min_token_length (${MIN_NAME_BYTES}); the key would be unreachable at ` +
  "auth time. Use an ID of at least min_token_length characters, or lower min_token_length in the gateway " +
  "configuration.";
