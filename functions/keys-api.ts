import { randomUUID } from "node:crypto";
import { createKeysApi, type KeysRequest } from "../lib/keys/api.ts";
import type { KeysReply } from "../lib/keys/reply.ts";
import type { Log } from "../lib/log.ts";
import { createSessionRows } from "../lib/sessions/rows.ts";
import { createDynamo } from "./clients.ts";
import { hashFunction } from "./key-names.ts";
import { readKeysAuth } from "./keys-auth.ts";
import type { OpenSessionsApi } from "./sessions-api.ts";
import { flag, text } from "./settings.ts";

type Env = Record<string, string | undefined>;

/** The gateway's own key API, on the sessions of the settings; undefined where it is off. */
export function openKeysApi(
  env: Env,
  { store, byName, release, log }: Pick<OpenSessionsApi, "store" | "byName" | "release"> & { log: Log },
): ((request: KeysRequest) => Promise<KeysReply>) | undefined {
  const isSecret = readKeysAuth(env);
  if (!isSecret) return undefined;
  const chance = { random: Math.random, now: Date.now };
  return createKeysApi({
    isSecret,
    store,
    byName,
    rows: createSessionRows({ dynamo: createDynamo(), table: text(env, "SESSIONS_TABLE"), ...chance }),
    hashFunction: hashFunction(env),
    orgOf: async (apiId) => (await release())?.api(apiId)?.org_id,
    allowMasterKeys: flag(env, "ALLOW_MASTER_KEYS"),
    newId: () => randomUUID().replaceAll("-", ""),
    log,
    ...chance,
  });
}
