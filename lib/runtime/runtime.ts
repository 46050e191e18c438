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
  /** What each handler name refers to. */
  probe(handlers: string[]): Promise<Probed[]>;
  /** The values of these names, or all own names of the global object; empty if they cannot be read. */
  look(asked?: Asked): Promise<Map<string, Held>>;
  /**
   * Always resolves with an outcome, at the latest `timeoutMs` plus the grace period after its start, plus the time for
   * a new sandbox if the run broke it. The number of concurrent runs is that of the workers; others wait.
   */
  run(run: Run, host: Host): Promise<Outcome>;
  /**
   * Like `run`, one after the other: a job starts when the previous one has ended, and its calls are answered after
   * `ended` of the previous one has resolved. Concurrent requests are sent to the workers together. Rejects if a host
   * rejects.
   */
  runInOrder(sequence: Sequence): Promise<void>;
  close(): Promise<void>;
}

/** Counts of a runtime's sandboxes since its start. */
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
  /** Concurrent runs; more than one only with isolation by event. */
  workers?: number;
  /** Receives the log lines of scripts while they are loaded. */
  log?: WriteLog;
  /** Reports the times and random numbers of each run to its host. Needed for replays. */
  tellUsed?: boolean;
  /** The times and random numbers of an earlier load, which the scripts read again. */
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

  /** A script that ends its thread during loading is left out from then on. */
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
