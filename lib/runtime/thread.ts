import { MessageChannel, Worker } from "node:worker_threads";
import type { RuntimeAssets } from "./assets.ts";
import { createCallBudget } from "./call-budget.ts";
import { createRunLog, type WriteLog } from "./log-budget.ts";
import type {
  Asked,
  CallAnswer,
  FromWorker,
  Held,
  HostCallName,
  Isolation,
  Limits,
  LoadFault,
  Outcome,
  Probed,
  Run,
  Script,
  StopCode,
  Survey,
  SurveyedScript,
  ToWorker,
  WorkerSetup,
} from "./protocol.ts";

/** What a run may ask of the main thread, and where its log lines go. */
export interface Host {
  /** Must not reject; `undefined` is what a failed call gives the script. */
  call(name: HostCallName, args: string[], scope: CallScope): Promise<string | undefined>;
  /** Is given no more than a run may log. */
  log: WriteLog;
}

/** What a host call has of the run that makes it. */
export interface CallScope {
  /** Aborts when the run ends first. */
  signal: AbortSignal;
  /** Counts as the script's own lines do. */
  log: WriteLog;
  /**
   * Counts the HTTP requests of a batch, before any is sent. False: that is more than the run may make. It ends with
   * this call, whose answer counts no more, and none of them may be sent.
   */
  admit(requests: number): boolean;
}

/** One worker thread with one sandbox. It is used for one thing at a time. */
export interface Thread {
  /** When the thread does not survive it, the fault is of the script that was being evaluated. */
  load(scripts: Script[], host: Host): Promise<LoadFault[]>;
  /**
   * As many of the scripts as there is time for, each looked at before and after. When the thread does not survive
   * it, nothing is known but the script at fault. Throws when the sandbox does not start.
   */
  survey(scripts: SurveyedScript[]): Promise<Survey>;
  probe(handlers: string[]): Promise<Probed[]>;
  /** What these names hold, or all own names of the global object; nothing when it cannot be told. */
  look(asked: Asked | undefined): Promise<Map<string, Held>>;
  /**
   * Always an outcome; `killed` when the thread had to be ended, after which the thread is of no more use. That this
   * is likely is told halfway through the grace.
   */
  run(run: Run, host: Host, onLate: () => void): Promise<{ outcome: Outcome; rebuilding: boolean }>;
  /** After a run that left the sandbox rebuilding: when it can be used again, or the thread is no more. */
  rebuilt(host: Host): Promise<void>;
  readonly alive: boolean;
  close(): Promise<void>;
}

/** A worker's first answer includes its own start; see the figures of `npm run bench:runtime`. */
const START_MS = 5_000;
/** Why a thread is no more; `late`: it did not answer in time. */
interface Death {
  late: boolean;
  why: string;
}
const ENDED: Death = {
  late: true,
  why: "gatehook ended its thread, since a native call cannot be stopped, such as a regular expression that backtracks",
};
const CLOSED: Death = { late: false, why: "its thread was closed with its release" };

const SILENT: Host = { call: async () => undefined, log: () => {} };

