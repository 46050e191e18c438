import { AppError } from "../../lib/errors.ts";
import type { AttemptRecord } from "../../lib/history/records.ts";
import { lineHunks } from "../../lib/line-hunks.ts";
import { findEvent, type SourceOptions } from "../events-open.ts";
import { comparedLines } from "../terminal/attempt-lines.ts";
import { print, printJson, printText } from "../terminal/print.ts";

/** `gatehook events diff`: the differences between two events and their last attempts; exit code 1 if there are any. */
export async function eventsDiff(
  first: string,
  second: string,
  options: SourceOptions & { json?: boolean },
): Promise<void> {
  const [a, b] = [await lastAttempt(first, options), await lastAttempt(second, options)];
  const lines = lineHunks(comparedLines(a), comparedLines(b));
  if (lines.length > 0) process.exitCode = 1;
  if (options.json) printJson({ a: a.id, b: b.id, same: lines.length === 0, diff: lines });
  else if (lines.length === 0) printText(`${a.id} and ${b.id} did the same`);
  else print(`- ${a.id}`, `+ ${b.id}`, ...lines);
}

async function lastAttempt(named: string, options: SourceOptions): Promise<AttemptRecord> {
  const { attempts, row } = await findEvent(named, options);
  const last = attempts.at(-1);
  if (last) return last;
  throw new AppError("local-failed", `event ${row.id} has no attempt: it is ${row.outcome}`);
}
