import { createLocalReferences } from "../functions/local-references.ts";
import type { Api } from "../lib/apis/definition.ts";
import type { RunBuffer } from "../lib/commit/unit-of-work.ts";
import { createConfigData } from "../lib/consumer/config-data.ts";
import { createEgress } from "../lib/egress/client.ts";
import type { GatewayEvent } from "../lib/events/event.ts";
import type { LogLevel, Outcome } from "../lib/runtime/protocol.ts";
import type { Runtime } from "../lib/runtime/runtime.ts";
import type { Session } from "../lib/sessions/session.ts";
import { createHost, type HostDeps } from "../lib/tyk-api/host.ts";
import { batchRequest, type HttpContext, makeHttpRequest } from "../lib/tyk-api/http.ts";
import { createMemoryEntries, createStorage } from "../lib/tyk-api/storage.ts";
import { QUIET } from "./terminal/quiet.ts";

/** The host without a table: storage in memory, real HTTP. */
export function createDeps(
  allowHosts: string[],
  record: NonNullable<HttpContext["record"]>,
): HostDeps & { close(): Promise<void> } {
  const egress = createEgress({
    allowHosts,
    howToAllow: (host) => `to allow it, add --allow-host ${host} (in a test, allowHosts)`,
    maxResponseBytes: 1_048_576,
  });
  return {
    makeHttpRequest: (request, http) => makeHttpRequest(request, { egress, record, ...http }),
    batchRequest: (request, http) => batchRequest(request, { egress, record, ...http }),
    storage: createStorage({ entries: createMemoryEntries(), now: Date.now }),
    allowMasterKeys: false,
    now: Date.now,
    close: () => egress.close(),
  };
}

/** As in the local stack: the values of references are in the environment. */
const configOf = createConfigData({
  read: createLocalReferences(process.env),
  log: QUIET.log,
});

/** One run of a handler. `nth` counts from 1 and makes the event's id. */
export interface OneRun {
  runtime: Runtime;
  api: Pick<Api, "api_id" | "org_id" | "config_data">;
  orgOf: (apiId: string) => string;
  handler: string;
  event: GatewayEvent;
  /** The stored sessions, which a successful run changes. */
  sessions: Map<string, Session>;
  timeoutMs: number;
  nth: number;
}

/** Never rejects for an error of the script, which is part of the outcome. The caller closes `runtime` and `deps`. */
export async function runOnce(
  { runtime, api, orgOf, handler, event, sessions, timeoutMs, nth }: OneRun,
  deps: HostDeps,
  log: (level: LogLevel, message: string) => void,
): Promise<Outcome> {
  const written = new Map<string, Session | undefined>();
  const buffer: RunBuffer = {
    read: async (key) => (written.has(key) ? written.get(key) : sessions.get(key)),
    fullNameOf: (key) => key,
    write: async (key, { session }) => void written.set(key, session),
  };
  const id = `run-${nth}`;
  const host = createHost(deps, { buffer, event: id, handler, log, onRead: () => {}, orgOf });
  const config_data = await configOf(api);
  // As the consumer makes it.
  const context = {
    APIID: api.api_id,
    OrgID: orgOf(api.api_id),
    EventID: id,
    Handler: handler,
    Attempt: 1,
    ...(config_data && { config_data }),
  };
  const outcome = await runtime.run(
    { handler, event: JSON.stringify(event), context: JSON.stringify(context), timeoutMs },
    host,
  );
  if (!outcome.ok) return outcome;
  // As in the consumer, the writes of a failed handler are discarded.
  for (const [key, session] of written) {
    if (session) sessions.set(key, session);
    else sessions.delete(key);
  }
  return outcome;
}
