import { randomUUID } from "node:crypto";
import type { Metrics } from "../lib/metrics.ts";
import type { SendTask } from "../lib/tasks/tasks.ts";
import { createWindowStore } from "../lib/tasks/window-store.ts";
import { createWindows, type Windows } from "../lib/tasks/windows.ts";
import type { createDynamo } from "./clients.ts";

/** Counts events in windows. In a module of its own, since few releases have such handlers. */
export function createWindowCounts(deps: {
  dynamo: ReturnType<typeof createDynamo>;
  table: string;
  ttlSeconds: number;
  sendTask: SendTask;
  metrics: Metrics;
}): Windows {
  const { dynamo, table, ttlSeconds, sendTask, metrics } = deps;
  const clockAndRandom = { now: Date.now, random: Math.random };
  const store = createWindowStore({ dynamo, table, ttlSeconds, newToken: randomUUID, ...clockAndRandom });
  return createWindows({ store, sendTask, counter: randomUUID(), now: Date.now, metrics });
}
