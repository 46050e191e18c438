import type { Metrics } from "../metrics.ts";
import type { Runtime } from "../runtime/runtime.ts";

/** Counts the sandboxes and threads that a runtime has lost since the last call; concurrent runs share the counts. */
export function createSandboxCosts({ metrics }: { metrics: Metrics }): (runtime: Runtime) => void {
  const told = new WeakMap<Runtime, { kills: number; rebuilds: number }>();
  return (runtime) => {
    const { kills, rebuilds } = runtime.counters;
    const before = told.get(runtime) ?? { kills: 0, rebuilds: 0 };
    told.set(runtime, { kills, rebuilds });
    metrics.count("WorkersKilled", kills - before.kills);
    metrics.count("SandboxRebuilds", rebuilds - before.rebuilds);
  };
}
