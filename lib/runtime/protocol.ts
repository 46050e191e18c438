/**
 * The messages between the main thread and a sandbox worker. Both sides import this file; it imports nothing.
 * Only text crosses: events, contexts, arguments and results are JSON or plain strings.
 */

export interface Script {
  /** As named by the API definition, relative to handlers/; shows in stacks and errors. */
  path: string;
  source: string;
}

export interface Limits {
  /** Wall time of one run, in ms; then the script is stopped. */
  timeoutMs: number;
  /** How much later the whole worker is terminated, for natives that never ask the interrupt handler. */
  graceMs: number;
  /** Wall time for loading all scripts of a release, in ms. */
  loadTimeoutMs: number;
  memoryBytes: number;
  stackBytes: number;
  /** Longest log line; what is longer is cut. */
  logLineChars: number;
  /** Log text of one run; what comes after is dropped and counted. */
  logRunChars: number;
  /** Promise jobs of one run. */
  jobs: number;
}

export const DEFAULT_LIMITS: Limits = {
  timeoutMs: 5_000,
  graceMs: 250,
  loadTimeoutMs: 5_000,
  memoryBytes: 64 * 1024 * 1024,
  stackBytes: 256 * 1024,
  logLineChars: 64 * 1024,
  logRunChars: 1024 * 1024,
  jobs: 1_000,
};

/** One handler invoked for one event. */
export interface Run {
  /** An identifier path such as `quotaHandler` or `ns.handler`. */
  handler: string;
  /** JSON text of {"Type","Meta","TimeStamp"}. */
  event: string;
  /** JSON text of the handler's second argument. */
  context: string;
  timeoutMs: number;
}

export type FailureCode =
  /** The handler threw, its promise was rejected or never settled, or there is no such handler. */
  | "threw"
  /** Stopped at the deadline. */
  | "timeout"
  | "memory"
  | "stack"
  /** The worker was terminated, or died. */
  | "killed";

export interface ScriptError {
  name: string;
  message: string;
  stack: string;
}

export type Outcome =
  | { ok: true; ms: number }
  | { ok: false; code: FailureCode; error: ScriptError; ms: number };

export interface LoadFault {
  path: string;
  error: ScriptError;
}

export type LogLevel = "debug" | "info" | "warn" | "error";
export type HostCallName = "getKeyData" | "setKeyData" | "makeHttpRequest";

export type ToWorker =
  | { type: "load"; scripts: Script[] }
  | { type: "probe"; handlers: string[] }
  | { type: "run"; run: Run };

export type FromWorker =
  | { type: "loaded"; faults: LoadFault[] }
  | { type: "probed"; problems: string[] }
  | { type: "ended"; outcome: Outcome }
  | { type: "log"; level: LogLevel; message: string }
  /** The worker now waits on the shared signal; the answer goes over the call port. */
  | { type: "call"; name: HostCallName; args: string[] };

/** The answer to a host call; `undefined` is what the script gets. */
export interface CallAnswer {
  value: string | undefined;
}

export interface WorkerSetup {
  wasm: WebAssembly.Module;
  limits: Limits;
  /** The worker's end of the channel that carries the answers to host calls. */
  calls: import("node:worker_threads").MessagePort;
  /** One Int32: 0 while a host call is under way, 1 when its answer is there. */
  signal: SharedArrayBuffer;
}
