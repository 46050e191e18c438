import { MessageChannel, Worker } from "node:worker_threads";
import type { RuntimeAssets } from "./assets.ts";
import { type Job, type Link, serveJobs, type Watch } from "./jobs.ts";
import { createRunLog, type WriteLog } from "./log-budget.ts";
import { createProgress, PROGRESS_BYTES } from "./progress.ts";
import type {
  Asked,
  FromWorker,
  Held,
  Isolation,
  Limits,
  LoadFault,
  Outcome,
  Probed,
  Run,
  Script,
  Survey,
  SurveyedScript,
  ToWorker,
  Used,
  WorkerSetup,
} from "./protocol.ts";
import { createUnsentLog, UNSENT_LOG_BYTES } from "./unsent-log.ts";

/** One worker thread with one sandbox. It does one thing at a time. */
export interface Thread {
  /** If the thread does not survive, the script that was being evaluated is at fault. */
  load(scripts: Script[], log: WriteLog, replay?: Used): Promise<LoadFault[]>;
  /**
   * Loads as many scripts as there is time for, and reads the globals before and after each. If the thread does not
   * survive, only the script at fault is known. Throws if the sandbox does not start.
   */
  survey(scripts: SurveyedScript[]): Promise<Survey>;
  probe(handlers: string[]): Promise<Probed[]>;
  /** The values of these names, or all own names of the global object; empty if they cannot be read. */
  look(asked: Asked | undefined): Promise<Map<string, Held>>;
  /**
   * Runs these jobs in order; resolves with those that are not done because the thread had to be terminated, after
   * which it cannot be used any more.
   */
  runAll(jobs: readonly Job[], watch: Watch): Promise<Job[]>;
  readonly alive: boolean;
  close(): Promise<void>;
}

/** A worker's first answer includes its own start; see the figures of `npm run bench:runtime`. */
const START_MS = 5_000;
/** Why a thread ended; `late`: it did not answer in time. */
interface Death {
  late: boolean;
  why: string;
}
const ENDED: Death = {
  late: true,
  why: "gatehook ended its thread, since a native call cannot be stopped, such as a regular expression that backtracks",
};
const CLOSED: Death = { late: false, why: "its thread was closed with its release" };

const silent: WriteLog = () => {};

