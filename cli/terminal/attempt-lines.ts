import { CORE_LINE } from "../../lib/consumer/core-line.ts";
import { callText } from "../../lib/history/call-text.ts";
import type { AttemptRecord, RunRecord, WriteRecord } from "../../lib/history/records.ts";
import { linesOf, ownFrames } from "./printable.ts";
import { memberChanges } from "./session-changes.ts";

/** An action of a run: its time in ms since the start, a text, and its duration. */
export interface Step {
  t?: number;
  what: string;
  text: string;
  ms?: number;
}

/** The actions of a run, in order. */
export function stepsOf({ calls, logs, writes, outcome, error, reason }: RunRecord): Step[] {
  const steps = [
    ...calls.map((call) => {
      const { verb, text } = callText(call);
      return { i: call.i, t: call.t, what: verb, text, ...(call.ms > 0 && { ms: call.ms }) };
    }),
    ...logs
      .filter(({ text }) => text !== CORE_LINE)
      .map(({ i, level, text }) => ({ i, what: `log ${level}`, text })),
    ...writes.flatMap((write) => changeTexts(write).map((text) => ({ i: write.i, what: "", text }))),
  ].sort((a, b) => a.i - b.i);
  const end = outcome === "failed" ? [{ what: "failed", text: `${reason}: ${ownFrames(error ?? "")}` }] : [];
  return [...steps.map(({ i, ...step }) => step), ...end];
}

/** A line for each member that changed; one line for a session that was created or deleted, or whose record was cut. */
export function changeTexts({ key, before, after }: WriteRecord): string[] {
  if (before === null || after === null) return [`${key}: ${after === null ? "deleted" : "made"}`];
  try {
    const changes = memberChanges(JSON.parse(before), JSON.parse(after));
    return changes.length === 0 ? [`${key}: nothing changed`] : changes;
  } catch {
    return [`${key}: cut`];
  }
}

const WHAT = 10;
const TIME = 9;

/** The lines for people; the further lines of a text are below its first. */
export function stepLines({ t, what, text, ms }: Step): string[] {
  const [first = "", ...more] = linesOf(text);
  const time = t === undefined ? "" : `+${t}`;
  const took = ms === undefined ? "" : `  ${ms} ms`;
  const margin = `  ${"".padEnd(TIME)}${"".padEnd(WHAT)}`;
  return [`  ${time.padEnd(TIME)}${what.padEnd(WHAT)}${first}${took}`, ...more.map((line) => margin + line)];
}

/** The lines by which two attempts are compared, without times, places and durations. */
export function comparedLines({ outcome, reason, event, runs }: AttemptRecord): string[] {
  return [
    `outcome ${outcome}${reason ? ` (${reason})` : ""}`,
    ...linesOf(JSON.stringify(event, undefined, 2)),
    ...runs.flatMap((run) => [
      `handler ${run.handler} of ${run.path}`,
      ...stepsOf(asked(run)).flatMap(({ what, text }) => linesOf(`  ${what.padEnd(WHAT)}${text}`)),
    ]),
  ];
}

/** For a script it makes no difference whether a session was sent with the run or read by a call. */
const asked = (run: RunRecord): RunRecord => ({
  ...run,
  calls: run.calls.map(({ given, ...call }) => call),
});
