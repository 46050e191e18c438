import { AppError } from "../../lib/errors.ts";
import type { SessionRow } from "../../lib/sessions/item.ts";
import { whoChanged } from "../../lib/sessions/item.ts";
import { formatCursor, parseCursor } from "../../lib/sessions/list.ts";
import type { FoundRow } from "../../lib/sessions/rows.ts";
import { accessOf, type Place, type Search } from "../../lib/sessions/search.ts";
import { showSession } from "../../lib/sessions/session.ts";
import { tenths } from "../../lib/tenths.ts";
import { type OpenRows, openSessionRows } from "../stage/open-table.ts";
import { countOf } from "../terminal/count.ts";
import { interruption } from "../terminal/interrupt.ts";
import { type Column, lineWidth, table } from "../terminal/layout.ts";
import { print, printErrorText, printJson, printText } from "../terminal/print.ts";
import { startProgress } from "../terminal/progress.ts";
import { UsageError } from "../terminal/usage.ts";

/** `limit`: the maximum number of sessions; `cursor`: from the output of an earlier call. */
export interface ListOptions {
  org?: string;
  limit: number;
  cursor?: string;
  /** Prints the whole sessions. */
  full?: boolean;
  json?: boolean;
}

/** The conditions, all of which a session must meet. At least one is needed. */
export interface QueryOptions extends ListOptions {
  alias?: string;
  tag?: string;
  handler?: string;
  event?: string;
  inactive?: boolean;
  active?: boolean;
  /** Unix seconds. */
  expiresFrom?: number;
  expiresTo?: number;
  neverExpires?: boolean;
  /** The whole table may be read. */
  scan?: boolean;
}

/** `gatehook sessions ls`: lists sessions; those of one organisation by expiry. */
export async function sessionsLs(options: ListOptions): Promise<void> {
  await tellFound(await openSessionRows(), { orgId: options.org }, options);
}

/** `gatehook sessions query`: finds the sessions that meet all conditions. */
export async function sessionsQuery(options: QueryOptions): Promise<void> {
  const search = searchOf(options);
  const open = await openSessionRows();
  if (accessOf(search) === "scan") {
    const cost = scanCost(open);
    if (!options.scan)
      throw new UsageError(
        `no index has that: it would read the whole table, ${cost}; add --org or --alias, or --scan to read it`,
      );
    printErrorText(`reading the whole table: ${cost}`);
  }
  await tellFound(open, search, options);
}

function searchOf(options: QueryOptions): Search {
  const { org, alias, tag, handler, event, inactive, active, neverExpires, expiresFrom, expiresTo } = options;
  if (inactive && active) throw new UsageError("--inactive and --active exclude each other");
  const isRange = expiresFrom !== undefined || expiresTo !== undefined;
  if (neverExpires && isRange)
    throw new UsageError("--never-expires excludes --expires-from and --expires-to");
  const range = { from: expiresFrom ?? 1, to: expiresTo ?? Number.MAX_SAFE_INTEGER };
  if (range.from > range.to) throw new UsageError("--expires-from is later than --expires-to");
  const search: Search = {
    orgId: org,
    alias,
    tag,
    handler,
    event,
    ...(neverExpires ? { expires: "never" } : isRange ? { expires: range } : {}),
    ...((inactive || active) && { inactive: inactive === true }),
  };
  if (Object.values(search).every((condition) => condition === undefined))
    throw new UsageError("name a condition, such as --org or --expires-to; sessions ls lists all");
  return search;
}

/** A read unit is 8 KB for eventually consistent reads. */
const UNIT_BYTES = 8 * 1024;
const scanCost = ({ size, bytes }: OpenRows) =>
  `about ${countOf(size, "item")} and ${countOf(Math.max(1, Math.ceil(bytes / UNIT_BYTES)), "read unit")}`;

/** The number of rows that one request reads. */
const PAGE = 1_000;

