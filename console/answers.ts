// What the server of the page answers: types alone, for both sides.
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
  /** Of a deployment: stage, account and region; of a file: its name. */
  place: string;
  /** The folder that `dev` runs; "" elsewhere. */
  dir: string;
  /** Where events are posted to; "" where they cannot be. */
  url: string;
  /** Whether something may be changed. */
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
  /** Why nothing is recorded, and what changes that. */
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
  /** Of the next page; null at the end. */
  cursor: string | null;
  /** Of all pages. */
  found: number;
  /** The position from which `GET /tail` continues. */
  position: string;
}

export interface ShownCall extends CallRecord {
  verb: string;
  text: string;
}

/** `changes` is null where a session came or went, or was cut in the record. */
export interface ShownWrite extends WriteRecord {
  changes: MemberChange[] | null;
}

export interface Frame {
  path: string;
  line: number;
  column: number;
  lines: { number: number; text: string }[];
  /** On this machine: the file. */
  file: string;
}

export interface ShownRun extends Omit<RunRecord, "calls" | "writes"> {
  calls: ShownCall[];
  writes: ShownWrite[];
  /** Where it failed, in the release that ran. */
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
  /** Of the same key. */
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

/** As lib/history/rerun.ts has it. */
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
  /** Step by step, in the words of the command line. */
  diff: { handler: string; then: string[] | null; now: string[] | null; same: boolean }[];
}

export interface RerunSide {
  release: string;
  outcome: string;
  error: string;
  ms: number;
}

/** An event that each save runs again; `verdict` is "" before the first. */
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
  /** The APIs that have a handler for it, and those. */
  handlers: { api_id: string; name: string }[];
  /** An event as a gateway makes it. */
  sample: { Type: string; Meta: Record<string, unknown>; TimeStamp: string };
}

/** `GET /sessions` */
export interface SessionList {
  sessions: SessionSummary[];
  cursor?: string | null;
}

export interface SessionSummary {
  key: string;
  /** In unix seconds; 0 or less is never. */
  expires: number;
  version: number;
  updated_at: number;
  /** By a handler for an event, or by a person through `by`. */
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
  /** The writes of a failed run were discarded. */
  counts: boolean;
  /** Null where it came or went. */
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
  /** Of recorded events: what the queue itself has is read by a sweep. */
  groups: LetterGroup[];
  /** Whether `groups` is from the history, or there is none. */
  source: "history" | "none";
}

export interface Selection {
  selection: string;
  count: number;
  /** When it is forgotten. */
  expires: string;
}

/** `GET /jobs/{id}` */
export interface Job {
  id: string;
  kind: "sweep" | "redrive" | "delete" | "try";
  state: "running" | "done" | "stopped" | "failed";
  /** Letters that were read so far, and those that are meant. */
  read: number;
  total: number;
  done: number;
  failed: number;
  error: string;
  /** Of a sweep. */
  groups: LetterGroup[];
  /** For a try: the events with another result. */
  tried: Tried[];
  complete: boolean;
}

/** `GET /overview` */
export interface Overview {
  window: string;
  /** Where its figures are from. */
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
