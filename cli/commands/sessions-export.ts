import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { errorText } from "../../lib/errors.ts";
import { createRateLimit } from "../../lib/rate-limit.ts";
import { type ExportTally, emptyExport, entriesOf } from "../../lib/sessions/export.ts";
import { formatEntry, formatRedisEntry } from "../../lib/sessions/forms.ts";
import type { Place } from "../../lib/sessions/search.ts";
import { type OpenRows, openSessionRows } from "../stage/open-table.ts";
import { countOf } from "../terminal/count.ts";
import { interruption } from "../terminal/interrupt.ts";
import { printError, printErrorText } from "../terminal/print.ts";
import { printable } from "../terminal/printable.ts";
import { startProgress } from "../terminal/progress.ts";
import { UsageError } from "../terminal/usage.ts";

/** `format`: a JSON object on each line, or Redis commands; `force` overwrites an existing file. */
export interface ExportOptions {
  format: "lines" | "redis";
  force?: boolean;
  /** Rows per second. */
  rate: number;
  json?: boolean;
}

/** The number of rows that one request reads; at most one megabyte. */
const PAGE = 250;

/** `gatehook sessions export`: exports all sessions of the table, one on each line. */
export async function sessionsExport(file: string, options: ExportOptions): Promise<void> {
  const opened = await openSessionRows();
  const stop = interruption();
  const tally = emptyExport();
  const started = performance.now();
  const perSecond = () => Math.round(tally.read / ((performance.now() - started) / 1_000));
  const progress = startProgress(
    () => `${countOf(tally.written, "session")} of about ${opened.size}, ${perSecond()} rows/s`,
  );
  try {
    const lines = linesOf(opened, options, tally, stop);
    if (file === "-") await pipeline(Readable.from(forTerminal(lines)), process.stdout, { end: false });
    else await pipeline(Readable.from(lines), await newFile(file, options));
  } finally {
    progress.end();
  }
  tell(tally, !stop.aborted, options);
}

async function* linesOf(
  { rows, hashed }: OpenRows,
  { format, rate }: ExportOptions,
  tally: ExportTally,
  stop: AbortSignal,
): AsyncGenerator<string, void> {
  const pause = (ms: number) => delay(ms, undefined, { signal: stop }).catch(() => {});
  const pace = createRateLimit({ rate, now: Date.now, delay: pause, stop });
  const now = Math.floor(Date.now() / 1000);
  let next: Place | undefined;
  do {
    const page = await rows.page({}, PAGE, next);
    const passed = page.looked - page.rows.length;
    tally.read += passed;
    tally.passed += passed;
    const entries = entriesOf(page.rows, hashed, tally, (_, message) =>
      printErrorText(`left out: ${message}`),
    );
    const lines = entries.map((entry) =>
      format === "redis" ? formatRedisEntry(entry, now) : formatEntry(entry),
    );
    tally.written += entries.length;
    yield lines.map((line) => `${line}\n`).join("");
    next = page.next;
  } while (next !== undefined && (await pace(PAGE)));
}

/** Escapes characters that a terminal would interpret; the lines have the same meaning as JSON. */
async function* forTerminal(texts: AsyncIterable<string>): AsyncGenerator<string, void> {
  for await (const text of texts)
    yield text
      .split("\n")
      .map((line) => printable(line))
      .join("\n");
}

/** Sessions are secrets: only the user may read the file. */
async function newFile(file: string, { force = false }: ExportOptions) {
  try {
    return (await open(file, force ? "w" : "wx", 0o600)).createWriteStream();
  } catch (cause) {
    const isThere = (cause as NodeJS.ErrnoException).code === "EEXIST";
    const why = isThere
      ? "is there already: name another, or add --force"
      : `cannot be written: ${errorText(cause)}`;
    throw new UsageError(`the file ${file} ${why}`, { cause });
  }
}

/** On standard error: standard output may be the export. */
function tell(tally: ExportTally, complete: boolean, { json }: ExportOptions): void {
  const { written, unfit } = tally;
  if (json) printError(JSON.stringify({ complete, ...tally }));
  else printErrorText(`${countOf(written, "session")} exported${complete ? "" : ": stopped before the end"}`);
  if (unfit > 0)
    printErrorText(`${countOf(unfit, "row")} left out: edited by hand, and not valid sessions any more`);
  if (!complete || unfit > 0) process.exitCode = 1;
}
