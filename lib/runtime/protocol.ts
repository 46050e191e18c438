/**
 * The messages between the main thread and a sandbox worker. Both sides import this file; it imports nothing.
 * Only text crosses: events, contexts, arguments and results are JSON or plain strings.
 */

/** One file of handlers, as it is evaluated. */
export interface Script {
  /** As named by the API definition, relative to handlers/; shows in stacks and errors. */
  path: string;
  source: string;
}

/** `global`: scripts share their globals from event to event. `event`: each starts from a snapshot taken at load. */
export type Isolation = "global" | "event";

/**
 * What scripts may use. Sizes of text are in UTF-16 units where the name ends in `Chars`, in bytes of UTF-8 elsewhere.
 */
export interface Limits {
  /** Wall time of one run, in ms; then the script is stopped. */
  timeoutMs: number;
  /** How much later the whole worker is terminated, for natives that never ask the interrupt handler. */
  graceMs: number;
  /** Wall time for loading all scripts of a release, in ms. */
  loadTimeoutMs: number;
  /** What scripts may allocate. */
  memoryBytes: number;
  stackBytes: number;
  /** Longest log line; what is longer is cut. */
  logLineChars: number;
  /** Log text and lines of one run; what comes after is dropped. */
  logRunBytes: number;
  logRunLines: number;
  /** Calls of one run: HTTP requests, those of a batch request each; storage operations; sessions got and set. */
  httpCalls: number;
  storageCalls: number;
  sessionCalls: number;
  /** Promise jobs of one run. */
  jobs: number;
}

/** The limits where no setting says otherwise. */
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
  /** Sessions that come with the run, by key, as scripts get them: it need not ask the main thread for them. */
  sessions?: [key: string, text: string][];
  /** When it is too late to start it, in ms of `clockMs`. */
  startBy?: number;
  /** The times and random numbers that an earlier run read: this one reads the same. */
  replay?: Used;
}

/** The times and random numbers that scripts read. */
export interface Used {
  /** The state of Math.random before the first number, in hex; absent when none was drawn. */
  seed?: string;
  /** What the clock said at each look: the first in ms since 1970, each other as the difference to the one before. */
  clock?: number[];
  /** The clock was read more often than is kept. */
  cut?: true;
}

/** What a run read, and in which sandbox. */
export interface RunUsed extends Used {
  /** Names one loading of the scripts, with what they took then. */
  load: { id: string } & Used;
  /** How many runs that sandbox had before. */
  nth: number;
}

/**
 * What a run did without waiting for the main thread: it logged a line, read a session that came with it, or set one
 * (`at` in ms of `clockMs`). Told in order, with its end at the latest.
 */
export type Operation =
  | ["log", level: LogLevel, message: string]
  | ["read", key: string, apiId: string, at: number]
  | ["set", args: string[], at: number];

/** What a run may be stopped for, in a way that the script cannot catch. */
export type StopCode = "timeout" | "memory" | "jobs" | "http-calls" | "storage-calls" | "session-calls";

/** Why a run failed. */
export type FailureCode =
  /** The handler threw, its promise was rejected or never settled, or no handler has this name. */
  | "threw"
  | "stack"
  | StopCode
  /** The worker was terminated, or died. */
  | "killed";

/** What a script threw, as text: it may have thrown anything. `stack` is without the message. */
export interface ScriptError {
  name: string;
  message: string;
  stack: string;
}

/** `kept`: the next run meets the same sandbox. `rebuilt`: another, with the scripts loaded anew. */
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
 * What a handler's name leads to: a handler; nothing; an object without DoProcessEvent; a handler object that was given
 * no function; what cannot be looked up, since looking throws or takes too long.
 */
export type Probed = "handler" | "missing" | "no-handler" | "no-function" | "unreadable";

/** What a name holds: the number of its handler object, from 1, the same for the same object; 0 for anything else; -1 for nothing. */
export type Held = number;

/** For all looks at global variables: each takes microseconds, unless what is looked at has code that runs then. */
export const LOOK_MS = 1_000;

/** What a sandbox is asked about its global variables. */
export interface Asked {
  /** Names, and paths of them such as `ns.handler`. */
  names: string[];
  /** The variables that scripts declare by `let`, `const` and `class`: the global object does not have them. */
  declared: string[];
}

/** A script that is asked about before and after it is loaded. */
export interface SurveyedScript extends Script {
  asked: Asked;
}

/** Scripts that were loaded to see what each of them does. */
export interface Survey {
  /** Also of the script that ended the loading, which is the last one then. */
  faults: LoadFault[];
  /** For each script that was loaded, in their order, the names that hold another handler object since. */
  defined: Map<string, Held>[];
}

/** `raw` is rawlog(): a line without a level of its own. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "raw";

/**
 * What scripts can ask of the main thread, and which limit of a run it counts against. What each does is in
 * `lib/tyk-api/host.ts`; scripts call it by what `jsvm/prelude.js` defines.
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

/** What the main thread asks; each but `runs` has one answer. */
export type ToWorker =
  | { type: "load"; scripts: Script[]; replay?: Used | undefined }
  | { type: "survey"; scripts: SurveyedScript[] }
  | { type: "probe"; handlers: string[] }
  | { type: "look"; asked: Asked | undefined }
  /** In this order. */
  | { type: "runs"; runs: Run[] };

/** What the worker says. */
export type FromWorker =
  /** The script that is evaluated now, and the time that it has in a survey: the one at fault if nothing more comes. */
  | { type: "loading"; path: string; leftMs?: number }
  | { type: "loaded"; faults: LoadFault[] }
  | ({ type: "surveyed" } & Survey)
  | { type: "probed"; answers: Probed[] }
  | { type: "looked"; held: Map<string, Held> }
  /** The ends of runs since the last such message, in order. */
  | { type: "ended"; ends: RunEnd[] }
  /** Follows the end of a run after which the sandbox was rebuilt. */
  | { type: "rebuilt" }
  /** What the run under way did, before its end. */
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
  /** What the run did before it. */
  operations: Operation[];
  /** When it was made, in ms of `clockMs`. */
  at: number;
}

/** How a run ended, with what it did since the worker told last. */
export interface RunEnd {
  /** Undefined: the run was not started, since it was too late for it. */
  outcome: Outcome | undefined;
  rebuilding: boolean;
  operations: Operation[];
  /** Only with `tellUsed`. */
  used?: RunUsed | undefined;
}

/** The answer to a host call: what the script gets, or why its run ends here. */
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
  /** One Int32: the number of answers posted so far, which the worker waits to see change. */
  signal: SharedArrayBuffer;
  /** See progress.ts. */
  progress: SharedArrayBuffer;
  /** See unsent-log.ts. */
  unsentLog: SharedArrayBuffer;
}
