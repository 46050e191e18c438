import type { FailureCode, Limits, Run, ScriptError, StopCode } from "../protocol.ts";

const said = (message: string): ScriptError => ({ name: "", message, stack: "" });

/** Why a run was stopped, as its error says it. */
export function stopError(code: StopCode, run: Run, limits: Limits): ScriptError {
  const reasons: Record<StopCode, string> = {
    timeout: `ran longer than ${run.timeoutMs} ms`,
    memory: `needed more than ${limits.memoryBytes} bytes of memory`,
    jobs: `had more than ${limits.jobs} promise jobs`,
    "http-calls": `made more than ${limits.httpCalls} HTTP requests`,
    "storage-calls": `made more than ${limits.storageCalls} storage calls`,
    "session-calls": `got and set sessions more than ${limits.sessionCalls} times`,
  };
  return said(`handler ${run.handler} ${reasons[code]} and was stopped`);
}

/** The error of a promise that is pending when no job is left. */
export const pendingError = (run: Run) =>
  said(`the promise that handler ${run.handler} returned can never settle: nothing is left to run`);

/** Messages for the ways in which a script may load another. */
export const NO_MODULES = "modules are not supported: one script per file, no import or export";

/** The error of a handler name that is not an identifier or a path. */
export const noNameError = (handler: string) => said(`"${handler}" is not a handler name`);

/** The error of a script after which the sandbox cannot be used. */
export const taintedError = (limits: Limits) =>
  said(`left more than ${limits.jobs} promise jobs, or broke the engine, while it was loaded`);

/** `stack` is the script's position when its time was over. */
export const slowLoadError = (limits: Limits, stack: string): ScriptError => ({
  ...said(`did not finish loading within ${limits.loadTimeoutMs} ms`),
  stack,
});

/** A thrown value, as the sandbox describes it. */
export interface Thrown {
  error: ScriptError;
  /** Created by the engine itself, with a class that scripts do not use; or null, which a script may throw too. */
  engine: boolean;
}

const NO_MEMORY = said("out of memory");
const UNSPEAKABLE = said("what was thrown cannot be described");

/**
 * `exhausted`: an allocation failed during the run. The engine then throws its own error, or null if there is no memory
 * for one; if a script throws anything else, it has freed memory since.
 */
export function thrownFailure(
  thrown: Thrown | undefined,
  exhausted: boolean,
): { code: FailureCode; error: ScriptError } {
  if (!thrown)
    return exhausted ? { code: "memory", error: NO_MEMORY } : { code: "threw", error: UNSPEAKABLE };
  const { engine, error } = thrown;
  if (engine && exhausted) return { code: "memory", error: error.name ? error : NO_MEMORY };
  // The engine has no other sign of a stack overflow.
  return { code: engine && error.message.includes("stack overflow") ? "stack" : "threw", error };
}

/**
 * The parser recurses on the WebAssembly stack without QuickJS's limit: this causes the host's RangeError, or a trap.
 * The engine may also trap if an allocation fails. `exhausted`: an allocation failed before.
 */
export function trapFailure(thrown: unknown, exhausted: boolean): { code: FailureCode; error: ScriptError } {
  const text = String(thrown);
  const isStack = !exhausted && /stack|memory access out of bounds/i.test(text);
  return { code: isStack ? "stack" : "memory", error: said(text) };
}
