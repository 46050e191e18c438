import type { ErrorCode } from "../errors.ts";
import type { GatewayEvent } from "../events/event.ts";
import type { Reason } from "../queue/dead-letters.ts";
import type { HostCallName, Isolation, Limits, LogLevel, RunUsed, SandboxFate } from "../runtime/protocol.ts";

/** Begins each line of a history, to tell it from any other line. */
export const FORMAT = 1;
/** How every line of a history begins: enough to find one in a log. */
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

/** A request that ingest did not take. */
export interface RefusedRecord {
  /** Made for the history alone: the event has none. */
  id: string;
  api_id: string;
  at: string;
  code: string;
  /** The field at fault, where there is one. */
  field?: string;
  error: string;
}

/** `handed-back`: a dependency failed. `dropped`: an event with the same id and other content was run before. */
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
  /** When it was begun. */
  at: string;
  /** When it came to the queue. */
  sent_at?: string;
  /** From `at` until its outcome was known, its commit included. */
  ms: number;
  /** It was a dead letter, or was sent to the queue as a new message. */
  again?: true;
  container: string;
  isolation: Isolation;
  /** What the handlers ran on, as `engineId` has it, and the limits that are not the engine's own. */
  engine?: string;
  limits?: Partial<Limits>;
  /** A session might open every API. */
  master_keys?: true;
  release?: string;
  outcome: AttemptOutcome;
  reason?: Reason;
  error?: string;
  /** How many attempts it has cost so far, where this one counts. */
  attempt?: number;
  /** About when it is retried. */
  next_at?: string;
  /** How often it was run again in this delivery, since others had changed what it read. */
  conflicts?: number;
  /** Handlers that were done before, and were not run again. */
  done_before?: number;
  /** As handlers get it. */
  event: GatewayEvent;
  /** The runs of the last pass, in order. */
  runs: RunRecord[];
  /** Set where content was taken out. */
  content?: "redacted" | "outline";
}

/** One handler, run once. */
export interface RunRecord {
  handler: string;
  /** The script that the definition names. */
  path: string;
  /** The handler's second argument. */
  context: Record<string, unknown>;
  timeout_ms: number;
  /** When it was given to its thread, in ms since 1970. */
  began?: number;
  ms: number;
  outcome: "done" | "failed" | "conflicted";
  reason?: Reason;
  error?: string;
  sandbox?: SandboxFate;
  calls: CallRecord[];
  logs: LogRecord[];
  writes: WriteRecord[];
  /** For keys that the script used, the names of their sessions where they differ. */
  names?: Record<string, string>;
  /** The times and random numbers that it read; absent where its thread was ended. */
  used?: RunUsed;
  /** Texts are missing: there were more than a record holds. */
  cut?: true;
}

/** `i` is the place among all that the run did: calls, lines and session writes. */
export interface CallRecord {
  i: number;
  name: HostCallName;
  args: string[];
  /** What the script got; absent for nothing, which is also what a failed call gives. */
  answer?: string;
  /** Why the answer is wrong: a dependency failed, which fails the run. */
  failure?: { code: ErrorCode; error: string };
  /** For a batch: how many requests it was to send. */
  requests?: number;
  /** In ms since the start of the run. */
  t: number;
  /** How long the answer took, in ms. */
  ms: number;
  /** It was read from what came with the run, without asking. */
  given?: true;
}

/** A line that a run wrote to the log. */
export interface LogRecord {
  i: number;
  level: LogLevel;
  text: string;
  /** The `i` of the call of which the host says this; absent for a line of the script. */
  call?: number;
}

/** Sessions as scripts get them, as JSON text; null for none. */
export interface WriteRecord {
  i: number;
  key: string;
  before: string | null;
  after: string | null;
  /** The `i` of the call that made it. */
  call?: number;
}

/**
 * Takes a batch's attempts once the batch result is settled, and has `ms` milliseconds for it. Answers how many it did
 * not keep.
 */
export type HistorySink = (attempts: AttemptRecord[], ms: number) => Promise<number>;

/** Without a line break. */
export const lineOf = (line: HistoryLine) => JSON.stringify(line);