/** Does not keep the process alive while it is idle. The caller closes it. */
export function startThread(
  assets: RuntimeAssets,
  limits: Limits,
  isolation: Isolation,
  tellUsed = false,
): Thread {
  const { worker, calls, answered, progress, unsentLog } = startWorker(assets, {
    limits,
    isolation,
    tellUsed,
  });
  let alive = true;
  let death: Death | undefined;
  let loading: string | undefined;
  let extend: ((timeoutMs: number) => void) | undefined;
  let receive: ((message: FromWorker | undefined) => void) | undefined;
  worker.on("message", (message: FromWorker) => receive?.(message));
  worker.on("error", (error) => {
    const why = `its thread died: ${error instanceof Error ? error.message : String(error)}`;
    death ??= { late: false, why };
  });
  worker.on("exit", (code) => {
    alive = false;
    death ??= { late: false, why: `its thread ended with exit code ${code}` };
    calls.close();
    receive?.(undefined);
  });

  /** Waits for the worker's answer; undefined if the thread died first. */
  function exchange(message: ToWorker, writeLog: WriteLog) {
    return new Promise<FromWorker | undefined>((resolve) => {
      if (!alive) return resolve(undefined);
      const log = createRunLog(limits, writeLog);
      worker.ref();
      receive = (reply) => {
        if (reply?.type === "log") return log(reply.level, reply.message);
        if (reply?.type === "loading") {
          loading = reply.path;
          if (reply.leftMs !== undefined) extend?.(reply.leftMs + 2 * limits.graceMs);
          return;
        }
        receive = undefined;
        worker.unref();
        resolve(reply);
      };
      worker.postMessage(message);
    });
  }

  function kill(): Promise<number> {
    death ??= ENDED;
    return worker.terminate();
  }

  /** Like `exchange`, but terminates the thread if there is no answer in time; loading a script has its own time. */
  async function exchangeWithin(timeoutMs: number, message: ToWorker, log: WriteLog) {
    let ending: Promise<number> | undefined;
    let hardEnd: NodeJS.Timeout | undefined;
    extend = (ms) => {
      clearTimeout(hardEnd);
      hardEnd = setTimeout(() => {
        ending = kill();
      }, ms);
    };
    extend(timeoutMs);
    try {
      return await exchange(message, log);
    } finally {
      clearTimeout(hardEnd);
      await ending;
    }
  }

  const killed = (run: Run, ms: number): Outcome => {
    const message = lostText(`handler ${run.handler} did not stop`, run.timeoutMs, death);
    return { ok: false, code: "killed", error: { name: "", message, stack: "" }, ms, sandbox: "rebuilt" };
  };

  const link: Link = {
    limits,
    progress,
    unsentLog,
    restMs: START_MS + limits.loadTimeoutMs,
    killed,
    kill: () => void kill(),
    post: (message) => worker.postMessage(message),
    answer(message) {
      calls.postMessage(message);
      Atomics.add(answered, 0, 1);
      Atomics.notify(answered, 0);
    },
    receive(take) {
      receive = take;
      if (take) worker.ref();
      else worker.unref();
      if (take && !alive) take(undefined);
    },
  };

  const lost = (path: string): LoadFault => {
    const message = lostText("did not finish loading", limits.loadTimeoutMs, death);
    return { path, error: { name: "", message, stack: "" } };
  };

  return {
    get alive() {
      return alive;
    },
    async load(scripts, log, replay) {
      const message: ToWorker = { type: "load", scripts, replay };
      const reply = await exchangeWithin(START_MS + limits.loadTimeoutMs, message, log);
      if (reply?.type === "loaded") return reply.faults;
      return loading === undefined ? scripts.map(({ path }) => lost(path)) : [lost(loading)];
    },
    async survey(scripts) {
      const untilFirst = START_MS + limits.loadTimeoutMs;
      const reply = await exchangeWithin(untilFirst, { type: "survey", scripts }, silent);
      if (reply?.type === "surveyed") return reply;
      if (loading === undefined) throw new Error(lostText("the sandbox did not start", untilFirst, death));
      return { faults: [lost(loading)], defined: [] };
    },
    async probe(handlers) {
      const reply = await exchangeWithin(limits.loadTimeoutMs, { type: "probe", handlers }, silent);
      return reply?.type === "probed" ? reply.answers : handlers.map(() => "unreadable");
    },
    async look(asked) {
      const reply = await exchangeWithin(limits.loadTimeoutMs, { type: "look", asked }, silent);
      return reply?.type === "looked" ? reply.held : new Map();
    },
    runAll: (jobs, watch) => serveJobs(jobs, link, watch),
    async close() {
      death ??= CLOSED;
      await worker.terminate();
    },
  };
}

/** The worker, with the port and the memory that both sides share; `answered` counts the answers on the port. */
function startWorker(
  { worker: file, wasm }: RuntimeAssets,
  how: Pick<WorkerSetup, "limits" | "isolation" | "tellUsed">,
) {
  const { port1, port2 } = new MessageChannel();
  const signal = new SharedArrayBuffer(4);
  const progress = new SharedArrayBuffer(PROGRESS_BYTES);
  const unsentLog = new SharedArrayBuffer(UNSENT_LOG_BYTES);
  const setup: WorkerSetup = { wasm, ...how, calls: port2, signal, progress, unsentLog };
  const worker = new Worker(file, {
    workerData: setup,
    transferList: [port2],
    env: {},
    stdin: false,
    // Output of the engine, such as "Aborted()", is not part of our log.
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 },
  });
  worker.stdout.resume();
  worker.stderr.resume();
  // Neither keeps the process alive: an idle container may end.
  worker.unref();
  port1.unref();
  return {
    worker,
    calls: port1,
    answered: new Int32Array(signal),
    progress: createProgress(progress),
    unsentLog: createUnsentLog(unsentLog),
  };
}

/** What was not done, and why the thread ended. */
const lostText = (what: string, ms: number, death: Death = CLOSED) =>
  `${what}${death.late ? ` within ${ms} ms` : ""}: ${death.why}`;