interface Found {
  rows: FoundRow[];
  next: Place | undefined;
  looked: number;
  units: number;
}

async function tellFound({ rows }: OpenRows, search: Search, options: ListOptions): Promise<void> {
  const { limit, cursor, json } = options;
  const found: Found = {
    rows: [],
    next: cursor === undefined ? undefined : placeIn(cursor, search),
    looked: 0,
    units: 0,
  };
  const stop = interruption();
  const progress = startProgress(
    () => `${countOf(found.looked, "row")} looked at, ${found.rows.length} found`,
  );
  try {
    do {
      const left = limit - found.rows.length;
      const page = await rows.page(search, isPlain(search) ? left : PAGE, found.next);
      const kept = page.rows.slice(0, left);
      const last = kept.at(-1);
      found.rows.push(...kept);
      found.looked += page.looked;
      found.units += page.units;
      found.next = kept.length < page.rows.length && last ? last.place : page.next;
    } while (found.next && found.rows.length < limit && !stop.aborted);
  } finally {
    progress.end();
  }
  if (json) printJson(asJson(found, options));
  else tellTable(found, options);
  if (stop.aborted) process.exitCode = 1;
}

/** Whether every row that is read matches. */
const isPlain = ({ orgId, expires, ...others }: Search) =>
  Object.values(others).every((one) => one === undefined);

function placeIn(cursor: string, search: Search): Place {
  try {
    return parseCursor(cursor, search);
  } catch (cause) {
    throw new UsageError("--cursor is not from this query: start again without it", { cause });
  }
}

function asJson({ rows, next, looked, units }: Found, { full = false }: ListOptions) {
  return {
    sessions: rows.map((row) => rowJson(row, full)),
    cursor: next ? formatCursor(next) : null,
    rows_read: looked,
    read_units: units,
  };
}

function rowJson({ key, stored, orgId, alias, expires, updatedAt, changedBy }: SessionRow, full: boolean) {
  const { version, session } = stored;
  return {
    key,
    org_id: orgId,
    alias,
    expires,
    version,
    updated_at: updatedAt,
    changed_by: changedBy ?? null,
    ...(full && session && wholeOf(session)),
  };
}

/** An invalid session must not hide the others. */
function wholeOf(session: Parameters<typeof showSession>[0]) {
  try {
    return { session: JSON.parse(showSession(session)) as unknown };
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    return { error: { code: thrown.code, message: thrown.message } };
  }
}

const COLUMNS: Column[] = [
  { head: "KEY" },
  { head: "EXPIRES" },
  { head: "ALIAS", least: 5 },
  { head: "CHANGED BY", least: 5 },
];

function tellTable({ rows, next, looked, units }: Found, { full = false }: ListOptions): void {
  const lines = rows.map((row) => ({
    cells: [row.key, dayOf(row.expires), row.alias, whoChanged(row.changedBy)],
    details: full && row.stored.session ? [JSON.stringify(wholeOf(row.stored.session))] : [],
  }));
  // Empty columns are omitted, to leave room for keys.
  const columns = COLUMNS.map((column, at) => ({ column, at })).filter(
    ({ at }) => at < 2 || lines.some(({ cells }) => cells[at]),
  );
  if (rows.length > 0)
    print(
      ...table(
        columns.map(({ column }) => column),
        lines.map(({ cells, details }) => ({ cells: columns.map(({ at }) => cells[at] ?? ""), details })),
        lineWidth(),
      ),
    );
  printText(
    `${countOf(rows.length, "session")}; ${countOf(looked, "row")} read, ${countOf(tenths(units), "read unit")}`,
  );
  if (next) printText(`there are more rows: --cursor ${formatCursor(next)}`);
}

/** In UTC. */
const dayOf = (expires: number) =>
  expires > 0 && expires < 8.64e12
    ? new Date(expires * 1_000).toISOString().slice(0, 10)
    : expires > 0
      ? "far off"
      : "never";
