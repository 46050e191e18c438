// The types of the answers of the console's server, for the server and the page.
import type { LetterGroup } from "../lib/dead-letters/groups.ts";
import type { AuditRecord } from "../lib/history/audit.ts";
import type { EventRow } from "../lib/history/event-rows.ts";
import type { Grade } from "../lib/history/grade.ts";
import type { AttemptRecord, CallRecord, RunRecord, WriteRecord } from "../lib/history/records.ts";
import type { HistoryEntry } from "../lib/releases/report.ts";
import type { MemberChange } from "../lib/sessions/changes.ts";

/** `GET /state` */
export interface State {
  mode: "dev" | "stage" | "file";
  /** For a deployment: stage, account and region; for a file: its name. */
  place: string;
  /** The folder of `dev`; "" elsewhere. */
  dir: string;
  /** The address to which events are posted; "" if none can be sent. */
  url: string;
  /** Whether changes are allowed. */
  write: boolean;
  /** The available parts of the page. */
  has: Record<"events" | "send" | "sessions" | "releases" | "dead_letters" | "rerun" | "tests", boolean>;
  history: HistoryState;
  release: LiveRelease;
  counts: Counts;
  settings: Record<string, string>;
  pins: Pinned[];
}

export interface HistoryState {
  on: boolean;
  /** Why nothing is recorded, and how to change that. */
  why: string;
  content: "full" | "redacted" | "";
  events: number;
}

export interface LiveRelease {
  version: string;
  /** The last upload, if it was rejected or is only partly live. */
  trouble: { version: string; result: string; error: string } | null;
}

export interface Counts {
  events: number;
  failed: number;
  dead: number;
}

/** `GET /events` */
export interface EventPage {
  events: EventRow[];
  /** For the next page; null on the last page. */
  cursor: string | null;
  /** The number of events on all pages. */
  found: number;
  /** The position from which `GET /tail` continues. */
  position: string;
}

export interface ShownCall extends CallRecord {
  verb: string;
  text: string;
}

/** `changes` is null if the session was created or deleted, or if the record was cut. */
export interface ShownWrite extends WriteRecord {
  changes: MemberChange[] | null;
}

export interface Frame {
  path: string;
  line: number;
  column: number;
  lines: { number: number; text: string }[];
  /** The path of the file, if it is on this machine. */
  file: string;
}

export interface ShownRun extends Omit<RunRecord, "calls" | "writes"> {
  calls: ShownCall[];
  writes: ShownWrite[];
  /** Where it failed, in the code of the release that ran. */
  frame: Frame | null;
}

export interface ShownAttempt extends Omit<AttemptRecord, "runs"> {
  runs: ShownRun[];
}

export interface EventRef {
  id: string;
  api_id: string;
}

/** `GET /events/{id}` */
export interface WholeEvent {
  row: EventRow;
  attempts: ShownAttempt[];
  /** The events of the same key before and after it. */
  previous: EventRef | null;
  next: EventRef | null;
}

/** A message of `GET /tail`. */
export type TailMessage =
  | { type: "rows"; rows: EventRow[]; left: EventRow[] }
  | { type: "behind"; count: number }
  | { type: "reset" }
  | { type: "release"; release: LiveRelease }
  | { type: "counts"; counts: Counts }
  | { type: "pins"; pins: Pinned[] };

/** As in lib/history/rerun.ts. */
export type Verdict = "same" | "done" | "fails" | "differs";

/** `POST /events/{id}/rerun` */
export interface RerunAnswer {
  verdict: Verdict;
  exact: boolean;
  /** Why it is not exact. */
  why: string[];
  grade: Grade;
  diverged_at: number | null;
  then: RerunSide;
  now: RerunSide;
  /** Step by step, with the texts of the command line. */
  diff: { handler: string; then: string[] | null; now: string[] | null; same: boolean }[];
}

export interface RerunSide {
  release: string;
  outcome: string;
  error: string;
  ms: number;
}

