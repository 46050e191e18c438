import { setTimeout as delay } from "node:timers/promises";
import { MessageChannel, Worker } from "node:worker_threads";
import type { RuntimeAssets } from "./assets.ts";
import type {
  FromWorker,
  HostCallName,
  Limits,
  LoadFault,
  LogLevel,
  Outcome,
  Run,
  Script,
  ToWorker,
  WorkerSetup,
} from "./protocol.ts";

/** What a run may ask of the main thread, and where its log lines go. */
export interface Host {
  /** Must not reject; `undefined` is what a failed call gives the script. The signal aborts when the run is over. */
  call(name: HostCallName, args: string[], signal: AbortSignal): Promise<string | undefined>;
  log(level: LogLevel, message: string): void;
}

/** One worker thread with one sandbox. It is used for one thing at a time. */
export interface Thread {
  load(scripts: Script[], host: Host): Promise<LoadFault[]>;
  probe(handlers: string[]): Promise<string[]>;
  /** Always an outcome; `killed` when the thread had to be ended, after which the thread is of no more use. */
  run(run: Run, host: Host): Promise<Outcome>;
  readonly alive: boolean;
  close(): Promise<void>;
}

export function startThread(assets: RuntimeAssets, limits: Limits): Thread {
  const { port1, port2 } = new MessageChannel();
  const signal = new SharedArrayBuffer(4);
  const ready = new Int32Array(signal);
  const setup: WorkerSetup = { wasm: assets.wasm, limits, calls: port2, signal };
  const worker = new Worker(assets.worker, {
    workerData: setup,
    transferList: [port2],
    env: {},
    stdin: false,
    resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 16 },
  });
  // Neither keeps the process alive: an idle container may end.
  worker.unref();
  port1.unref();

  let alive = true;
  let death = new Error("the sandbox thread ended");
  let receive: ((message: FromWorker | undefined) => void) | undefined;
  worker.on("message", (message: FromWorker) => receive?.(message));
  worker.on("error", (error) => {
    death = error instanceof Error ? error : new Error(String(error));
  });
  worker.on("exit", () => {
    alive = false;
    port1.close();
    receive?.(undefined);
  });

  async function answerCall(
    host: Host,
    name: HostCallName,
    args: string[],
    abort: AbortSignal,
  ): Promise<void> {
    const value = await host.call(name, args, abort);
    port1.postMessage({ value });
    Atomics.store(ready, 0, 1);
    Atomics.notify(ready, 0);
  }

  /** Sends one message and serves the worker until its answer comes; undefined when the thread died first. */
  function exchange(message: ToWorker, host: Host, abort: AbortSignal): Promise<FromWorker | undefined> {
    return new Promise((resolve, reject) => {
      if (!alive) return resolve(undefined);
      worker.ref();
      receive = (reply) => {
        if (reply?.type === "log") return host.log(reply.level, reply.message);
        if (reply?.type === "call") {
          answerCall(host, reply.name, reply.args, abort).catch(reject);
          return;
        }
        receive = undefined;
        worker.unref();
        resolve(reply);
      };
      worker.postMessage(message);
    });
  }

  /** As `exchange`, but terminates the thread when no answer comes in time. */
  async function exchangeWithin(
    timeoutMs: number,
    message: ToWorker,
    host: Host,
  ): Promise<FromWorker | undefined> {
    const over = new AbortController();
    const hardEnd = delay(timeoutMs, undefined, { signal: over.signal }).then(
      () => worker.terminate(),
      () => undefined,
    );
    try {
      return await exchange(message, host, over.signal);
    } finally {
      over.abort();
      await hardEnd;
    }
  }

  return {
    get alive() {
      return alive;
    },
    async load(scripts, host) {
      const reply = await exchangeWithin(START_MS + limits.loadTimeoutMs, { type: "load", scripts }, host);
      if (reply?.type === "loaded") return reply.faults;
      const message = `the scripts could not be loaded within ${limits.loadTimeoutMs} ms: ${death.message}`;
      return scripts.map(({ path }) => ({ path, error: { name: "", message, stack: "" } }));
    },
    async probe(handlers) {
      const reply = await exchangeWithin(limits.loadTimeoutMs, { type: "probe", handlers }, SILENT);
      return reply?.type === "probed" ? reply.problems : handlers.map(() => death.message);
    },
    async run(run, host) {
      const started = performance.now();
      const reply = await exchangeWithin(run.timeoutMs + limits.graceMs, { type: "run", run }, host);
      if (reply?.type === "ended") return reply.outcome;
      const message = `handler ${run.handler} did not stop within ${run.timeoutMs} ms; its thread was ended`;
      return {
        ok: false,
        code: "killed",
        error: { name: "", message, stack: "" },
        ms: performance.now() - started,
      };
    },
    async close() {
      await worker.terminate();
    },
  };
}

/** A worker's first answer includes its own start; see the figures of `npm run bench:runtime`. */
const START_MS = 5_000;
const SILENT: Host = { call: async () => undefined, log: () => {} };
