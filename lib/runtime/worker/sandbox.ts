import type { QuickJSContext, QuickJSHandle, QuickJSRuntime } from "quickjs-emscripten";
import {
  type Asked,
  type FailureCode,
  type Held,
  type Limits,
  LOOK_MS,
  type LoadFault,
  type Probed,
  type Run,
  type Script,
  type ScriptError,
  type StopCode,
} from "../protocol.ts";
import {
  NO_MODULES,
  pendingError,
  slowLoadError,
  stopError,
  taintedError,
  thrownFailure,
  trapFailure,
} from "./failures.ts";
import type { Instance } from "./instance.ts";
import { installPreludeCalls, type PreludeCalls, type PreludeCallsDeps } from "./prelude-calls.ts";

/** The outcome of a run, without its time. */
export type End = { ok: true } | { ok: false; code: FailureCode; error: ScriptError };

/** One QuickJS instance with the scripts of one release in one global environment. */
export interface Sandbox {
  /**
   * Evaluates the scripts in order, each once; a script that throws does not affect the others. A script that breaks
   * the sandbox is the last one. All of them share the limit's time, unless another time is given.
   */
  load(scripts: Script[], onStart: (script: Script) => void, timeoutMs?: number): LoadFault[];
  /** What each handler name refers to. */
  probe(handlers: string[]): Probed[];
  /** The value of each name, in order; undefined if it cannot be read in time. */
  look(asked: Asked, timeoutMs?: number): Held[] | undefined;
  /** The names of the global object's own properties. */
  globals(): string[];
  run(run: Run): End;
  /** False if the engine itself may be damaged: then the instance is dropped, not disposed, which could abort. */
  readonly intact: boolean;
  /** Only for an intact instance that is idle: anything that the engine still holds is a leak. */
  dispose(): void;
}

/** The number of names in one call, so that reading very many needs little of the scripts' memory. */
const NAMES_AT_ONCE = 10_000;

/** The engine checks `stop` repeatedly; an allocation that fails outside of it sets it too. */
export type SandboxDeps = PreludeCallsDeps;

/** Owns the instance: `dispose` disposes its context and runtime too. */
export function createSandbox(instance: Instance, deps: SandboxDeps): Sandbox {
  return new QuickJSSandbox(instance, deps);
}

class QuickJSSandbox implements Sandbox {
  readonly #runtime: QuickJSRuntime;
  readonly #context: QuickJSContext;
  readonly #instance: Instance;
  readonly #limits: Limits;
  readonly #stop: { code: StopCode | undefined };
  readonly #preludeCalls: PreludeCalls;
  #deadline = Number.POSITIVE_INFINITY;
  #intact = true;

  constructor(instance: Instance, deps: SandboxDeps) {
    this.#instance = instance;
    this.#runtime = instance.runtime;
    this.#context = instance.context;
    this.#limits = deps.limits;
    this.#stop = deps.stop;
    instance.runtime.setInterruptHandler(() => this.#mustStop());
    // The rejection of the promise of an import(); without a loader, the engine's error is about the imported file.
    instance.runtime.setModuleLoader(() => ({ error: new Error(NO_MODULES) }));
    this.#preludeCalls = installPreludeCalls(instance, deps);
  }

  get intact(): boolean {
    // A stack overflow without a trap may have overwritten the statics below the stack.
    return this.#intact && !this.#instance.layout.stackSpent();
  }

  load(
    scripts: Script[],
    onStart: (script: Script) => void,
    timeoutMs = this.#limits.loadTimeoutMs,
  ): LoadFault[] {
    const faults: LoadFault[] = [];
    this.#within(timeoutMs, () => {
      for (const script of scripts) {
        if (!this.#intact) return;
        onStart(script);
        const error = this.#evaluate(script);
        if (error) faults.push({ path: script.path, error });
      }
    });
    return faults;
  }

  probe(handlers: string[]): Probed[] {
    return this.#within(this.#limits.loadTimeoutMs, () =>
      handlers.map((handler) => this.#preludeCalls.probe(handler)),
    );
  }

