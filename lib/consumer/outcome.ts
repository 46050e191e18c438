import { tenths } from "../tenths.ts";
import type { Failure } from "./failure.ts";

/** What became of an event at this delivery, or of one handler's part in it. */
export type EventOutcome =
  | { is: "done" }
  /** It was not begun, or not to the end, although nothing failed: there was no time left, or no sense in it. */
  | { is: "unstarted" }
  /** What it did is lost, since others changed what it had read: to be run again on fresh data. */
  | { is: "conflicted" }
  /** `attempt`: how many it has cost so far, where this one counts. `exhausted`: that was the last. */
  | { is: "failed"; failure: Failure; attempt?: number; exhausted?: boolean };

/** How a handler's part ended, as the event's log line says it. */
export interface HandlerReport {
  name: string;
  /** What its run took. */
  ms?: number;
  /** Unless it is done: `unstarted`, `conflicted`, or the code of its failure. */
  outcome?: string;
}

/** The outcomes that say nothing more. */
export const DONE: EventOutcome = { is: "done" };
export const UNSTARTED: EventOutcome = { is: "unstarted" };
export const CONFLICTED: EventOutcome = { is: "conflicted" };

/** Of the outcomes of an event's handlers, the one that says most about its next delivery is the event's. */
const WEIGHTS = { done: 0, final: 1, handler: 2, conflict: 3, unstarted: 4, dependency: 5, conflicted: 6 };

const weightOf = (outcome: EventOutcome) =>
  WEIGHTS[outcome.is === "failed" ? outcome.failure.kind : outcome.is];

/** Which of two handlers' outcomes decides what becomes of their event; the first of two that weigh the same. */
export const worse = (a: EventOutcome, b: EventOutcome) => (weightOf(b) > weightOf(a) ? b : a);

/** True when the event's other handlers need not be run: they would fail too, or not count. */
export const endsEvent = (outcome: EventOutcome) => weightOf(outcome) >= WEIGHTS.unstarted;

/** `ms` rounded to tenths; undefined for a handler that was not run. */
export function reportOf(name: string, outcome: EventOutcome, ms: number | undefined): HandlerReport {
  const code = outcome.is === "failed" ? outcome.failure.reason : outcome.is;
  const time = ms !== undefined && { ms: tenths(ms) };
  return { name, ...time, ...(code !== "done" && { outcome: code }) };
}
