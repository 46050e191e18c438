import { randomUUID } from "node:crypto";
import type { Metrics } from "../lib/metrics.ts";
import { createStormStore } from "../lib/tasks/storm-store.ts";
import { createStorms, type Storms } from "../lib/tasks/storms.ts";
import type { SendTask } from "../lib/tasks/tasks.ts";
import type { createDynamo } from "./clients.ts";

/** Counts events of which one run stands for many. In a module of its own, since few releases have such handlers. */
export function createStormCounts(deps: {
  dynamo: ReturnType<typeof createDynamo>;
  table: string;
  ttlSeconds: number;
  sendTask: SendTask;
  metrics: Metrics;
}): Storms {
  const { dynamo, table, ttlSeconds, sendTask, metrics } = deps;
  const chance = { now: Date.now, random: Math.random };
  const store = createStormStore({ dynamo, table, ttlSeconds, newToken: randomUUID, ...chance });
  return createStorms({ store, sendTask, counter: randomUUID(), now: Date.now, metrics });
}
