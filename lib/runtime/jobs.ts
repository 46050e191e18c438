import { createCallBudget } from "./call-budget.ts";
import { clockMs } from "./clock.ts";
import type { Host } from "./host.ts";
import { createRunLog, type WriteLog } from "./log-budget.ts";
import type { Progress } from "./progress.ts";
import type {
  Call,
  CallAnswer,
  FromWorker,
  HostCallName,
  Limits,
  Operation,
  Outcome,
  Run,
  RunEnd,
  StopCode,
  ToWorker,
} from "./protocol.ts";
import type { UnsentLog } from "./unsent-log.ts";

/** The result of a job: its outcome, or "unstarted" if it was too late or no longer wanted. */
export type JobEnd = Outcome | "unstarted";

/** One run, with a callback for its end. */
export interface Job {
  run: Run;
  host: Host;
  /** False: its result would be discarded. Then it is not started, or ends with its next call. */
  isWanted?(): boolean;
  /** The time in ms in which it may still be started; below 0: it may not. */
  startsWithin?(): number;
  /**
   * Applies the changes of the run. Later calls of the same thread are answered only after that. Must not reject.
   * `waitedMs`: how long calls of the run waited for this step of earlier runs.
   */
  ended(end: JobEnd, waitedMs: number): Promise<void>;
}

/** Notified about the jobs of one message while they run. */
export interface Watch {
  /** The thread must probably be terminated: called halfway through the grace period of a run. */
  onLate(): void;
  /** Before the job's own `ended`. */
  onEnd(outcome: Outcome, rebuilding: boolean): void;
  /** Lines of scripts that are loaded again. */
  logLoading: WriteLog;
}

/** The connection to the thread of a message's jobs. */
export interface Link {
  limits: Limits;
  progress: Progress;
  unsentLog: UnsentLog;
  post(message: ToWorker): void;
  answer(message: CallAnswer): void;
  /** Receives the worker's messages from now on; undefined after the thread has ended. */
  receive(take: ((message: FromWorker | undefined) => void) | undefined): void;
  /** Terminates the thread, which did not answer in time. */
  kill(): void;
  /** The outcome of the run that was in progress when the thread ended. */
  killed(run: Run, ms: number): Outcome;
  /** The longest time between two runs, in ms, which may include rebuilding the sandbox. */
  restMs: number;
}

const NEVER = new AbortController().signal;

/** The state of a running job in the main thread. */
interface Open {
  job: Job;
  log: WriteLog;
  waitedMs: number;
  waitingSince: number | undefined;
  stop: StopCode | undefined;
  admit(requests: number): boolean;
  count(name: HostCallName): void;
  dropped: boolean;
  /** It has ended: its calls no longer get an answer. */
  over: boolean;
}

function open(job: Job, limits: Limits): Open {
  const budget = createCallBudget(limits);
  const opened: Open = {
    job,
    log: createRunLog(limits, (level, line) => job.host.log(level, line)),
    waitedMs: 0,
    waitingSince: undefined,
    stop: undefined,
    admit(requests) {
      opened.stop ??= budget.batch(requests);
      return opened.stop === undefined;
    },
    count(name) {
      opened.stop ??= budget.call(name);
    },
    dropped: false,
    over: false,
  };
  return opened;
}

const runOf = ({ run, startsWithin }: Job): Run =>
  startsWithin ? { ...run, startBy: clockMs() + startsWithin() } : run;

/**
 * Sends these jobs to a thread in one message, and serves their calls. They run in order. Resolves with the jobs that
 * are not done because the thread ended; that fails at most one job.
 */
