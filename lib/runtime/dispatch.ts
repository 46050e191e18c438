import type { Job } from "./jobs.ts";
import type { Pool } from "./pool.ts";
import type { Thread } from "./thread.ts";

/** Jobs that run one after the other. */
export type Sequence = readonly Job[];

/** Distributes jobs to threads, in as few messages as possible without leaving a thread idle. */
export interface Dispatcher {
  /** Resolves when all of them have ended. Rejects if a host or an `ended` rejects. */
  add(sequence: Sequence): Promise<void>;
}

interface Queued {
  jobs: Job[];
  resolve(): void;
  reject(thrown: unknown): void;
}

/** `runAll`: that of a thread; returns the jobs that are not done. */
export function createDispatcher(
  { workers, pool }: { workers: number; pool: Pool },
  runAll: (thread: Thread, jobs: Job[], onLate: () => void) => Promise<Job[]>,
): Dispatcher {
  const queue: Queued[] = [];
  let busy = 0;
  let planned = false;

  /** Jobs of one turn of the event loop are sent together. */
  function plan(): void {
    if (planned) return;
    planned = true;
    setImmediate(() => {
      planned = false;
      dispatch();
    });
  }

  function dispatch(): void {
    while (busy < workers && queue.length > 0) {
      // A share of the remaining jobs, so that later messages are small, and no job waits long for another thread's
      // last run.
      const share = queue.splice(0, Math.ceil(queue.length / workers));
      busy += 1;
      void serve(share);
    }
  }

  async function serve(share: Queued[]): Promise<void> {
    try {
      const wanted = await withoutUnwanted(share);
      const left =
        wanted.length === 0 ? [] : await pool.use((thread, onLate) => runAll(thread, wanted, onLate));
      const open = new Set(left);
      for (const sequence of share.toReversed()) {
        const jobs = sequence.jobs.filter((job) => open.has(job));
        if (jobs.length === 0) sequence.resolve();
        else queue.unshift({ ...sequence, jobs });
      }
    } catch (thrown) {
      for (const { reject } of share) reject(thrown);
    } finally {
      busy -= 1;
      dispatch();
    }
  }

  return {
    add: (sequence) =>
      new Promise((resolve, reject) => {
        queue.push({ jobs: [...sequence], resolve, reject });
        plan();
      }),
  };
}

async function withoutUnwanted(share: Queued[]): Promise<Job[]> {
  const jobs = share.flatMap((sequence) => sequence.jobs);
  const unwanted = jobs.filter((job) => job.isWanted?.() === false || (job.startsWithin?.() ?? 0) < 0);
  for (const job of unwanted) await job.ended("unstarted", 0);
  return unwanted.length === 0 ? jobs : jobs.filter((job) => !unwanted.includes(job));
}
