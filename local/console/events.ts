import type { EventPage, ShownAttempt, ShownRun, ShownWrite, WholeEvent } from "../../console/answers.ts";
import { AppError } from "../../lib/errors.ts";
import { callText } from "../../lib/history/call-text.ts";
import { createEventList } from "../../lib/history/event-list.ts";
import { type EventRow, rowKey } from "../../lib/history/event-rows.ts";
import { type Filter, parseFilter } from "../../lib/history/filter.ts";
import type { AttemptRecord, RunRecord, WriteRecord } from "../../lib/history/records.ts";
import { changesBetween } from "../../lib/sessions/changes.ts";
import type { RecordedEvents } from "./backend.ts";
import type { HistoryIndex, IndexedEvent } from "./history-index.ts";

/** The position of the index, such as `1a2b3c4d-17`: `GET /tail?since=` continues from there. */
export const positionOf = ({ epoch, number }: HistoryIndex) => `${epoch}-${number}`;

/** The events that match a filter, the newest first, starting at a cursor. Throws `request-invalid`. */
export async function pageOf(
  history: RecordedEvents,
  { q = "", cursor, limit }: { q?: string | undefined; cursor?: string | undefined; limit: number },
): Promise<EventPage> {
  const filter = await filterOf(history, q);
  const position = positionOf(history.index);
  const rows = await rowsThatFit(history, filter);
  const start = cursor === undefined ? 0 : startAfter(rows, cursor);
  const events = rows.slice(start, start + limit);
  const last = events.at(-1);
  const isEnd = start + limit >= rows.length;
  return { events, cursor: isEnd || !last ? null : cursorOf(last), found: rows.length, position };
}

/** Throws `request-invalid` with the invalid word, before any request. */
export async function filterOf({ inRecorded }: RecordedEvents, q: string): Promise<Filter> {
  const filter = parseFilter(q, Date.now());
  return inRecorded ? parseFilter(await inRecorded(q), Date.now()) : filter;
}

/** Texts are searched in the files; all other values are in the rows. */
async function rowsThatFit({ index, read }: RecordedEvents, filter: Filter): Promise<EventRow[]> {
  if (filter.texts.length === 0)
    return index.events().flatMap(({ row }) => (filter.matches(row, () => false) ? row : []));
  const list = createEventList(filter);
  for await (const line of read().read()) list.add(line);
  return list.rows();
}

const cursorOf = (row: EventRow) => Buffer.from(JSON.stringify([row.at, rowKey(row)])).toString("base64url");

/** Works even if the cursor's event was dropped in the meantime. */
function startAfter(rows: EventRow[], cursor: string): number {
  const [at, key] = parseCursor(cursor);
  const found = rows.findIndex((row) => rowKey(row) === key);
  if (found >= 0) return found + 1;
  const older = rows.findIndex((row) => row.at < at);
  return older < 0 ? rows.length : older;
}

function parseCursor(cursor: string): [string, string] {
  try {
    const [at, key] = JSON.parse(Buffer.from(cursor, "base64url").toString());
    if (typeof at === "string" && typeof key === "string") return [at, key];
  } catch {
    // Told below.
  }
  throw new AppError("request-invalid", "cursor is not from a page of events: start again without it", {
    field: "cursor",
  });
}

/**
 * The event of an id, or `last`. Throws `event-missing`, and `request-invalid` if several APIs have an event with this
 * id.
 */
export function findEvent(index: HistoryIndex, id: string, api: string | undefined): IndexedEvent {
  const events = index.events();
  const [newest] = events;
  if (id === "last" && newest) return newest;
  if (api !== undefined) {
    const event = index.get(rowKey({ api_id: api, id }));
    if (event) return event;
  } else {
    const [first, second] = events.filter(({ row }) => row.id === id);
    if (second) throw new AppError("request-invalid", "several APIs have this id: add api", { field: "api" });
    if (first) return first;
  }
  throw new AppError("event-missing", `no event ${id} is recorded: it may be older than what is kept`);
}

/** The oldest first; read from the files of the history. */
export async function attemptsOf(index: HistoryIndex, event: IndexedEvent): Promise<AttemptRecord[]> {
  const lines = await index.linesOf(event);
  return lines.flatMap((line) => ("attempt" in line ? line.attempt : []));
}

/** Throws `event-missing` if it has no attempt yet. */
export async function attemptOf(
  index: HistoryIndex,
  event: IndexedEvent,
  nth?: number,
): Promise<AttemptRecord> {
  const attempts = await attemptsOf(index, event);
  const attempt = nth === undefined ? attempts.at(-1) : attempts[nth - 1];
  if (attempt) return attempt;
  const what = nth === undefined ? "no attempt" : `no attempt ${nth}`;
  throw new AppError("event-missing", `event ${event.row.id} has ${what}: it is ${event.row.outcome}`);
}

/** The last attempt in which a handler ran, or the nth attempt. Throws `not-recorded` if there is none. */
export async function ranAttempt(
  index: HistoryIndex,
  event: IndexedEvent,
  nth?: number,
): Promise<AttemptRecord> {
  if (nth !== undefined) return attemptOf(index, event, nth);
  const attempts = await attemptsOf(index, event);
  const ran = attempts.findLast(({ runs }) => runs.length > 0);
  if (ran) return ran;
  throw new AppError("not-recorded", `no handler ran for event ${event.row.id}: it is ${event.row.outcome}`);
}

/** The event with all attempts, and the events of the same key before and after it. */
export async function wholeEvent(history: RecordedEvents, event: IndexedEvent): Promise<WholeEvent> {
  const { index } = history;
  const attempts = await attemptsOf(index, event);
  return {
    row: event.row,
    attempts: await Promise.all(attempts.map((attempt) => shownAttempt(history, attempt))),
    ...neighbours(index, event),
  };
}

/** The neighbours with the same key, of the same API or another. */
function neighbours(index: HistoryIndex, { row }: IndexedEvent): Pick<WholeEvent, "previous" | "next"> {
  if (row.key === "") return { previous: null, next: null };
  const ofKey = index.events().filter((event) => event.row.key === row.key);
  const at = ofKey.findIndex((event) => rowKey(event.row) === rowKey(row));
  return { previous: refOf(ofKey[at + 1]), next: refOf(ofKey[at - 1]) };
}

const refOf = (event: IndexedEvent | undefined) =>
  event ? { id: event.row.id, api_id: event.row.api_id } : null;

/** With the page's additions to the record: texts of calls, changed members, and the position of an error. */
export async function shownAttempt(
  { frameOf }: Pick<RecordedEvents, "frameOf">,
  attempt: AttemptRecord,
): Promise<ShownAttempt> {
  const shown = async (run: RunRecord): Promise<ShownRun> => ({
    ...run,
    calls: run.calls.map((call) => ({ ...call, ...callText(call) })),
    writes: run.writes.map(shownWrite),
    frame: run.error === undefined ? null : await frameOf(run.error, attempt.release),
  });
  return { ...attempt, runs: await Promise.all(attempt.runs.map(shown)) };
}

const shownWrite = (write: WriteRecord): ShownWrite => ({ ...write, changes: changesOf(write) });

/** Null if one of the two is missing, or was cut and cannot be read. */
export function changesOf({ before, after }: WriteRecord): ShownWrite["changes"] {
  if (before === null || after === null) return null;
  try {
    return changesBetween(JSON.parse(before), JSON.parse(after));
  } catch {
    return null;
  }
}
