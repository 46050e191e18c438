import { randomUUID } from "node:crypto";
import { createEgress } from "../lib/egress/client.ts";
import type { HostDeps } from "../lib/tyk-api/host.ts";
import { batchRequest, makeHttpRequest } from "../lib/tyk-api/http.ts";
import { createStorage } from "../lib/tyk-api/storage.ts";
import { createEntryStore } from "../lib/tyk-api/storage-store.ts";
import type { createDynamo } from "./clients.ts";
import { createDocuments } from "./documents.ts";

/** The calls of scripts other than those for sessions. In a module of its own, since most scripts do not use them. */
export function createScriptIo(settings: {
  allowHosts: string[];
  maxResponseBytes: number;
  dynamo: ReturnType<typeof createDynamo>;
  table: string;
}): Pick<HostDeps, "makeHttpRequest" | "batchRequest" | "storage"> {
  const egress = createEgress(settings);
  const { table } = settings;
  const dynamo = createDocuments(settings.dynamo);
  return {
    makeHttpRequest: (request, run) => makeHttpRequest(request, { egress, ...run }),
    batchRequest: (request, run) => batchRequest(request, { egress, ...run }),
    storage: createStorage({
      entries: createEntryStore({ dynamo, table, newToken: randomUUID, random: Math.random }),
      now: Date.now,
    }),
  };
}
