import { tenths } from "../tenths.ts";
import type { Failure } from "./failure.ts";

/** The outcome of an event at this delivery, or of one of its handlers. */
export type EventOutcome =
  | { is: "done" }
  /** It was not started, or not finished, although nothing failed: there was no time left, or it would have failed. */
  | { is: "unstarted" }
  /** Its changes were discarded because others changed what it had read; it must be run again on fresh data. */
  | { is: "conflicted" }
  /** `attempt`: the number of attempts so far, if this one counts. `exhausted`: it was the last one. */
  | { is: "failed"; failure: Failure; attempt?: number; exhausted?: boolean };

/** The result of a handler in the event's log line. */
export interface HandlerReport {
  name: string;
  /** The duration of its run. */
  ms?: number;
  /** If it is not done: `unstarted`, `conflicted`, or the code of its failure. */
  outcome?: string;
}

/** The outcome of an event, and of each of its handlers that was not done before. */
export interface EventEnd {
  outcome: EventOutcome;
  handlers: HandlerReport[];
}

/** The outcomes without details. */
export const DONE: EventOutcome = { is: "done" };
export const UNSTARTED: EventOutcome = { is: "unstarted" };
export const CONFLICTED: EventOutcome = { is: "conflicted" };

/** The event's outcome is that of its handlers which matters most for its next delivery. */
const WEIGHTS = { done: 0, final: 1, handler: 2, later: 3, unstarted: 4, dependency: 5, conflicted: 6 };

const weightOf = (outcome: EventOutcome) =>
  WEIGHTS[outcome.is === "failed" ? outcome.failure.kind : outcome.is];

/** Which of two handlers' outcomes determines the event's; the first if both are equal. */
export const worse = (a: EventOutcome, b: EventOutcome) => (weightOf(b) > weightOf(a) ? b : a);

/** True if the event's other handlers need not be run: they would fail too, or be discarded. */
export const endsEvent = (outcome: EventOutcome) => weightOf(outcome) >= WEIGHTS.unstarted;

/** `ms` rounded to tenths; undefined for a handler that was not run. */
export function reportOf(name: string, outcome: EventOutcome, ms: number | undefined): HandlerReport {
  const code = outcome.is === "failed" ? outcome.failure.reason : outcome.is;
  const time = ms !== undefined && { ms: tenths(ms) };
  return { name, ...time, ...(code !== "done" && { outcome: code }) };
}
