import type { RuntimeAssets } from "./assets.ts";
import { createDispatcher, type Sequence } from "./dispatch.ts";
import type { Host } from "./host.ts";
import type { Job, JobEnd } from "./jobs.ts";
import type { WriteLog } from "./log-budget.ts";
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
  type Used,
} from "./protocol.ts";
import { startThread, type Thread } from "./thread.ts";

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
  /**
   * As `run`, one after the other: a job starts when the one before it has ended, and is answered when `ended` of that
   * has taken it in. What is asked for at the same time crosses to the workers together. Rejects when a host did.
   */
  runInOrder(sequence: Sequence): Promise<void>;
  close(): Promise<void>;
}

/** What became of a runtime's sandboxes since its start. */
export interface RuntimeCounters {
  /** Threads that were terminated, or died. */
  kills: number;
  /** Sandboxes rebuilt from the release, in the same thread or in a new one. */
  rebuilds: number;
  /** Runs after which the snapshot was restored. */
  restores: number;
}

/** How a runtime runs its scripts. */
export interface RuntimeOptions {
  assets: RuntimeAssets;
  limits?: Partial<Limits>;
  isolation?: Isolation;
  /** Runs at a time; more than one only where events share nothing, which is in event isolation. */
  workers?: number;
  /** What scripts log while they load. */
  log?: WriteLog;
  /** Reports to each run's host the times and random numbers that it read. Needed for runs that replay. */
  tellUsed?: boolean;
  /** The times and random numbers that the scripts read at an earlier load: they read the same. */
  replay?: Used | undefined;
  /** A thread that was started ahead with these options, for the first worker. */
  thread?: Thread;
}

/**
 * Loads the scripts and keeps them warm; the caller closes it. Scripts that do not load are in `faults`, and the others
 * run. Throws for several workers under global isolation.
 */
export async function startRuntime(scripts: Script[], options: RuntimeOptions): Promise<Runtime> {
  const { assets, isolation = "global", workers = 1, tellUsed, replay } = options;
  if (workers > 1 && isolation === "global") throw new Error("several workers need isolation by event");
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const logLoading = options.log ?? (() => {});
  const counters: RuntimeCounters = { kills: 0, rebuilds: 0, restores: 0 };
  const lethal = new Set<string>();
  let ahead = options.thread;

  /** A script that ends its thread while it is loaded is left out from then on. */
  async function start(): Promise<{ thread: Thread; faults: LoadFault[] }> {
    const deadly: LoadFault[] = [];
    for (;;) {
      const thread = ahead ?? startThread(assets, limits, isolation, tellUsed);
      ahead = undefined;
      const faults = await thread.load(
        scripts.filter(({ path }) => !lethal.has(path)),
        logLoading,
        replay,
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

  async function runAll(thread: Thread, jobs: Job[], onLate: () => void): Promise<Job[]> {
    let killed = false;
    const left = await thread.runAll(jobs, {
      onLate,
      logLoading,
      onEnd(outcome, rebuilding) {
        killed ||= !outcome.ok && outcome.code === "killed";
        if (killed) counters.kills += 1;
        if (killed || rebuilding) counters.rebuilds += 1;
        else if (isolation === "event") counters.restores += 1;
      },
    });
    // It may also end while its sandbox is rebuilt.
    if (!thread.alive && !killed) counters.kills += 1;
    return left;
  }
  const dispatcher = createDispatcher({ workers, pool }, runAll);

  return {
    faults: first.faults,
    counters,
    probe: (handlers) => pool.use((thread) => thread.probe(handlers)),
    look: (asked) => pool.use((thread) => thread.look(asked)),
    async run(run, host) {
      let outcome: JobEnd = "unstarted";
      const ended = async (end: JobEnd) => {
        outcome = end;
      };
      await dispatcher.add([{ run, host, ended }]);
      if (outcome === "unstarted") throw new Error("a run that is always wanted was not started");
      return outcome;
    },
    runInOrder: dispatcher.add,
    close: () => pool.close(),
  };
}