export function serveJobs(jobs: readonly Job[], link: Link, watcher: Watch): Promise<Job[]> {
  const { limits, progress } = link;
  const { promise, resolve, reject } = Promise.withResolvers<Job[]>();
  const logLoading = createRunLog(limits, watcher.logLoading);
  /** The first job whose end was not reported yet. */
  let next = 0;
  let current = openNext();
  let rebuilding = false;
  let calling: AbortController | undefined;
  let broken: { thrown: unknown } | undefined;
  const given = clockMs();
  let stopWatch = () => {};

  function openNext(): Open | undefined {
    const job = jobs[next];
    return job && open(job, limits);
  }

  /** The worker's messages are processed one by one; after a failure, no more of them are. */
  let last: Promise<void> = Promise.resolve();
  function inTurn(work: () => void | Promise<void>): void {
    last = last.then(work);
    last.catch(fail);
  }

  function close(): void {
    stopWatch();
    calling?.abort();
    calling = undefined;
    link.receive(undefined);
  }
  function finish(left: Job[]): void {
    close();
    resolve(left);
  }
  /** The state of the thread is then unknown: it is terminated, and the error is reported after that. */
  function fail(thrown: unknown): void {
    broken ??= { thrown };
    link.kill();
  }

  async function takeIn({ job: { host }, log, admit }: Open, operations: Operation[]): Promise<void> {
    for (const operation of operations) {
      if (operation[0] === "log") log(operation[1], operation[2]);
      else if (operation[0] === "read") host.gave?.(operation[1], operation[2], operation[3] - given);
      else {
        const scope = { signal: NEVER, after: operation[2] - given, log, admit };
        await host.call("setKeyData", operation[1], scope);
      }
    }
  }

  async function answer(of: Open, { id, name, args, at }: Call): Promise<void> {
    if (of.over) return;
    if (of.job.isWanted?.() === false) {
      // Any code will do: this run is discarded.
      of.dropped = true;
      of.stop ??= "timeout";
    }
    if (!of.stop) of.count(name);
    if (of.stop) return link.answer({ id, stop: of.stop });
    const call = new AbortController();
    calling = call;
    const scope = { signal: call.signal, after: at - given, log: of.log, admit: of.admit };
    const value = await of.job.host.call(name, args, scope);
    if (calling === call) calling = undefined;
    link.answer(of.stop ? { id, stop: of.stop } : { id, value });
  }

  function takeCall(of: Open, call: Call): void {
    const since = clockMs();
    of.waitingSince = since;
    inTurn(() => takeIn(of, call.operations));
    inTurn(() => {
      of.waitingSince = undefined;
      of.waitedMs += clockMs() - since;
      // Not awaited: if the run is killed in the meantime, its end must be reported immediately.
      answer(of, call).catch(fail);
    });
  }

  function end(of: Open, { outcome, rebuilding, operations, used }: RunEnd): void {
    next += 1;
    current = openNext();
    of.over = true;
    if (outcome) watcher.onEnd(outcome, rebuilding);
    const waiting = of.waitingSince === undefined ? 0 : clockMs() - of.waitingSince;
    inTurn(async () => {
      await takeIn(of, operations);
      if (used) of.job.host.used?.(used);
      await of.job.ended(of.dropped || !outcome ? "unstarted" : outcome, of.waitedMs + waiting);
    });
  }

  function takeEnds(ends: RunEnd[]): void {
    calling?.abort();
    calling = undefined;
    for (const one of ends) if (current) end(current, one);
    rebuilding = ends.at(-1)?.rebuilding ?? false;
    if (next === jobs.length && !rebuilding) inTurn(() => finish([]));
  }

  function died(): void {
    if (broken) {
      close();
      reject(broken.thrown);
      return;
    }
    const at = progress.index;
    // A thread that ends before its first run also fails one job, so that each message makes progress.
    const victim = at >= next ? at : next === 0 ? 0 : undefined;
    const left = jobs.slice(next).filter((_, index) => next + index !== victim);
    const job = victim === undefined ? undefined : jobs[victim];
    calling?.abort();
    calling = undefined;
    if (job) {
      const of = (victim === next && current) || open(job, limits);
      const started = at >= next ? progress.startedAt : given;
      const operations =
        at >= next ? link.unsentLog.read().map(([level, text]): Operation => ["log", level, text]) : [];
      end(of, { outcome: link.killed(job.run, clockMs() - started), rebuilding: false, operations });
    }
    inTurn(() => finish(left));
  }

  progress.rest();
  for (const { host } of jobs) host.begin?.();
  link.receive((message) => {
    if (!message) return died();
    switch (message.type) {
      case "log":
        return logLoading(message.level, message.message);
      case "rebuilt":
        rebuilding = false;
        if (next === jobs.length) inTurn(() => finish([]));
        return;
      case "ended":
        return takeEnds(message.ends);
    }
    const of = current;
    if (of && message.type === "operations") inTurn(() => takeIn(of, message.operations));
    if (of && message.type === "call") takeCall(of, message);
  });
  link.post({ type: "runs", runs: jobs.map(runOf) });
  stopWatch = watchDeadlines(jobs, link, given, () => watcher.onLate());
  return promise;
}

/**
 * Terminates the thread when its current run has not ended in time. One timer for all runs: it checks which run is in
 * progress, and since when. `given`: when the jobs were sent. Returns the function that ends it.
 */
function watchDeadlines(jobs: readonly Job[], link: Link, given: number, onLate: () => void): () => void {
  const { limits, progress } = link;
  const soonest = Math.min(...jobs.map(({ run }) => run.timeoutMs)) + limits.graceMs;
  let timer: NodeJS.Timeout | undefined;
  let isLate = false;

  function look(): void {
    const running = jobs[progress.index];
    const since = running ? progress.startedAt : Math.max(given, progress.startedAt);
    const left = since + (running ? running.run.timeoutMs + limits.graceMs : link.restMs) - clockMs();
    if (left <= 0) {
      link.kill();
      return;
    }
    const untilLate = left - limits.graceMs / 2;
    if (running && untilLate <= 0 && !isLate) {
      isLate = true;
      onLate();
    }
    // Another run with an earlier deadline may begin in the meantime.
    const pause = Math.min(untilLate > 0 ? untilLate : left, soonest - limits.graceMs / 2);
    timer = setTimeout(look, Math.max(1, pause));
  }

  look();
  return () => clearTimeout(timer);
}