  look(asked: Asked, timeoutMs = LOOK_MS): Held[] | undefined {
    return this.#within(timeoutMs, () => {
      const held: Held[] = [];
      let { declared } = asked;
      for (let at = 0; at < asked.names.length; at += NAMES_AT_ONCE) {
        const some = this.#preludeCalls.look({ names: asked.names.slice(at, at + NAMES_AT_ONCE), declared });
        if (!some) return undefined;
        for (const one of some) held.push(one);
        declared = [];
      }
      return held;
    });
  }

  globals(): string[] {
    return this.#within(LOOK_MS, () => this.#preludeCalls.globals());
  }

  run(run: Run): End {
    const before = this.#instance.failedAllocations();
    const isExhausted = () => this.#instance.failedAllocations() > before;
    try {
      return this.#within(run.timeoutMs, () => this.#finish(run, isExhausted));
    } catch (thrown) {
      // A trap, or an error of the glue: the instance's stack pointer, which is not part of memory, may be permanently
      // wrong.
      this.#intact = false;
      const { code } = this.#stop;
      if (code) return this.#stopped(code, run);
      return { ok: false, ...trapFailure(thrown, isExhausted() && !this.#instance.layout.stackSpent()) };
    }
  }

  dispose(): void {
    this.#preludeCalls.dispose();
    this.#context.dispose();
    this.#runtime.dispose();
  }

  #finish(run: Run, isExhausted: () => boolean): End {
    this.#preludeCalls.run(run.handler, run.event, run.context);
    this.#runJobs();
    if (this.#stop.code) return this.#stopped(this.#stop.code, run);
    const end = this.#preludeCalls.ended();
    if (this.#stop.code) return this.#stopped(this.#stop.code, run);
    if (end === "done") return { ok: true };
    if (end !== "pending") return { ok: false, ...thrownFailure(end.thrown, isExhausted()) };
    // The promise may be pending because there was no memory to settle it.
    return isExhausted()
      ? this.#stopped("memory", run)
      : { ok: false, code: "threw", error: pendingError(run) };
  }

  #stopped(code: StopCode, run: Run): End {
    return { ok: false, code, error: stopError(code, run, this.#limits) };
  }

  #mustStop(): boolean {
    if (!this.#stop.code && performance.now() >= this.#deadline) this.#stop.code = "timeout";
    return this.#stop.code !== undefined;
  }

  #within<T>(timeoutMs: number, work: () => T): T {
    this.#stop.code = undefined;
    this.#deadline = performance.now() + timeoutMs;
    try {
      return work();
    } finally {
      this.#deadline = Number.POSITIVE_INFINITY;
    }
  }

  /** Runs promise jobs until none is left, the run is stopped, or their limit is reached. */
  #runJobs(): void {
    // The engine turns an interrupt inside a job into a rejection and would continue with the next job.
    for (let left = this.#limits.jobs; !this.#stop.code && this.#runtime.hasPendingJob(); left -= 1) {
      if (left === 0) this.#stop.code = "jobs";
      else this.#runtime.executePendingJobs(1).dispose();
    }
  }

  #evaluate(script: Script): ScriptError | undefined {
    const before = this.#instance.failedAllocations();
    try {
      const result = this.#context.evalCode(script.source, script.path, { type: "global" });
      const where = result.error && this.#stop.code ? this.#stackOf(result.error) : "";
      const thrown = result.error && this.#preludeCalls.describe(result.error);
      if (!result.error) result.value.dispose();
      this.#runJobs();
      if (this.#stop.code === "timeout") return slowLoadError(this.#limits, where);
      if (!this.#stop.code && !result.error) return undefined;
      if (!this.#stop.code) return thrownFailure(thrown, this.#instance.failedAllocations() > before).error;
    } catch {
      // A trap: see run.
    }
    this.#intact = false;
    return taintedError(this.#limits);
  }

  /** The stack of the engine's own error about a stop, which runs no more code of the script. */
  #stackOf(stopped: QuickJSHandle): string {
    return this.#context.getProp(stopped, "stack").consume((handle) => this.#context.getString(handle));
  }
}
