import { hashKey } from "../../lib/gateway/key-hash.ts";
import { fullName, storedName } from "../../lib/gateway/key-name.ts";
import type { ApiDefinition } from "./config.ts";
import { lifetimeOf, type Parts } from "./parts.ts";
import { applyPolicies, isEmptyLimit } from "./policies.ts";
import { noSuchPage, type Reply, refused } from "./reply.ts";
import type { Cached } from "./sessions.ts";
import { passwordHash } from "./write-keys.ts";

/** A client's request to an API, as it came in. */
export interface ClientRequest {
  method: string;
  path: string;
  /** Names in lower case. */
  headers: Record<string, string>;
  body: string;
}

/** A request that the gateway has found the session of, and that it has yet to count. */
export interface InFlight {
  finish(): Reply;
}

const DISALLOWED = "Access to this API has been disallowed";
const settled = (reply: Reply): InFlight => ({ finish: () => reply });

/**
 * What a client meets: the key's session, from the local cache where that holds it, its state, and the quota. Rate
 * limits are not modelled.
 */
export function startClientRequest(parts: Parts, request: ClientRequest): InFlight {
  const api = parts.config.apis.find(({ proxy }) => request.path.startsWith(proxy.listen_path));
  if (!api) return settled(noSuchPage);
  const authorization = request.headers.authorization ?? "";
  if (authorization === "") return settled(refused(401, "Authorization field missing"));
  const fire = (type: string, message: string, key: string) =>
    parts.fire(type, metaOf(request, message, key), api.api_id);
  const found = api.use_basic_auth ? findUser(parts, api, authorization) : findKey(parts, api, authorization);
  if (!found) {
    fire("AuthFailure", "Auth Failure", withoutBearer(authorization));
    return settled(api.use_basic_auth ? refused(401, "User not authorised") : refused(403, DISALLOWED));
  }
  const { key, session } = found;
  if (session.is_inactive) {
    fire("KeyExpired", "Attempted access from inactive key.", key);
    return settled(refused(403, "Key is inactive, please renew"));
  }
  if ((session.expires ?? 0) >= 1 && parts.now() > (session.expires ?? 0) * 1000) {
    fire("KeyExpired", "Attempted access from expired key.", key);
    return settled(refused(401, "Key has expired, please renew"));
  }
  if (session.access_rights && !(api.api_id in session.access_rights))
    return settled(refused(403, DISALLOWED));
  return {
    finish() {
      if (countUse(parts, api, found)) return { status: 200, headers: {}, body: "ok" };
      fire("QuotaExceeded", "Key Quota Limit Exceeded", key);
      return refused(403, "Quota exceeded");
    },
  };
}

const withoutBearer = (authorization: string) => authorization.replace(/^bearer\s+/i, "");

function findUser(parts: Parts, api: ApiDefinition, authorization: string): Cached | undefined {
  const encoded = /^basic (\S+)$/i.exec(authorization)?.[1] ?? "";
  const [user = "", password = ""] = Buffer.from(encoded, "base64").toString().split(":");
  const found = findKey(parts, api, user) ?? findKey(parts, api, fullName("", api.org_id, user));
  return found?.session.basic_auth_data?.password === passwordHash(password) ? found : undefined;
}

/** The cache goes by the presented text, or its murmur64, whatever the key is stored under. */
function findKey(parts: Parts, api: ApiDefinition, authorization: string): Cached | undefined {
  const { config, sessions } = parts;
  const presented = withoutBearer(authorization);
  if (Buffer.byteLength(presented) < 3) return undefined;
  const cacheKey = config.hash_keys ? hashKey("murmur64", presented) : presented;
  const cached = sessions.cached(cacheKey) ?? fetchKey();
  if (!cached || applyPolicies(cached.session, config.policies, api.org_id)) return undefined;
  return cached;

  function fetchKey(): Cached | undefined {
    const found = sessions.find(api.org_id, presented, false);
    if (!found) return undefined;
    const fetched = { ...found, cacheKey: config.hash_keys ? storedName(true, found.key) : presented };
    sessions.cache(cacheKey, fetched);
    return structuredClone(fetched);
  }
}

/**
 * Counts the use, and tells whether the quota allows it. What was counted is written back and cached again: the whole
 * session, as it was found.
 */
function countUse(parts: Parts, api: ApiDefinition, found: Cached): boolean {
  const { sessions, store, now } = parts;
  const { key, session } = found;
  const right = session.access_rights?.[api.api_id];
  const limits = right?.limit && !isEmptyLimit(right.limit) ? right.limit : session;
  const scope = right?.allowance_scope ?? "";
  const { quota_max: max = 0, quota_renewal_rate: seconds = 0 } = limits;
  if (max <= 0) return true;
  if (store.isDown()) return false; // it cannot count, so it blocks
  const { used, until } = sessions.count(key, scope, seconds);
  const left = { quota_remaining: Math.max(0, max - used), quota_renews: secondsFrom(until, now) };
  for (const { limit, allowance_scope = "" } of Object.values(session.access_rights ?? {}))
    if (limit && !isEmptyLimit(limit) && allowance_scope === scope) Object.assign(limit, left);
  if (scope === "") Object.assign(session, left);
  if (sessions.save(key, session, lifetimeOf(session, api.session_lifetime, now), false))
    sessions.cache(found.cacheKey, found);
  return used <= max;
}

/** A counter without an end ends now, as the gateway reckons. */
const secondsFrom = (until: number, now: () => number) =>
  Math.floor((Number.isFinite(until) ? until : now()) / 1000);

function metaOf({ method, path, headers, body }: ClientRequest, message: string, key: string) {
  const { host = "127.0.0.1", "user-agent": agent = "Go-http-client/1.1", ...others } = headers;
  const lines = Object.entries({ host, "user-agent": agent, ...others }).map(
    ([name, value]) => `${name.replace(/(^|-)[a-z]/g, (first) => first.toUpperCase())}: ${value}\r\n`,
  );
  const wire = `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
  return {
    Message: message,
    OriginatingRequest: Buffer.from(wire).toString("base64"),
    Path: path.replace(/\?.*/s, ""),
    Origin: "127.0.0.1",
    Key: key,
  };
}
