import variant from "@jitl/quickjs-wasmfile-release-sync";
import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  type QuickJSContext,
  type QuickJSHandle,
  type QuickJSRuntime,
} from "quickjs-emscripten-core";
import type { FailureCode, Limits, LoadFault, Outcome, Run, Script, ScriptError } from "./protocol.ts";

/** What the scripts can reach of the host: text in, text or nothing out, synchronously. */
export type HostCall = (name: string, args: string[]) => string | undefined;

/** One QuickJS instance with the scripts of one release in one global environment. */
export interface Sandbox {
  /** Evaluates the scripts in order, each once; one that fails does not hold back the others. */
  load(scripts: Script[]): LoadFault[];
  /** Per handler name, what is wrong with it; "" when nothing is. */
  probe(handlers: string[]): string[];
  run(run: Run): Outcome;
  /** False once a run ended in a way after which the instance is not to be trusted; it is dropped, not disposed. */
  readonly sound: boolean;
}

const WASM_PAGE = 64 * 1024;

export async function createSandbox(deps: {
  wasm: WebAssembly.Module;
  prelude: string;
  limits: Limits;
  hostCall: HostCall;
}): Promise<Sandbox> {
  const { limits } = deps;
  // Memory of our own, as large as it may ever be: a hard cap, which QuickJS's own limit is not for giant
  // strings and typed arrays, and a buffer that never moves.
  const pages = Math.ceil(limits.memoryBytes / WASM_PAGE);
  const wasmMemory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const engine = await newQuickJSWASMModuleFromVariant(
    newVariant(variant, { wasmModule: deps.wasm, wasmMemory }),
  );
  const runtime = engine.newRuntime({
    memoryLimitBytes: limits.memoryBytes,
    maxStackSizeBytes: limits.stackBytes,
  });
  const context = runtime.newContext();
  return new QuickJSSandbox(runtime, context, deps);
}

class QuickJSSandbox implements Sandbox {
  readonly #runtime: QuickJSRuntime;
  readonly #context: QuickJSContext;
  readonly #limits: Limits;
  /** Every handle of the host lives as long as the instance: a script may delete or overwrite what it names. */
  readonly #entry: Record<"run" | "ended" | "describe" | "probe", QuickJSHandle>;
  #deadline = Number.POSITIVE_INFINITY;
  #interrupted = false;
  #sound = true;

  constructor(
    runtime: QuickJSRuntime,
    context: QuickJSContext,
    deps: { prelude: string; limits: Limits; hostCall: HostCall },
  ) {
    this.#runtime = runtime;
    this.#context = context;
    this.#limits = deps.limits;
    runtime.setInterruptHandler(() => this.#isLate());
    const entries = this.#install(deps.prelude, deps.hostCall);
    const entry = (name: string) => context.getProp(entries, name);
    this.#entry = {
      run: entry("run"),
      ended: entry("ended"),
      describe: entry("describe"),
      probe: entry("probe"),
    };
  }

  get sound(): boolean {
    return this.#sound;
  }

