import type { FailureCode, Limits, Run, ScriptError, StopCode } from "./protocol.ts";

const said = (message: string): ScriptError => ({ name: "", message, stack: "" });

/** What a run that was stopped is told to have done. */
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

export const pendingError = (run: Run) =>
  said(`the promise that handler ${run.handler} returned can never settle: nothing is left to run`);

export const noNameError = (handler: string) => said(`"${handler}" is no handler name`);

export const spoiledError = (limits: Limits) =>
  said(`left more than ${limits.jobs} promise jobs, or broke the engine, while it was loaded`);

/** `stack` is where the script was when its time was over. */
export const slowLoadError = (limits: Limits, stack: string): ScriptError => ({
  ...said(`did not finish loading within ${limits.loadTimeoutMs} ms`),
  stack,
});

/** What stands where a thrown value could not be described, for want of memory. */
export const NO_MEMORY = said("out of memory");

export function codeOf(error: ScriptError): FailureCode {
  if (error === NO_MEMORY) return "memory";
  if (error.name !== "InternalError") return "threw";
  if (error.message.includes("out of memory")) return "memory";
  return error.message.includes("stack overflow") ? "stack" : "threw";
}

/**
 * The parser recurses over the WebAssembly stack whatever limit QuickJS was given: the host's RangeError, or a trap.
 */
export function trapFailure(thrown: unknown): { code: FailureCode; error: ScriptError } {
  const text = String(thrown);
  return { code: /stack|memory access out of bounds/i.test(text) ? "stack" : "memory", error: said(text) };
}
