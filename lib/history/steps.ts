import { diff } from "node:util";
import type { CallRecord, LogRecord, RunRecord, WriteRecord } from "./records.ts";

/** An action of a run, or its end. */
export type Step =
  | ({ what: "call" } & CallRecord)
  | ({ what: "log" } & LogRecord)
  | ({ what: "write" } & WriteRecord)
  | { what: "end"; outcome: "done" | "failed"; reason?: string; error?: string };

/** A step of the record and the same step of the rerun; or only one of them. */
export interface StepPair {
  handler: string;
  then?: Step;
  now?: Step;
  same: boolean;
}

/** The steps of a run, in order. The commit of a failed run is not one of them. */
export function stepsOf({ calls, logs, writes, outcome, reason, error }: RunRecord): Step[] {
  const steps = [
    ...calls.map((call) => ({ what: "call" as const, ...call })),
    ...logs.map((log) => ({ what: "log" as const, ...log })),
    ...writes.map((write) => ({ what: "write" as const, ...write })),
  ].sort((a, b) => a.i - b.i);
  if (outcome !== "failed") return [...steps, { what: "end", outcome: "done" }];
  return [...steps, { what: "end", outcome, ...(reason && { reason }), ...(error && { error }) }];
}

/** Without times, places and durations. */
function essence(step: Step): unknown[] {
  switch (step.what) {
    case "call": {
      const { name, args, answer, failure } = step;
      return [name, withoutDefaults(args), answer, failure];
    }
    case "log":
      return [step.what, step.level, step.text];
    case "write":
      return [step.what, step.key, step.before, step.after];
    case "end":
      return [step.what, step.outcome, step.reason, step.error];
  }
}

/** Missing arguments at the end of a call are "". */
function withoutDefaults(args: string[]): string[] {
  const last = args.findLastIndex((arg) => arg !== "");
  return args.slice(0, last + 1);
}

/** Whether two calls are the same for a script. */
export const isSameCall = (a: Pick<CallRecord, "name" | "args">, b: Pick<CallRecord, "name" | "args">) =>
  a.name === b.name && JSON.stringify(withoutDefaults(a.args)) === JSON.stringify(withoutDefaults(b.args));

/** Aligns two lists of steps at their equal steps. */
export function pairsOf(handler: string, then: Step[], now: Step[]): StepPair[] {
  const textOf = (step: Step) => JSON.stringify(essence(step));
  const nextThen = then.values();
  const nextNow = now.values();
  return diff(then.map(textOf), now.map(textOf)).map(([operation]) => ({
    handler,
    // biome-ignore lint/suspicious/noThenProperty: the counterpart of `now`, and never a function
    ...(operation >= 0 && { then: nextThen.next().value as Step }),
    ...(operation <= 0 && { now: nextNow.next().value as Step }),
    same: operation === 0,
  }));
}
