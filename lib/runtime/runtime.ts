import type { RuntimeAssets } from "./assets.ts";
import { createPool } from "./pool.ts";
import {
  type Asked,
  DEFAULT_LIMITS,
  type Held,
  type Isolation,
  type Limits,
  type LoadFault,
  type Outcome,
  type Probed,
  type Run,
  type Script,
} from "./protocol.ts";
import { type Host, startThread, type Thread } from "./thread.ts";

/** The scripts of one release, loaded and warm. */
export interface Runtime {
  /** Scripts that failed to load, with their error. */
  readonly faults: readonly LoadFault[];
  readonly counters: Readonly<RuntimeCounters>;
  /** What each handler name leads to. */
  probe(handlers: string[]): Promise<Probed[]>;
  /** What these names hold, or all own names of the global object; nothing when it cannot be told. */
  look(asked?: Asked): Promise<Map<string, Held>>;
  /**
   * Always an outcome, at the latest `timeoutMs` plus the grace after its start, and, where that broke the sandbox,
   * a new one. As many at a time as there are workers; the others wait.
   */
  run(run: Run, host: Host): Promise<Outcome>;
  close(): Promise<void>;
}

export interface RuntimeCounters {
  /** Threads that were terminated, or died. */
  kills: number;
  /** Sandboxes built anew from the release, in a thread that lives or in a new one. */
  rebuilds: number;
  /** Runs after which the snapshot was restored. */
  restores: number;
}

export interface RuntimeOptions {
  assets: RuntimeAssets;
  limits?: Partial<Limits>;
  isolation?: Isolation;
  /** Runs at a time; more than one only where events share nothing, which is in event isolation. */
  workers?: number;
  /** What scripts log while they load. */
  log?: Host["log"];
  /** A thread that was started ahead with these limits and this isolation, for the first worker. */
  thread?: Thread;
}

export async function startRuntime(scripts: Script[], options: RuntimeOptions): Promise<Runtime> {
  const { assets, isolation = "global", workers = 1 } = options;
  if (workers > 1 && isolation === "global") throw new Error("several workers need isolation by event");
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const loadHost: Host = { call: async () => undefined, log: options.log ?? (() => {}) };
  const counters: RuntimeCounters = { kills: 0, rebuilds: 0, restores: 0 };
  const lethal = new Set<string>();
  let ahead = options.thread;

  /** A script that ends its thread while it is loaded is left out from then on. */
  async function start(): Promise<{ thread: Thread; faults: LoadFault[] }> {
    const deadly: LoadFault[] = [];
    for (;;) {
      const thread = ahead ?? startThread(assets, limits, isolation);
      ahead = undefined;
      const faults = await thread.load(
        scripts.filter(({ path }) => !lethal.has(path)),
        loadHost,
      );
      if (thread.alive || faults.length !== 1) return { thread, faults: [...deadly, ...faults] };
      deadly.push(...faults);
      for (const { path } of faults) lethal.add(path);
    }
  }

  const first = await start();
  const pool = createPool(workers, first.thread, async () => {
    const { thread } = await start();
    return thread;
  });

  async function runOn(thread: Thread, run: Run, host: Host, onLate: () => void): Promise<Outcome> {
    const { outcome, rebuilding } = await thread.run(run, host, onLate);
    if (rebuilding) await thread.rebuilt(loadHost);
    if (!thread.alive) counters.kills += 1;
    if (rebuilding || !thread.alive) counters.rebuilds += 1;
    else if (isolation === "event") counters.restores += 1;
    return outcome;
  }

  return {
    faults: first.faults,
    counters,
    probe: (handlers) => pool.use((thread) => thread.probe(handlers)),
    look: (asked) => pool.use((thread) => thread.look(asked)),
    run: (run, host) => pool.use((thread, onLate) => runOn(thread, run, host, onLate)),
    close: () => pool.close(),
  };
}
