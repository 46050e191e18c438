import { AppError } from "../../lib/errors.ts";
import type { EventRow } from "../../lib/history/event-rows.ts";
import type { AttemptRecord, RunRecord } from "../../lib/history/records.ts";
import { findEvent, type SourceOptions, type WholeEvent } from "../events-open.ts";
import { outcomeText } from "../events-rows.ts";
import { stepLines, stepsOf } from "../terminal/attempt-lines.ts";
import { lineWidth, utcTime, wrapped } from "../terminal/layout.ts";
import { print, printJson } from "../terminal/print.ts";
import { linesOf } from "../terminal/printable.ts";

/** `api` distinguishes events with the same id. */
export interface EventsShowOptions extends SourceOptions {
  api?: string;
  /** The number of the recorded attempt, from 1. */
  attempt?: number;
  json?: boolean;
  /** Prints the recorded lines. */
  raw?: boolean;
}

/** `gatehook events show`: shows one event with all actions of its handlers. */
export async function eventsShow(named: string, options: EventsShowOptions): Promise<void> {
  const found = await findEvent(named, options);
  const attempts = chosenAttempts(found, options.attempt);
  if (options.raw) for (const line of found.lines) printJson(line);
  else if (options.json) printJson({ ...found.row, records: attempts });
  else print(...wholeLines({ ...found, attempts }));
}

/** The text for people. */
export const wholeLines = (found: WholeEvent): string[] => [
  ...headLines(found.row),
  ...found.attempts.flatMap(attemptLines),
  ...eventText(found),
];

/** The attempts of an event, or the nth of them. */
export function chosenAttempts(
  { attempts }: Pick<WholeEvent, "attempts">,
  nth: number | undefined,
): AttemptRecord[] {
  if (nth === undefined) return attempts;
  const chosen = attempts[nth - 1];
  if (chosen) return [chosen];
  throw new AppError("local-failed", `there is no attempt ${nth}: ${attempts.length} are recorded`);
}

const NAME = 10;
const fitted = (line: string, margin: number) => wrapped(line, lineWidth(), " ".repeat(margin));

function row(name: string, text: string): string[] {
  if (!text) return [];
  return linesOf(text).flatMap((line, at) =>
    fitted(`  ${(at === 0 ? name : "").padEnd(NAME)}${line}`, 2 + NAME),
  );
}

const timeText = (iso: string) => `${utcTime(iso)}${iso.slice(19, 23)} UTC`;

function headLines({ type, api_id, key, id, source, at, outcome, attempts, next_at, ...rest }: EventRow) {
  const title = [type || "an event that ingest refused", api_id, key].filter(Boolean).join(" · ");
  return [
    ...fitted(title, 2),
    ...row("event", id),
    ...row("outcome", outcomeText(outcome)),
    ...row("received", `${timeText(at)}, ${source}`),
    ...row("attempts", String(attempts)),
    ...(next_at && outcome !== "done" ? row("next", `about ${timeText(next_at)}`) : []),
    ...(attempts === 0 && rest.reason ? row("error", `${rest.reason}: ${rest.error}`) : []),
  ];
}

function attemptLines(attempt: AttemptRecord): string[] {
  const { n, at, ms, outcome, release = "", reason, error, runs, conflicts, done_before } = attempt;
  return [
    "",
    `attempt at receive ${n}: ${outcomeText(outcome)}`,
    ...row("at", `${timeText(at)}, ${ms} ms with its commit`),
    ...row("release", release),
    ...(reason && !runs.some((run) => run.reason === reason)
      ? row("error", `${reason}: ${error ?? ""}`)
      : []),
    ...(conflicts
      ? row("conflicts", `${conflicts}: others changed what it had read, and it was run again`)
      : []),
    ...(done_before ? row("done", `${done_before} of its handlers were done before`) : []),
    ...runs.flatMap(runLines),
  ];
}

function runLines(run: RunRecord): string[] {
  const { handler, path, outcome, ms, sandbox, cut } = run;
  const fate = sandbox === "rebuilt" ? ", its sandbox was rebuilt" : "";
  return [
    "",
    ...fitted(`  ${handler} (${path}): ${outcome}, ${ms} ms${fate}`, 4),
    ...stepsOf(run)
      .flatMap(stepLines)
      .flatMap((line) => fitted(line, STEP)),
    ...(cut ? [`  some texts were cut: there was more than a record holds`] : []),
  ];
}

const STEP = 21;

function eventText({ attempts }: WholeEvent): string[] {
  const event = attempts.at(-1)?.event;
  return event
    ? ["", "event", ...linesOf(JSON.stringify(event, undefined, 2)).flatMap((line) => fitted(`  ${line}`, 4))]
    : [];
}
