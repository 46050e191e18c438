import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { AppError } from "../lib/errors.ts";
import { createEventList } from "../lib/history/event-list.ts";
import { type EventRow, rowKey } from "../lib/history/event-rows.ts";
import { type Filter, filterText, parseFilter, type Word } from "../lib/history/filter.ts";
import type { AttemptRecord, HistoryLine } from "../lib/history/records.ts";
import { createHistoryReader, type HistoryReader, type LinePlace } from "../local/history-reader.ts";
import { historyFolder } from "./dev/history.ts";
import { UsageError } from "./terminal/usage.ts";

/** The options of every command that reads the history of `dev`. `dir`: the folder, or one below it. */
export interface FolderOptions {
  dir: string;
}

/** The history for a command: that of `dev`, or a stage's. */
export interface SourceOptions extends FolderOptions {
  stage?: string;
  region?: string;
}

/** The filter words with an option of their own, and the filter itself. */
export interface FilterOptions extends SourceOptions, Partial<Record<(typeof OPTION_WORDS)[number], string>> {
  query?: string;
}

const OPTION_WORDS = [
  "type",
  "api",
  "org",
  "key",
  "handler",
  "release",
  "outcome",
  "reason",
  "since",
  "until",
] as const satisfies Word[];

/** Throws a UsageError that names the invalid word. */
function filterOf(options: FilterOptions): Filter {
  const terms = OPTION_WORDS.flatMap((word) => {
    const value = options[word];
    return value === undefined ? [] : [{ word, value, not: false }];
  });
  try {
    return parseFilter([filterText(terms), options.query ?? ""].join(" "), Date.now());
  } catch (cause) {
    if (cause instanceof AppError) throw new UsageError(cause.message, { cause });
    throw cause;
  }
}

/** The history that `dev` keeps in this folder or in a parent folder. Throws `local-failed` if there is none. */
export const openReader = (options: FolderOptions): HistoryReader =>
  createHistoryReader(historyFolder(recordedFolder(options)));

/** The history for a filter, and the filter with keys as they are recorded there. */
export async function openFiltered(
  options: FilterOptions,
): Promise<{ reader: HistoryReader; filter: Filter }> {
  const filter = filterOf(options);
  const { stage } = checked(options);
  if (stage === undefined) return { reader: openReader(options), filter };
  return (await import("./stage/history.ts")).filteredStage({ ...options, stage }, filter);
}

/** `id`: the event to find. */
async function openFor(id: string, options: SourceOptions): Promise<HistoryReader> {
  const { stage } = checked(options);
  if (stage === undefined) return openReader(options);
  const { openStage } = await import("./stage/history.ts");
  return (await openStage({ ...options, stage })).reader({ id });
}

function checked(options: SourceOptions): SourceOptions {
  if (options.region === undefined || options.stage !== undefined) return options;
  throw new UsageError("--region goes with --stage: add --stage");
}

/** The folder of that history. */
export function recordedFolder({ dir }: FolderOptions): string {
  const start = resolve(dir);
  for (let at = start; ; at = dirname(at)) {
    if (existsSync(historyFolder(at))) return at;
    if (at !== dirname(at)) continue;
    throw new AppError(
      "local-failed",
      `no events are recorded in ${start} or in a folder above it: start gatehook dev there, or name the folder with --dir`,
    );
  }
}

/** All data about one event. */
export interface WholeEvent {
  row: EventRow;
  lines: HistoryLine[];
  attempts: AttemptRecord[];
}

const EVERYTHING = parseFilter("", 0);

/**
 * Finds an event by `last`, an id or the beginning of an id. Throws `local-failed` if there is none, and a UsageError
 * if it is ambiguous.
 */
export async function findEvent(
  named: string,
  options: SourceOptions & { api?: string },
): Promise<WholeEvent> {
  const list = createEventList(
    options.api === undefined ? EVERYTHING : filterOf({ dir: "", api: options.api }),
  );
  const places = new Map<string, LinePlace[]>();
  const reader = await openFor(named, options);
  for await (const { line, place } of reader.readPlaced()) {
    const key = rowKey(list.add(line));
    const known = places.get(key);
    if (known) known.push(place);
    else places.set(key, [place]);
  }
  const row = chosen(named, list.rows());
  const found = await Promise.all((places.get(rowKey(row)) ?? []).map((place) => reader.lineAt(place)));
  const lines = found.filter((line) => line !== undefined);
  if (lines.length === 0) throw unreadable(named);
  return { row, lines, attempts: lines.flatMap((line) => ("attempt" in line ? line.attempt : [])) };
}

/** The recorded earlier runs of these attempts' sandboxes. */
export async function attemptsBefore(
  asked: AttemptRecord[],
  options: FolderOptions,
): Promise<AttemptRecord[]> {
  const later = asked.flatMap(({ runs }) => runs.flatMap(({ used }) => (used && used.nth > 0 ? used : [])));
  const loads = new Set(later.map(({ load }) => load.id));
  const attempts: AttemptRecord[] = [];
  if (loads.size === 0) return attempts;
  for await (const line of openReader(options).read())
    if ("attempt" in line && line.attempt.runs.some(({ used }) => used && loads.has(used.load.id)))
      attempts.push(line.attempt);
  return attempts;
}

/** The last attempts in which a handler ran, of the newest events that match the filter, if they are complete. */
export async function lastAttempts(most: number, options: FilterOptions): Promise<AttemptRecord[]> {
  const list = createEventList(filterOf(options));
  const ran = new Set<string>();
  for await (const line of openReader(options).read()) {
    const key = rowKey(list.add(line));
    if (isRan(line)) ran.add(key);
  }
  const wanted = new Map<string, AttemptRecord | undefined>();
  for (const row of list.rows())
    if (wanted.size < most && ran.has(rowKey(row))) wanted.set(rowKey(row), undefined);
  for await (const line of openReader(options).read())
    if (isRan(line) && wanted.has(rowKey(line.attempt))) wanted.set(rowKey(line.attempt), line.attempt);
  return [...wanted.values()].flatMap((attempt) => attempt ?? []);
}

type AttemptLine = Extract<HistoryLine, { attempt: AttemptRecord }>;

const isRan = (line: HistoryLine): line is AttemptLine =>
  "attempt" in line && line.attempt.runs.length > 0 && !line.attempt.runs.some(({ cut }) => cut);

const SHOWN = 5;

function chosen(named: string, rows: EventRow[]): EventRow {
  const [newest] = rows;
  if (named === "last" && newest) return newest;
  const whole = rows.filter(({ id }) => id === named);
  const found = whole.length > 0 ? whole : rows.filter(({ id }) => named !== "" && id.startsWith(named));
  const [first, second] = found;
  if (!first) throw notThere(named);
  if (!second) return first;
  const such = found.slice(0, SHOWN).map(({ id, api_id }) => `${id} of API ${api_id}`);
  const more = found.length > SHOWN ? ` and ${found.length - SHOWN} more` : "";
  throw new UsageError(`${named} may be one of ${such.join(", ")}${more}: write more of it, or add --api`);
}

const notThere = (named: string) =>
  new AppError("local-failed", `no event ${named} is recorded: gatehook events ls lists those that are`);

const unreadable = (named: string) =>
  new AppError(
    "local-failed",
    `the record of event ${named} is gone, too large, or not one that gatehook writes: only its line in gatehook events ls is left`,
  );
