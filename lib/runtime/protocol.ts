/**
 * The messages between the main thread and a sandbox worker. Both sides import this file; it imports nothing.
 * Only text crosses: events, contexts, arguments and results are JSON or plain strings.
 */

/** One script, as it is evaluated. */
export interface Script {
  /** As named by the API definition, relative to handlers/; shows in stacks and errors. */
  path: string;
  source: string;
}

/**
 * `global`: scripts share their globals from event to event. `event`: each event starts from a snapshot taken at load.
 */
export type Isolation = "global" | "event";

/**
 * What scripts may use. Sizes of text are in UTF-16 units where the name ends in `Chars`, in bytes of UTF-8 elsewhere.
 */
export interface Limits {
  /** Wall time of one run, in ms; then the script is stopped. */
  timeoutMs: number;
  /** How much later the worker is terminated, for native functions that never call the interrupt handler. */
  graceMs: number;
  /** Wall time for loading all scripts of a release, in ms. */
  loadTimeoutMs: number;
  /** What scripts may allocate. */
  memoryBytes: number;
  stackBytes: number;
  /** Longest log line; longer lines are cut. */
  logLineChars: number;
  /** Log text and lines of one run; further lines are dropped. */
  logRunBytes: number;
  logRunLines: number;
  /** Calls of one run: HTTP requests, those of a batch request each; storage operations; sessions got and set. */
  httpCalls: number;
  storageCalls: number;
  sessionCalls: number;
  /** Promise jobs of one run. */
  jobs: number;
}

/** The default limits. */
export const DEFAULT_LIMITS: Limits = {
  timeoutMs: 5_000,
  graceMs: 250,
  loadTimeoutMs: 5_000,
  memoryBytes: 64 * 1024 * 1024,
  stackBytes: 256 * 1024,
  logLineChars: 64 * 1024,
  logRunBytes: 1024 * 1024,
  logRunLines: 1_000,
  httpCalls: 50,
  storageCalls: 1_000,
  sessionCalls: 1_000,
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
  /**
   * Sessions that are sent with the run, by key, as scripts get them: reading them needs no call to the main thread.
   */
  sessions?: [key: string, text: string][];
  /** The latest time to start it, in ms of `clockMs`. */
  startBy?: number;
  /** The times and random numbers that an earlier run read: this one reads the same. */
  replay?: Used;
}

/** The times and random numbers that scripts read. */
export interface Used {
  /** The state of Math.random before the first number, in hex; missing if none was drawn. */
  seed?: string;
  /** The clock's values: the first in ms since 1970, each other as the difference to the previous one. */
  clock?: number[];
  /** The clock was read more often than recorded. */
  cut?: true;
}

/** The recorded values of a run, and its sandbox. */
export interface RunUsed extends Used {
  /** Identifies one loading of the scripts, with the values that they read then. */
  load: { id: string } & Used;
  /** The number of earlier runs in that sandbox. */
  nth: number;
}

/**
 * An operation of a run that does not wait for the main thread: it logged a line, read a session that was sent with it,
 * or set one (`at` in ms of `clockMs`). Operations are sent in order, at the latest with the end of the run.
 */
export type Operation =
  | ["log", level: LogLevel, message: string]
  | ["read", key: string, apiId: string, at: number]
  | ["set", args: string[], at: number];

/** The reasons for stopping a run, in a way that the script cannot catch. */
export type StopCode = "timeout" | "memory" | "jobs" | "http-calls" | "storage-calls" | "session-calls";

/** Why a run failed. */
export type FailureCode =
  /** The handler threw, its promise was rejected or never settled, or no handler has this name. */
  | "threw"
  | "stack"
  | StopCode
  /** The worker was terminated, or died. */
  | "killed";

/** The thrown value as text, which may be of any type. `stack` is without the message. */
export interface ScriptError {
  name: string;
  message: string;
  stack: string;
}

/** `kept`: the next run uses the same sandbox. `rebuilt`: a new one, with the scripts loaded again. */
export type SandboxFate = "kept" | "rebuilt";

/** How a run ended; `ms` is its wall time, host calls included. */
export type Outcome =
  | { ok: true; ms: number }
  | { ok: false; code: FailureCode; error: ScriptError; ms: number; sandbox: SandboxFate };

/** A script that did not load, and why. */
export interface LoadFault {
  path: string;
  error: ScriptError;
}

/**
 * What a handler's name refers to: a handler; nothing; an object without DoProcessEvent; a handler object without a
 * function; a value that cannot be read, because reading it throws or takes too long.
 */
