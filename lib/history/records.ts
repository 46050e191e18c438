import type { ErrorCode } from "../errors.ts";
import type { GatewayEvent } from "../events/event.ts";
import type { Reason } from "../queue/dead-letters.ts";
import type { HostCallName, Isolation, Limits, LogLevel, RunUsed, SandboxFate } from "../runtime/protocol.ts";

/** At the beginning of each line of a history, to distinguish it from other lines. */
export const FORMAT = 1;
/** The beginning of every line of a history, to find the lines in a log. */
export const LINE_START = `{"history":${FORMAT},`;

/** One line of a history. `at` is always a time in ISO 8601, ms and milliseconds have one digit after the point. */
export type HistoryLine =
  | { history: typeof FORMAT; attempt: AttemptRecord }
  | { history: typeof FORMAT; received: ReceivedRecord }
  | { history: typeof FORMAT; refused: RefusedRecord };

/** An event that ingest put on the queue. */
export interface ReceivedRecord {
  id: string;
  api_id: string;
  type: string;
  at: string;
}

/** A request that ingest rejected. */
export interface RefusedRecord {
  /** Made for the history only: the event has no id. */
  id: string;
  api_id: string;
  at: string;
  code: string;
  /** The invalid field, if there is one. */
  field?: string;
  error: string;
}

/** `handed-back`: a dependency failed. `dropped`: an event with the same id and different content was run before. */
export const ATTEMPT_OUTCOMES = [
  "done",
  "failed",
  "dead",
  "conflict",
  "unstarted",
  "handed-back",
  "dropped",
] as const;
/** How one delivery ended, for the history. */
export type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number];

/** One delivery of an event to the consumer. */
export interface AttemptRecord {
  id: string;
  api_id: string;
  org_id?: string;
  /** The nth receive. */
  n: number;
  /** The time of its start. */
  at: string;
  /** The time of the event's arrival in the queue. */
  sent_at?: string;
  /** From `at` until its outcome was known, its commit included. */
  ms: number;
  /** It was a dead letter, or was sent to the queue as a new message. */
  again?: true;
  container: string;
  isolation: Isolation;
  /** The engine of the handlers, as in `engineId`, and the limits that are not its defaults. */
  engine?: string;
  limits?: Partial<Limits>;
  /** Sessions were allowed to grant access to every API. */
  master_keys?: true;
  release?: string;
  outcome: AttemptOutcome;
  reason?: Reason;
  error?: string;
  /** The number of attempts so far, if this one counts. */
  attempt?: number;
  /** About when it is retried. */
  next_at?: string;
  /** The number of repeated runs in this delivery, because others had changed sessions that it read. */
  conflicts?: number;
  /** The number of handlers that were done before, and were not run again. */
  done_before?: number;
  /** As handlers receive it. */
  event: GatewayEvent;
  /** The runs of the last pass, in order. */
  runs: RunRecord[];
  /** Set if content was removed. */
  content?: "redacted" | "outline";
}

/** One run of a handler. */
export interface RunRecord {
  handler: string;
  /** The handler's script, from the definition. */
  path: string;
  /** The handler's second argument. */
  context: Record<string, unknown>;
  timeout_ms: number;
  /** The time when it was passed to its thread, in ms since 1970. */
  began?: number;
  ms: number;
  outcome: "done" | "failed" | "conflicted";
  reason?: Reason;
  error?: string;
  sandbox?: SandboxFate;
  calls: CallRecord[];
  logs: LogRecord[];
  writes: WriteRecord[];
  /** The names of the sessions of keys that the script used, if they differ from the keys. */
  names?: Record<string, string>;
  /** The times and random numbers that it read; missing if its thread was terminated. */
  used?: RunUsed;
  /** Texts are missing: there were more than the limit of a record. */
  cut?: true;
}

/** `i` is the position among all actions of the run: calls, lines and session writes. */
export interface CallRecord {
  i: number;
  name: HostCallName;
  args: string[];
  /** The answer to the script; missing if there was none, as after a failed call. */
  answer?: string;
  /** Why the answer is wrong: a dependency failed, which fails the run. */
  failure?: { code: ErrorCode; error: string };
  /** For a batch: its number of requests. */
  requests?: number;
  /** In ms since the start of the run. */
  t: number;
  /** The time until the answer, in ms. */
  ms: number;
  /** It was read from the data that was sent with the run, without a call to the host. */
  given?: true;
}

/** A log line of a run. */
export interface LogRecord {
  i: number;
  level: LogLevel;
  text: string;
  /** The `i` of the call that the host logs this about; missing for a line of the script. */
  call?: number;
}

/** Sessions as scripts receive them, as JSON text; null if there is none. */
export interface WriteRecord {
  i: number;
  key: string;
  before: string | null;
  after: string | null;
  /** The `i` of the call that made it. */
  call?: number;
}

/**
 * Keeps a batch's attempts after the batch result is known, and has `ms` milliseconds to do so. Returns the number of
 * attempts that it did not keep.
 */
export type HistorySink = (attempts: AttemptRecord[], ms: number) => Promise<number>;

/** Without a line break. */
export const lineOf = (line: HistoryLine) => JSON.stringify(line);