/** An event that is run again at each save; `verdict` is "" before the first run. */
export interface Pinned {
  id: string;
  api_id: string;
  type: string;
  verdict: Verdict | "";
  /** Why it was not run again. */
  error: string;
}

/** The result of one of many events. */
export interface Tried {
  id: string;
  api_id: string;
  type: string;
  key: string;
  verdict: Verdict | "not run";
  why: string;
}

/** `GET /types` */
export interface Types {
  apis: { api_id: string; org_id: string; name: string }[];
  types: TypeOfEvent[];
}

export interface TypeOfEvent {
  type: string;
  /** The handlers of this type, with their APIs. */
  handlers: { api_id: string; name: string }[];
  /** An event in the form in which a gateway sends it. */
  sample: { Type: string; Meta: Record<string, unknown>; TimeStamp: string };
}

/** `GET /sessions` */
export interface SessionList {
  sessions: SessionSummary[];
  cursor?: string | null;
}

export interface SessionSummary {
  key: string;
  /** In unix seconds; 0 or less means never. */
  expires: number;
  version: number;
  updated_at: number;
  /** A handler with its event, or `by` for any other writer. */
  changed_by?: { handler?: string; event?: string; event_id?: string; by?: string; who?: string };
  session?: Record<string, unknown>;
  error?: { code: string; message: string };
}

/**
 * `GET /sessions/{key}/history`: its changes by recorded events, and by people with the console of a stage, the newest
 * first.
 */
export interface SessionHistory {
  changes: SessionChange[];
  edits: AuditRecord[];
}

export interface SessionChange {
  at: string;
  event: EventRef;
  type: string;
  handler: string;
  release: string;
  /** False if the run failed or its event is not done: then the changes were discarded. */
  counts: boolean;
  /** Null if the session was created or deleted. */
  changes: MemberChange[] | null;
  now: "there" | "gone";
}

/** `POST /sessions/compare` */
export interface Compared {
  merged: Record<string, unknown>;
  changes: { name: string; base?: unknown; mine?: unknown; theirs?: unknown; conflict: boolean }[];
}

/** `GET /releases` */
export interface Releases {
  live: string;
  releases: (HistoryEntry & { runs: number; failed: number })[];
}

/** `GET /releases/{a}/diff/{b}` */
export interface ReleaseDiff {
  from: string;
  to: string;
  parts: { kind: "API" | "script"; name: string; what: "added" | "changed" | "removed"; lines: string[] }[];
}

/** `GET /dead-letters` */
export interface DeadLetters {
  visible: number;
  held: number;
  /** Those of recorded events; letters in the queue itself are read by a sweep. */
  groups: LetterGroup[];
  /** Where `groups` is from; "none" if no events are recorded. */
  source: "history" | "none";
}

export interface Selection {
  selection: string;
  count: number;
  /** When the selection is deleted. */
  expires: string;
}

/** `GET /jobs/{id}` */
export interface Job {
  id: string;
  kind: "sweep" | "redrive" | "delete" | "try";
  state: "running" | "done" | "stopped" | "failed";
  /** The number of letters that were read, and that are to be read. */
  read: number;
  total: number;
  done: number;
  failed: number;
  error: string;
  /** The result of a sweep. */
  groups: LetterGroup[];
  /** For a try: the events with another result. */
  tried: Tried[];
  complete: boolean;
}

/** `GET /overview` */
export interface Overview {
  window: string;
  /** Where its figures come from. */
  source: string;
  from: string;
  to: string;
  buckets: { at: string; done: number; failed: number; waits: number }[];
  handlers: HandlerFigures[];
  apis: { api_id: string; types: { type: string; outcome: string; at: string }[] }[];
  refused: number;
  queue: { visible: number; held: number } | null;
  dead: { visible: number; held: number } | null;
}

export interface HandlerFigures {
  handler: string;
  runs: number;
  failed: number;
  p50: number;
  p95: number;
  p99: number;
  limit_ms: number;
}

export interface ErrorAnswer {
  error: { code: string; message: string; field?: string };
}
