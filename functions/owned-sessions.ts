import type { ConsumerStore } from "../lib/commit/store.ts";
import { isAsked } from "../lib/gateway/asked.ts";
import { changedState } from "../lib/gateway/change.ts";
import type { Gateway } from "../lib/gateway/client.ts";
import { createFullNames } from "../lib/gateway/full-name.ts";
import { type KeyName, renamedRows } from "../lib/gateway/hashed-keys.ts";
import { createMirror } from "../lib/gateway/mirror.ts";
import { createReadThrough, withReadThrough } from "../lib/gateway/read-through.ts";
import { createRows } from "../lib/gateway/rows.ts";
import type { Log } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { StoredSession } from "../lib/sessions/item.ts";
import type { createDynamo } from "./clients.ts";
import { choice } from "./settings.ts";

/** The consumer's dependencies if a gateway owns the sessions. */
export function ownedSessions(deps: {
  gateway: Pick<Gateway, "get">;
  store: ConsumerStore;
  dynamo: ReturnType<typeof createDynamo>;
  table: string;
  nameOf: KeyName;
  log: Log;
  metrics: Metrics;
}) {
  const { gateway, store, dynamo, table, nameOf, log, metrics } = deps;
  const rows = renamedRows(
    createRows({ dynamo, table, proveMarks: store.proveMarks, now: Date.now }),
    nameOf,
  );
  const findName = createFullNames();
  const complete = createReadThrough({
    gateway,
    mode: choice(process.env, "GATEWAY_READ"),
    isAsked,
    keep: rows.keep,
    doubt: rows.doubt,
    fullName: (key, orgId) => findName(gateway, key, orgId),
    read: store.readSession,
    log,
    metrics,
  });
  return {
    store: withReadThrough(store, complete),
    mirror: createMirror({ doubt: rows.doubt, isAsked }),
    changedState: (stored: StoredSession, reset: boolean) => changedState(stored, { reset, now: Date.now() }),
  };
}
