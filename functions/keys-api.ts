import { randomUUID } from "node:crypto";
import { createKeysApi, type KeysRequest } from "../lib/keys/api.ts";
import type { KeysReply } from "../lib/keys/reply.ts";
import type { Log } from "../lib/log.ts";
import { hashFunction } from "./key-names.ts";
import { readKeysAuth } from "./keys-auth.ts";
import type { OpenSessionsApi } from "./sessions-api.ts";
import { type Env, flag } from "./settings.ts";

/** The gateway's key API for the sessions table of the settings; undefined if it is off. */
export function openKeysApi(
  env: Env,
  { release, log, ...table }: Pick<OpenSessionsApi, "store" | "byName" | "rows" | "release"> & { log: Log },
): ((request: KeysRequest) => Promise<KeysReply>) | undefined {
  const isSecret = readKeysAuth(env);
  if (!isSecret) return undefined;
  return createKeysApi({
    isSecret,
    ...table,
    hashFunction: hashFunction(env),
    orgOf: async (apiId) => (await release())?.api(apiId)?.org_id,
    allowMasterKeys: flag(env, "ALLOW_MASTER_KEYS"),
    newId: () => randomUUID().replaceAll("-", ""),
    now: Date.now,
    random: Math.random,
    log,
  });
}
