import { randomUUID } from "node:crypto";
import type { Job } from "../../console/answers.ts";
import { AppError, errorText } from "../../lib/errors.ts";

/** Work that takes longer than a request. */
export interface Jobs {
  start(kind: Job["kind"], work: (job: Job, stop: AbortSignal) => Promise<void>): Job;
  /** Throws `request-invalid` if there is none. */
  get(id: string): Job;
  stop(id: string): Job;
  /** Stops all jobs, and waits until they have ended. */
  close(): Promise<void>;
}

const KEPT = 50;

/** One job runs at a time: `start` throws `request-invalid` while another one is running. The newest 50 are kept. */
export function createJobs(): Jobs {
  const jobs = new Map<string, { job: Job; stop: AbortController; over: Promise<void> }>();

  function find(id: string) {
    const found = jobs.get(id);
    if (found) return found;
    throw new AppError("request-invalid", "there is no such job: the console may have been restarted", {
      field: "id",
    });
  }

  async function run(job: Job, stop: AbortSignal, work: (job: Job, stop: AbortSignal) => Promise<void>) {
    try {
      await work(job, stop);
      job.state = stop.aborted ? "stopped" : "done";
    } catch (thrown) {
      job.state = "failed";
      job.error = errorText(thrown);
    }
  }

  return {
    start(kind, work) {
      const running = [...jobs.values()].find(({ job }) => job.state === "running");
      // Two readers of one queue would hide its letters from each other.
      if (running)
        throw new AppError(
          "request-invalid",
          `a ${running.job.kind} is running: wait for its end, or stop it`,
        );
      const job: Job = { ...EMPTY, id: randomUUID(), kind, groups: [], tried: [] };
      const stop = new AbortController();
      jobs.set(job.id, { job, stop, over: run(job, stop.signal, work) });
      for (const oldest of jobs.keys()) if (jobs.size > KEPT) jobs.delete(oldest);
      return job;
    },
    get: (id) => find(id).job,
    stop(id) {
      const { job, stop } = find(id);
      stop.abort();
      return job;
    },
    async close() {
      for (const { stop } of jobs.values()) stop.abort();
      await Promise.all([...jobs.values()].map(({ over }) => over));
    },
  };
}

const EMPTY: Omit<Job, "id" | "kind" | "groups" | "tried"> = {
  state: "running",
  read: 0,
  total: 0,
  done: 0,
  failed: 0,
  error: "",
  complete: false,
};
