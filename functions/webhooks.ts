import { createEgress } from "../lib/egress/client.ts";
import type { Log } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { SendTask } from "../lib/tasks/tasks.ts";
import { createDeliverer, type Deliver } from "../lib/webhooks/deliverer.ts";
import { parseSecrets } from "../lib/webhooks/sign.ts";
import { createWebhookStore } from "../lib/webhooks/store.ts";
import type { createDynamo } from "./clients.ts";

/** The sender of webhooks. In a module of its own, since most deployments have none. Throws `setting-invalid`. */
export function createWebhooks(deps: {
  allowHosts: string[];
  /** The text of WEBHOOK_SECRETS; "" if not set. */
  secrets: string;
  timeoutMs: number;
  dynamo: ReturnType<typeof createDynamo>;
  table: string;
  ttlSeconds: number;
  sendTask: SendTask;
  log: Log;
  metrics: Metrics;
}): Deliver {
  const { allowHosts, secrets, dynamo, table, ttlSeconds, ...others } = deps;
  return createDeliverer({
    ...others,
    // Only the beginning of an answer is read.
    egress: createEgress({ allowHosts, maxResponseBytes: 1024 }),
    store: createWebhookStore({ dynamo, table, ttlSeconds, now: Date.now, random: Math.random }),
    secrets: secrets ? parseSecrets("WEBHOOK_SECRETS", secrets) : undefined,
    now: Date.now,
    random: Math.random,
  });
}