export type Probed = "handler" | "missing" | "no-handler" | "no-function" | "unreadable";

/**
 * The value of a name: the number of its handler object, from 1, the same for the same object; 0 for any other value;
 * -1 for none.
 */
export type Held = number;

/** The time for reading all global variables: each takes microseconds, unless it is a getter. */
export const LOOK_MS = 1_000;

/** A query for the global variables of a sandbox. */
export interface Asked {
  /** Names, and paths such as `ns.handler`. */
  names: string[];
  /** The variables that scripts declare with `let`, `const` and `class`, which are not members of the global object. */
  declared: string[];
}

/** A script with the names that are read before and after it is loaded. */
export interface SurveyedScript extends Script {
  asked: Asked;
}

/** The result of loading scripts to see what each of them defines. */
export interface Survey {
  /** Includes the script that ended the loading, which is then the last one. */
  faults: LoadFault[];
  /** For each loaded script, in order, the names that have another handler object after it. */
  defined: Map<string, Held>[];
}

/** `raw` is rawlog(): a line without its own level. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "raw";

/**
 * The calls of scripts to the main thread, and the limit of a run that each counts against. They are implemented in
 * `lib/tyk-api/host.ts`; `jsvm/prelude.js` defines the functions for scripts.
 */
export const HOST_CALLS = {
  getKeyData: "session",
  setKeyData: "session",
  delKeyData: "session",
  makeHttpRequest: "http",
  batchRequest: "http",
  storage: "storage",
} as const;
/** A call that the worker may make to the main thread. */
export type HostCallName = keyof typeof HOST_CALLS;

/** Whether its first argument is the key of a session. */
export const isSessionCall = (name: HostCallName): boolean => HOST_CALLS[name] === "session";

/** Messages of the main thread; each except `runs` has one answer. */
export type ToWorker =
  | { type: "load"; scripts: Script[]; replay?: Used | undefined }
  | { type: "survey"; scripts: SurveyedScript[] }
  | { type: "probe"; handlers: string[] }
  | { type: "look"; asked: Asked | undefined }
  /** In this order. */
  | { type: "runs"; runs: Run[] };

/** Messages of the worker. */
export type FromWorker =
  /** The script that is evaluated now, and its time in a survey: it is the one at fault if no further message comes. */
  | { type: "loading"; path: string; leftMs?: number }
  | { type: "loaded"; faults: LoadFault[] }
  | ({ type: "surveyed" } & Survey)
  | { type: "probed"; answers: Probed[] }
  | { type: "looked"; held: Map<string, Held> }
  /** The ends of runs since the last such message, in order. */
  | { type: "ended"; ends: RunEnd[] }
  /** Follows the end of a run after which the sandbox was rebuilt. */
  | { type: "rebuilt" }
  /** The operations of the current run, before its end. */
  | { type: "operations"; operations: Operation[] }
  /** A line of a script that is being loaded. */
  | { type: "log"; level: LogLevel; message: string }
  | Call;

/** The worker now waits on the shared signal; the answer goes over the call port, with the same id. */
export interface Call {
  type: "call";
  id: number;
  name: HostCallName;
  args: string[];
  /** The operations of the run before this call. */
  operations: Operation[];
  /** When it was made, in ms of `clockMs`. */
  at: number;
}

/** The end of a run, with its operations since the last message. */
export interface RunEnd {
  /** Undefined: the run was not started, because it was too late. */
  outcome: Outcome | undefined;
  rebuilding: boolean;
  operations: Operation[];
  /** Only with `tellUsed`. */
  used?: RunUsed | undefined;
}

/** The answer to a host call: the script's result, or the reason why its run ends here. */
export type CallAnswer = { id: number } & ({ value: string | undefined } | { stop: StopCode });

/** The `workerData` of a worker. The memory is shared: both sides see the same. */
export interface WorkerSetup {
  wasm: WebAssembly.Module;
  limits: Limits;
  isolation: Isolation;
  /** Whether the worker reports the times and random numbers that runs read, and runs may replay them. */
  tellUsed: boolean;
  /** The worker's end of the channel that carries the answers to host calls. */
  calls: import("node:worker_threads").MessagePort;
  /** One Int32: the number of answers posted so far; the worker waits for it to change. */
  signal: SharedArrayBuffer;
  /** See progress.ts. */
  progress: SharedArrayBuffer;
  /** See unsent-log.ts. */
  unsentLog: SharedArrayBuffer;
}
