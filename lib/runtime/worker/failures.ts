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

/** Of a promise that is pending when no job is left. */
export const pendingError = (run: Run) =>
  said(`the promise that handler ${run.handler} returned can never settle: nothing is left to run`);

/** For each way in which a script may ask for another. */
export const NO_MODULES = "modules are not supported: one script per file, no import or export";

/** Of a handler that is not an identifier or a path of them. */
export const noNameError = (handler: string) => said(`"${handler}" is not a handler name`);

/** Of a script after which the sandbox cannot be used. */
export const taintedError = (limits: Limits) =>
  said(`left more than ${limits.jobs} promise jobs, or broke the engine, while it was loaded`);

/** `stack` is where the script was when its time was over. */
export const slowLoadError = (limits: Limits, stack: string): ScriptError => ({
  ...said(`did not finish loading within ${limits.loadTimeoutMs} ms`),
  stack,
});

/** What a script threw, as the sandbox describes it. */
export interface Thrown {
  error: ScriptError;
  /** Made by the engine itself, of a class that scripts have no use for; or null, which a script may throw too. */
  engine: boolean;
}

const NO_MEMORY = said("out of memory");
const UNSPEAKABLE = said("what was thrown cannot be described");

/**
 * `exhausted`: the engine was refused memory during the run. What it throws then is an error of its own, or null where
 * there was no memory for one; a script that throws anything else has had its memory back.
 */
export function thrownFailure(
  thrown: Thrown | undefined,
  exhausted: boolean,
): { code: FailureCode; error: ScriptError } {
  if (!thrown)
    return exhausted ? { code: "memory", error: NO_MEMORY } : { code: "threw", error: UNSPEAKABLE };
  const { engine, error } = thrown;
  if (engine && exhausted) return { code: "memory", error: error.name ? error : NO_MEMORY };
  // Of the stack's end the engine keeps no other trace.
  return { code: engine && error.message.includes("stack overflow") ? "stack" : "threw", error };
}

/**
 * The parser recurses over the WebAssembly stack whatever limit QuickJS was given: the host's RangeError, or a trap.
 * Where it is refused memory, the engine may trap too. `exhausted`: that is what came before.
 */
export function trapFailure(thrown: unknown, exhausted: boolean): { code: FailureCode; error: ScriptError } {
  const text = String(thrown);
  const isStack = !exhausted && /stack|memory access out of bounds/i.test(text);
  return { code: isStack ? "stack" : "memory", error: said(text) };
}
