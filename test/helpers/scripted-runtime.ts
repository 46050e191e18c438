import type { Host } from "../../lib/runtime/host.ts";
import type { Outcome, Run } from "../../lib/runtime/protocol.ts";
import type { Runtime } from "../../lib/runtime/runtime.ts";

/** A runtime without a sandbox, whose runs call a function of the test; `workers` is the number of concurrent runs. */
export function scriptedRuntime(run: (run: Run, host: Host) => Promise<Outcome>, workers = 1): Runtime {
  let free = workers;
  const waiting: (() => void)[] = [];
  async function inTurn(work: () => Promise<void>): Promise<void> {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  }
  const runtime: Runtime = {
    faults: [],
    counters: { kills: 0, rebuilds: 0, restores: 0 },
    probe: async (names) => names.map(() => "handler"),
    look: async () => new Map(),
    run,
    runInOrder: (jobs) =>
      inTurn(async () => {
        for (const job of jobs) {
          const starts = job.isWanted?.() !== false && (job.startsWithin?.() ?? 0) >= 0;
          await job.ended(starts ? await runtime.run(job.run, job.host) : "unstarted", 0);
        }
      }),
    close: async () => {},
  };
  return runtime;
}
