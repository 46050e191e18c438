import { quote, sortedByBytes } from "../../lib/go/text.ts";
import { blankPassword, formatSession } from "../../lib/sessions/session.ts";
import type { Draft } from "./draft.ts";
import { tokenMeta } from "./events.ts";
import { apiOf, type Parts } from "./parts.ts";
import { applyPolicies, isEmptyLimit } from "./policies.ts";
import { done, json, problem, type Reply } from "./reply.ts";
import type { KeyRequest } from "./write-keys.ts";

/** `GET /tyk/keys/{name}`. */
export function getKey(parts: Parts, { name, query }: KeyRequest): Reply {
  const { config, sessions } = parts;
  const hashed = !!query.get("hashed");
  if (hashed && !config.hash_keys)
    return problem(400, "Key requested by hash but key hashing is not enabled");
  const api = apiOf(parts, query.get("api_id") ?? "");
  const found = sessions.find(api?.org_id ?? query.get("org_id") ?? "", name, hashed);
  if (!found) return problem(404, "Key not found");
  const { key, session } = found;
  applyPolicies(session, config.policies, api?.org_id);
  countDown(session, (scope) => sessions.used(key, scope, hashed));
  return json(200, formatSession(blankPassword({ ...session })));
}

/** Puts in what the counters leave of each quota; without a counter the session's own is left as it is stored. */
function countDown(session: Draft, used: (scope: string) => number | undefined): void {
  const { quota_max = 0, access_rights } = session;
  const count = used("");
  if (quota_max !== -1 && count !== undefined) session.quota_remaining = Math.max(0, quota_max - count);
  for (const { limit, allowance_scope = "" } of Object.values(access_rights ?? {})) {
    const max = limit?.quota_max ?? 0;
    if (!limit || isEmptyLimit(limit) || max <= 0) continue;
    limit.quota_remaining = Math.max(0, max - (used(allowance_scope) ?? 0));
  }
}

/** `GET /tyk/keys`: by hashes, where they are what is stored. */
export function listKeys(parts: Parts, query: URLSearchParams): Reply {
  const { config, store, sessions } = parts;
  const apiId = query.get("api_id") ?? "";
  if (config.hash_keys && !config.enable_hashed_keys_listing)
    return problem(404, "Hashed key listing is disabled in config (enable_hashed_keys_listing)");
  const filter = config.hash_keys ? "" : (query.get("filter") ?? "");
  if (!config.hash_keys && apiId && !filter)
    return problem(
      400,
      "The 'filter' parameter (Org ID) is required when filtering by 'api_id' in legacy mode",
    );
  const names = store
    .names()
    .filter((name) => name.startsWith(filter) || name.startsWith(tokenStart(filter)));
  if (!apiId) return keyList(names);
  const opens = (name: string) => {
    const rights = sessions.find(filter, name, config.hash_keys)?.session.access_rights;
    return rights ? apiId in rights : config.allow_master_keys;
  };
  return keyList(sortedByBytes(names.filter(opens)));
}

const keyList = (names: string[]) => json(200, `{"keys":[${names.map(quote).join()}]}`);

/** With what the tokens of an organisation begin, less what depends on what comes next. */
const tokenStart = (orgId: string) =>
  Buffer.from(`{"org":"${orgId}"`).toString("base64").replace(/=+$/, "").slice(0, -2);

/** `DELETE /tyk/keys/{name}`; no event tells of one by hash, or of all APIs (`api_id=-1`). */
export function deleteKey(parts: Parts, { name, query }: KeyRequest): Reply {
  const { sessions } = parts;
  const hashed = !!query.get("hashed");
  const orgId = query.get("org_id") ?? "";
  const found = sessions.find(orgId, name, hashed);
  if (!found) return problem(404, "There is no such key found");
  const { key, session } = found;
  sessions.resetQuota(key, session, hashed);
  if (!sessions.remove(orgId, key, hashed)) return problem(400, "Failed to remove the key");
  if (query.get("api_id") === "-1") return json(200, "null");
  if (!hashed) parts.fire("TokenDeleted", tokenMeta("Key deleted.", orgId, key));
  return done("deleted", key);
}
