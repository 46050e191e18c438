import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { AppError } from "../../lib/errors.ts";
import { keyOfEvent } from "../../lib/history/event-rows.ts";
import type { AttemptRecord } from "../../lib/history/records.ts";
import { createRedaction } from "../../lib/history/redact.ts";
import { testCaseOf, testCaseText } from "../../lib/history/test-case.ts";
import { findEvent, type SourceOptions } from "../events-open.ts";
import { countOf } from "../terminal/count.ts";
import { print, printErrorText, printText } from "../terminal/print.ts";
import { linesOf } from "../terminal/printable.ts";
import { UsageError } from "../terminal/usage.ts";
import { chosenAttempts } from "./events-show.ts";

/** `api` distinguishes events with the same id. */
export interface EventsSaveOptions extends SourceOptions {
  api?: string;
  /** The number of the recorded attempt, from 1. */
  attempt?: number;
  /** Removes secrets. */
  redact?: boolean;
}

/** `gatehook events save`: saves an event with its inputs and its result as a test file. */
export async function eventsSave(named: string, file: string, options: EventsSaveOptions): Promise<void> {
  const { row, attempts } = await findEvent(named, options);
  const found = chosenAttempts({ attempts }, options.attempt).at(-1);
  if (!found) throw new AppError("local-failed", `event ${row.id} has no attempt: it is ${row.outcome}`);
  const attempt = options.redact && found.content === undefined ? redacted(found) : found;
  if (attempt.runs.some(({ cut }) => cut))
    printErrorText(
      "some texts of this event were cut when it was recorded: the test has them as they are there",
    );
  if (attempt.content !== undefined)
    printErrorText(
      `keys, secrets and bodies were taken out of this event${found.content === undefined ? "" : " when it was recorded"}: the test has what stands for them, and you fill it in`,
    );
  const test = testCaseOf(attempt);
  const text = testCaseText(test);
  if (file === "-") {
    print(...linesOf(text.trimEnd()));
    return;
  }
  await write(file, text);
  const keys = new Set([keyOfEvent(attempt.event), ...Object.keys(test.sessions)].filter(Boolean));
  printText(
    `${file}: ${row.type} for API ${row.api_id}, with ${countOf(keys.size, "key")} and ${countOf(Object.keys(test.sessions).length, "session")}${attempt.content === undefined ? " as they are" : ""}: look at it before you commit it`,
  );
}

/** With a secret that is not stored, so that a reference cannot be traced to a key. */
const redacted = (attempt: AttemptRecord) => createRedaction(randomBytes(32).toString("hex")).redact(attempt);

/** Throws a UsageError if the file exists. */
export const saveCase = (attempt: AttemptRecord, file: string) =>
  write(file, testCaseText(testCaseOf(attempt)));

async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text, { flag: "wx" }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "EEXIST") throw cause;
    throw new UsageError(`${file} is there already: name another, or remove it`, { cause });
  });
}
