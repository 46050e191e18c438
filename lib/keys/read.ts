import { shortKeyDigest } from "../gateway/key-digest.ts";
import { changeSession } from "../sessions/change.ts";
import { showSession } from "../sessions/session.ts";
import { isHashed, type KeyRequest, type KeysDeps, storeFor } from "./deps.ts";
import { findKey } from "./find.ts";
import { done, json, type KeysReply, problem } from "./reply.ts";

/** `GET /tyk/keys/{name}`. */
export async function getKey(deps: KeysDeps, request: KeyRequest): Promise<KeysReply> {
  const { name, query } = request;
  const hashed = isHashed(request);
  if (hashed && !deps.hashFunction)
    return problem(400, "Key requested by hash but key hashing is not enabled");
  const apiOrg = query.api_id ? await deps.orgOf(query.api_id) : undefined;
  const found = await findKey(deps, apiOrg ?? query.org_id ?? "", name, hashed);
  return found ? json(200, showSession(found.session)) : problem(404, "Key not found");
}

/** `DELETE /tyk/keys/{name}`. */
export async function deleteKey(deps: KeysDeps, request: KeyRequest): Promise<KeysReply> {
  const { name, query } = request;
  const hashed = isHashed(request);
  const found = await findKey(deps, query.org_id ?? "", name, hashed);
  if (!found) return NOT_FOUND;
  const { key } = found;
  const store = storeFor(deps, hashed);
  const { result } = await changeSession(key, { ...deps, store }, async (stored) => {
    const { session, version } = stored;
    if (!session) return NOT_FOUND;
    if (!(await store.remove(key, stored))) return undefined;
    deps.log.info("session deleted", { key_hash: shortKeyDigest(key), org_id: session.org_id, version });
    return query.api_id === "-1" ? json(200, "null") : done("deleted", key);
  });
  return result;
}

const NOT_FOUND = problem(404, "There is no such key found");