export function startThread(assets: RuntimeAssets, limits: Limits, isolation: Isolation): Thread {
  const { port1, port2 } = new MessageChannel();
  const signal = new SharedArrayBuffer(4);
  const answered = new Int32Array(signal);
  const setup: WorkerSetup = { wasm: assets.wasm, limits, isolation, calls: port2, signal };
  const worker = new Worker(assets.worker, {
    workerData: setup,
    transferList: [port2],
    env: {},
    stdin: false,
    // The engine's own last words, such as "Aborted()", are not lines of our log.
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 },
  });
  worker.stdout.resume();
  worker.stderr.resume();
  // Neither keeps the process alive: an idle container may end.
  worker.unref();
  port1.unref();

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
    port1.close();
    receive?.(undefined);
  });

  function answer(message: CallAnswer): void {
    port1.postMessage(message);
    Atomics.add(answered, 0, 1);
    Atomics.notify(answered, 0);
  }

  type Call = Extract<FromWorker, { type: "call" }>;
  let calling: AbortController | undefined;

  /** Answers the calls of one run, within its limits. They are counted here, where it is known what was asked. */
  function createCalls(host: Host, log: WriteLog): (call: Call) => Promise<void> {
    const budget = createCallBudget(limits);
    let stop: StopCode | undefined;
    const admit = (requests: number) => {
      stop ??= budget.batch(requests);
      return stop === undefined;
    };
    return async ({ id, name, args }) => {
      stop ??= budget.call(name);
      if (stop) return answer({ id, stop });
      const call = new AbortController();
      calling = call;
      const value = await host.call(name, args, { signal: call.signal, log, admit });
      if (calling === call) calling = undefined;
      answer(stop ? { id, stop } : { id, value });
    };
  }

  /** Serves the worker until its answer comes; undefined when the thread died first. */
  function exchange(message: ToWorker | undefined, host: Host) {
    return new Promise<FromWorker | undefined>((resolve, reject) => {
      if (!alive) return resolve(undefined);
      const log = createRunLog(limits, (level, line) => host.log(level, line));
      const answerCall = createCalls(host, log);
      worker.ref();
      receive = (reply) => {
        if (reply?.type === "log") return log(reply.level, reply.message);
        if (reply?.type === "loading") {
          loading = reply.path;
          if (reply.leftMs !== undefined) extend?.(reply.leftMs + 2 * limits.graceMs);
          return;
        }
        if (reply?.type === "call") {
          answerCall(reply).catch(reject);
          return;
        }
        receive = undefined;
        worker.unref();
        resolve(reply);
      };
      if (message) worker.postMessage(message);
    });
  }

  /** As `exchange`, but terminates the thread when no answer comes in time; a script that is loaded has its own. */
  async function exchangeWithin(timeoutMs: number, message: ToWorker | undefined, host: Host) {
    // A plain timer, and no abort but of a call under way: a million of `timers/promises` with a signal, or of aborts,
    // were seen to leave the process some 20 MB larger.
    let ending: Promise<number> | undefined;
    let hardEnd: NodeJS.Timeout | undefined;
    extend = (ms) => {
      clearTimeout(hardEnd);
      hardEnd = setTimeout(() => {
        death ??= ENDED;
        ending = worker.terminate();
      }, ms);
    };
    extend(timeoutMs);
    try {
      return await exchange(message, host);
    } finally {
      clearTimeout(hardEnd);
      calling?.abort();
      calling = undefined;
      await ending;
    }
  }

  const lost = (path: string): LoadFault => {
    const message = lostText("did not finish loading", limits.loadTimeoutMs, death);
    return { path, error: { name: "", message, stack: "" } };
  };

  return {
    get alive() {
      return alive;
    },
    async load(scripts, host) {
      const reply = await exchangeWithin(START_MS + limits.loadTimeoutMs, { type: "load", scripts }, host);
      if (reply?.type === "loaded") return reply.faults;
      return loading === undefined ? scripts.map(({ path }) => lost(path)) : [lost(loading)];
    },
    async survey(scripts) {
      const untilFirst = START_MS + limits.loadTimeoutMs;
      const reply = await exchangeWithin(untilFirst, { type: "survey", scripts }, SILENT);
      if (reply?.type === "surveyed") return reply;
      if (loading === undefined) throw new Error(lostText("the sandbox did not start", untilFirst, death));
      return { faults: [lost(loading)], defined: [] };
    },
    async probe(handlers) {
      const reply = await exchangeWithin(limits.loadTimeoutMs, { type: "probe", handlers }, SILENT);
      return reply?.type === "probed" ? reply.answers : handlers.map(() => "unreadable");
    },
    async look(asked) {
      const reply = await exchangeWithin(limits.loadTimeoutMs, { type: "look", asked }, SILENT);
      return reply?.type === "looked" ? reply.held : new Map();
    },
    async run(run, host, onLate) {
      const started = performance.now();
      const { timeoutMs } = run;
      const late = setTimeout(onLate, timeoutMs + limits.graceMs / 2);
      const reply = await exchangeWithin(timeoutMs + limits.graceMs, { type: "run", run }, host);
      clearTimeout(late);
      if (reply?.type === "ended") return reply;
      const message = lostText(`handler ${run.handler} did not stop`, timeoutMs, death);
      return { outcome: killed(message, performance.now() - started), rebuilding: false };
    },
    async rebuilt(host) {
      await exchangeWithin(START_MS + limits.loadTimeoutMs, undefined, host);
    },
    async close() {
      death ??= CLOSED;
      await worker.terminate();
    },
  };
}

const killed = (message: string, ms: number): Outcome => ({
  ok: false,
  code: "killed",
  error: { name: "", message, stack: "" },
  ms,
  sandbox: "rebuilt",
});

/** What was not done, and who ended it and why. */
const lostText = (what: string, ms: number, death: Death = CLOSED) =>
  `${what}${death.late ? ` within ${ms} ms` : ""}: ${death.why}`;
