import { type QuickJSHandle, Scope } from "quickjs-emscripten";
import { IDENTIFIER_PATH } from "../identifiers.ts";
import type { Asked, Held, Limits, Probed, StopCode } from "../protocol.ts";
import { noNameError, type Thrown } from "./failures.ts";
import { type HostCall, newHostFunction } from "./host-function.ts";
import type { Instance } from "./instance.ts";
import type { Prelude } from "./jsvm/source.ts";

/**
 * The functions of the prelude that the host calls inside a sandbox. All of them are subject to the deadline, and may
 * be stopped.
 */
export interface PreludeCalls {
  /** Starts a run. */
  run(handler: string, event: string, context: string): void;
  /** How the run ended; read once after its jobs are done. */
  ended(): "done" | "pending" | { thrown: Thrown | undefined };
  probe(handler: string): Probed;
  /** The value of each name, in order; undefined if it cannot be read. */
  look(asked: Asked): Held[] | undefined;
  /** The names of the global object's own properties. */
  globals(): string[];
  /**
   * Disposes the handle of a thrown value; its text is made inside the sandbox, where hostile getters use the script's
   * time. Undefined if it cannot be made.
   */
  describe(thrown: QuickJSHandle): Thrown | undefined;
  dispose(): void;
}

/** `stop.code` is set by a host call that exceeds a limit; the sandbox clears it before each run. */
export interface PreludeCallsDeps {
  prelude: Prelude;
  limits: Limits;
  hostCall: HostCall;
  stop: { code: StopCode | undefined };
}

const ARGUMENT_CHARS = 4 * 1024 * 1024;
const NAME_CHARS = 4 * 1024;
const ERROR_CHARS = 8 * 1024;

/**
 * Evaluates the prelude in a new context, before any script. Names of handlers are checked here and not inside the
 * sandbox: compiled by QuickJS, the character sets of an identifier would use a tenth of its memory.
 */
export function installPreludeCalls(
  instance: Pick<Instance, "context" | "failedAllocations">,
  deps: PreludeCallsDeps,
): PreludeCalls {
  const { context } = instance;
  const { prelude, limits, hostCall, stop } = deps;
  const evaluate = (code: string, file: string) =>
    context.unwrapResult(context.evalCode(code, file, { type: "global", strict: true }));
  // These handles exist as long as the instance: a script may delete or overwrite the global, and the glue would then
  // drop the host's function, which restoring the memory does not bring back.
  const kept: QuickJSHandle[] = [];
  const keep = (handle: QuickJSHandle) => {
    kept.push(handle);
    return handle;
  };
  const host = newHostFunction(instance, hostCall, (code) => {
    stop.code ??= code;
  });
  const { logLineChars } = limits;
  const bounds = {
    logLineChars,
    nameChars: NAME_CHARS,
    argumentChars: ARGUMENT_CHARS,
    errorChars: ERROR_CHARS,
  };
  evaluate(prelude.underscore, "underscore.js").dispose();
  const [run, settle, probe, look, globals, describer] = Scope.withScope((scope) => {
    const factory = scope.manage(evaluate(prelude.api, "prelude.js"));
    const given = scope.manage(evaluate(`(${JSON.stringify(bounds)})`, "limits.js"));
    const made = context.callFunction(factory, context.undefined, keep(host), given);
    const all = scope.manage(context.unwrapResult(made));
    const entry = (name: string) => keep(context.getProp(all, name));
    return [
      entry("run"),
      entry("settle"),
      entry("probe"),
      entry("look"),
      entry("globals"),
      entry("describe"),
    ] as const;
  });

  function call(target: QuickJSHandle, ...args: string[]) {
    const handles = args.map((arg) => context.newString(arg));
    const result = context.callFunction(target, context.undefined, handles);
    for (const handle of handles) handle.dispose();
    return result;
  }

  function textOf(result: ReturnType<typeof call>): string | undefined {
    if (!result.error) return result.value.consume((handle) => context.getString(handle));
    result.error.dispose();
    return undefined;
  }

  function describe(thrown: QuickJSHandle): Thrown | undefined {
    const result = stop.code ? undefined : context.callFunction(describer, context.undefined, thrown);
    thrown.dispose();
    const text = result && textOf(result);
    if (!text) return undefined;
    const { engine, ...error } = JSON.parse(text);
    return { engine, error };
  }

  // The state of a promise is read from the engine: a script may have replaced `then` and `constructor`.
  function stateOf(value: QuickJSHandle): "none" | "pending" | "fulfilled" | { rejected: QuickJSHandle } {
    const state = context.getPromiseState(value);
    if (state.type === "pending") return "pending";
    if (state.type === "rejected") return { rejected: state.error };
    if (state.notAPromise) return "none";
    state.value.dispose();
    return "fulfilled";
  }

  /** The final promise of a run: the handler's return value, or what follows it. Any other value is disposed. */
  function promiseOf(value: QuickJSHandle): QuickJSHandle | undefined {
    if (context.typeof(value) === "undefined") {
      value.dispose();
      return undefined;
    }
    const state = stateOf(value);
    if (state !== "none") {
      if (typeof state === "object") state.rejected.dispose();
      return value;
    }
    const result = context.callFunction(settle, context.undefined, value);
    value.dispose();
    if (!result.error) return promiseOf(result.value);
    result.error.dispose();
    return undefined;
  }

  let failed: { thrown: Thrown | undefined } | undefined;
  let promise: QuickJSHandle | undefined;

  return {
    describe,
    run(handler, event, given) {
      failed = undefined;
      promise = undefined;
      // Not in the sandbox: compiled by QuickJS, these character sets would use a tenth of its memory.
      if (!IDENTIFIER_PATH.test(handler)) {
        failed = { thrown: { engine: false, error: noNameError(handler) } };
        return;
      }
      const result = call(run, handler, event, given);
      if (result.error) failed = { thrown: describe(result.error) };
      else promise = promiseOf(result.value);
    },
    ended() {
      if (failed) return failed;
      if (!promise) return "done";
      const state = stateOf(promise);
      promise.dispose();
      if (typeof state === "object") return { thrown: describe(state.rejected) };
      return state === "pending" ? "pending" : "done";
    },
    probe: (handler) =>
      IDENTIFIER_PATH.test(handler) ? ((textOf(call(probe, handler)) ?? "unreadable") as Probed) : "missing",
    look({ names, declared }) {
      const paths = names.filter((name) => IDENTIFIER_PATH.test(name));
      const held = textOf(call(look, JSON.stringify({ names: paths, declared })))
        ?.split(",")
        .map(Number);
      const byPath = held && new Map(paths.map((path, index) => [path, held[index] ?? -1]));
      return byPath && names.map((name) => byPath.get(name) ?? -1);
    },
    globals: () => JSON.parse(textOf(call(globals)) || "[]") as string[],
    dispose() {
      for (const handle of kept) handle.dispose();
    },
  };
}