  load(scripts: Script[]): LoadFault[] {
    return this.#within(this.#limits.loadTimeoutMs, () => {
      const faults = scripts.flatMap((script) => {
        const error = this.#evaluate(script);
        return error ? [{ path: script.path, error }] : [];
      });
      this.#runJobs(() => true);
      return faults;
    });
  }

  probe(handlers: string[]): string[] {
    return this.#within(this.#limits.loadTimeoutMs, () =>
      handlers.map((handler) => this.#callForText(this.#entry.probe, [handler]) ?? "cannot be looked up"),
    );
  }

  run(run: Run): Outcome {
    const started = performance.now();
    const failed = (code: FailureCode, error: ScriptError): Outcome => {
      this.#sound = code === "threw" && this.#sound;
      return { ok: false, code, error, ms: performance.now() - started };
    };
    try {
      return this.#within(run.timeoutMs, () => {
        const stopped = this.#call(this.#entry.run, [run.handler, run.event, run.context]);
        if (!stopped) this.#runJobs(() => this.#callForText(this.#entry.ended, []) === "");
        if (this.#interrupted) return failed("timeout", timeoutError(run));
        if (stopped) return failed(codeOf(stopped), stopped);
        const end = this.#callForText(this.#entry.ended, []);
        if (end === undefined) return failed("memory", { name: "", message: "out of memory", stack: "" });
        if (end === "") return failed("threw", pendingError(run));
        const { ok, error } = JSON.parse(end) as { ok: boolean; error: ScriptError };
        return ok ? { ok: true, ms: performance.now() - started } : failed(codeOf(error), error);
      });
    } catch (thrown) {
      // A trap, or an error of the glue: the instance's stack pointer may be off for good.
      this.#sound = false;
      if (this.#interrupted) return failed("timeout", timeoutError(run));
      return failed(trapCode(thrown), { name: "", message: String(thrown), stack: "" });
    }
  }

  #isLate(): boolean {
    if (performance.now() < this.#deadline) return false;
    this.#interrupted = true;
    return true;
  }

  #within<T>(timeoutMs: number, work: () => T): T {
    this.#interrupted = false;
    this.#deadline = performance.now() + timeoutMs;
    try {
      return work();
    } finally {
      this.#deadline = Number.POSITIVE_INFINITY;
    }
  }

  /** Runs promise jobs, at most `limits.jobs`, while `wanted` and the deadline allow. */
  #runJobs(wanted: () => boolean): void {
    for (let left = this.#limits.jobs; left > 0 && this.#runtime.hasPendingJob() && wanted(); left -= 1) {
      const result = this.#runtime.executePendingJobs(1);
      result.dispose();
      // The engine turns an interrupt inside a job into a rejection and would go on with the next job.
      if (this.#interrupted) return;
    }
  }

  #install(prelude: string, hostCall: HostCall): QuickJSHandle {
    const context = this.#context;
    const factory = context.unwrapResult(
      context.evalCode(prelude, "prelude.js", { type: "global", strict: true }),
    );
    const host = context.newFunction("hostCall", (...handles) => {
      const [name = "", ...args] = handles.map((handle) => context.getString(handle));
      const answer = hostCall(name, args);
      return answer === undefined ? context.undefined : context.newString(answer);
    });
    const { logLineChars } = this.#limits;
    const limits = context.unwrapResult(
      context.evalCode(`(${JSON.stringify({ logLineChars, errorChars: 8_192 })})`, "limits.js"),
    );
    return context.unwrapResult(context.callFunction(factory, context.undefined, host, limits));
  }

  #evaluate(script: Script): ScriptError | undefined {
    const context = this.#context;
    const result = context.evalCode(script.source, script.path, { type: "global" });
    if (!result.error) {
      result.value.dispose();
      return undefined;
    }
    if (this.#interrupted) {
      result.error.dispose();
      const message = `did not finish loading within ${this.#limits.loadTimeoutMs} ms`;
      return { name: "", message, stack: "" };
    }
    return this.#describe(result.error);
  }

  /** Calls an entry with text arguments; answers what stopped it, if something did. */
  #call(entry: QuickJSHandle, args: string[]): ScriptError | undefined {
    const handles = args.map((arg) => this.#context.newString(arg));
    const result = this.#context.callFunction(entry, this.#context.undefined, handles);
    for (const handle of handles) handle.dispose();
    if (!result.error) {
      result.value.dispose();
      return undefined;
    }
    return this.#describe(result.error);
  }

  #callForText(entry: QuickJSHandle, args: string[]): string | undefined {
    const handles = args.map((arg) => this.#context.newString(arg));
    const result = this.#context.callFunction(entry, this.#context.undefined, handles);
    for (const handle of handles) handle.dispose();
    if (result.error) {
      result.error.dispose();
      return undefined;
    }
    return result.value.consume((handle) => this.#context.getString(handle));
  }

  /** Disposes the handle; the text is made inside the sandbox, where hostile getters are under the deadline. */
  #describe(thrown: QuickJSHandle): ScriptError {
    const unknown = { name: "", message: "out of memory, or stopped", stack: "" };
    if (this.#interrupted) {
      thrown.dispose();
      return unknown;
    }
    const result = this.#context.callFunction(this.#entry.describe, this.#context.undefined, thrown);
    thrown.dispose();
    if (result.error) {
      result.error.dispose();
      return unknown;
    }
    return JSON.parse(result.value.consume((handle) => this.#context.getString(handle))) as ScriptError;
  }
}

function timeoutError(run: Run): ScriptError {
  const message = `handler ${run.handler} ran longer than ${run.timeoutMs} ms and was stopped`;
  return { name: "", message, stack: "" };
}

function pendingError(run: Run): ScriptError {
  const message = `the promise that handler ${run.handler} returned can never settle: nothing is left to run`;
  return { name: "", message, stack: "" };
}

function codeOf(error: ScriptError): FailureCode {
  if (error.message === "out of memory, or stopped") return "memory";
  if (error.name !== "InternalError") return "threw";
  if (error.message.includes("out of memory")) return "memory";
  return error.message.includes("stack overflow") ? "stack" : "threw";
}

/** The parser recurses over the WebAssembly stack whatever limit QuickJS was given: a host RangeError or a trap. */
function trapCode(thrown: unknown): FailureCode {
  const text = String(thrown);
  return /call stack|stack/i.test(text) ? "stack" : "memory";
}
