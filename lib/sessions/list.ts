import { AppError } from "../errors.ts";
import { isObject, parsedJson } from "../json.ts";
import { KEY_BYTES } from "./limits.ts";
import { accessOf, type ExpiryRange, isPlaceOf, type Place, type Search } from "./search.ts";

/** A page of `GET /sessions`. */
export interface ListQuery {
  search: Search;
  limit: number;
  /** The end of the previous page. */
  after: Place | undefined;
}

/** The parameters of `GET /sessions`, without `full`. */
export const LIST_PARAMETERS = [
  "org_id",
  "expires_after",
  "expires_before",
  "alias",
  "tag",
  "handler",
  "event",
  "inactive",
  "limit",
  "cursor",
];

const MAX_LIMIT = 100;

/** The query of `GET /sessions`; throws request-invalid, naming the parameter at fault. */
export function parseListQuery(query: Record<string, string>): ListQuery {
  const search: Search = {
    orgId: given(query, "org_id"),
    alias: given(query, "alias"),
    expires: parseRange(query),
    tag: given(query, "tag"),
    handler: given(query, "handler"),
    event: given(query, "event"),
    inactive: query.inactive === undefined ? undefined : flagIn(query, "inactive"),
  };
  if (accessOf(search) === "scan")
    throw invalid("org_id", "is missing: it says whose sessions to list; alias would do too");
  return {
    search,
    limit: wholeNumber(query, "limit", 1, MAX_LIMIT) ?? MAX_LIMIT,
    after: query.cursor === undefined ? undefined : parseCursor(query.cursor, search),
  };
}

function given(query: Record<string, string>, name: string): string | undefined {
  const value = query[name];
  if (value === undefined || (value !== "" && Buffer.byteLength(value) <= KEY_BYTES)) return value;
  throw invalid(name, `must have 1 to ${KEY_BYTES} bytes`);
}

/** Base64url of the position's JSON; not signed, see `parseCursor`. */
export const formatCursor = (place: Place): string =>
  Buffer.from(JSON.stringify(place)).toString("base64url");

/** A parameter that is 1, or 0, which is the default. */
export function flagIn(query: Record<string, string>, name: string): boolean {
  const value = query[name] ?? "0";
  if (value !== "0" && value !== "1") throw invalid(name, "must be 1 or 0");
  return value === "1";
}

/** A parameter that is true, in the spellings of a gateway's API, or false, which is the default. */
export function truthIn(query: Record<string, string>, name: string): boolean {
  const value = query[name] ?? "false";
  if (value !== "true" && value !== "false") throw invalid(name, "must be true or false");
  return value === "true";
}

/** A misspelt parameter would otherwise be silently ignored. */
export function refuseUnknown(query: Record<string, string>, known: readonly string[]): void {
  const unknown = Object.keys(query).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const choice = known.length > 0 ? `; there is ${known.join(", ")}` : "";
  throw invalid(unknown, `is not a parameter of this route${choice}`);
}

/** Sessions that never expire have 0 or less in `expires`, and match no range. */
function parseRange(query: Record<string, string>): ExpiryRange | undefined {
  const after = wholeNumber(query, "expires_after", 0, Number.MAX_SAFE_INTEGER);
  const before = wholeNumber(query, "expires_before", 0, Number.MAX_SAFE_INTEGER);
  if (after === undefined && before === undefined) return undefined;
  const range = { from: (after ?? 0) + 1, to: (before ?? Number.MAX_SAFE_INTEGER) - 1 };
  if (range.from > range.to) throw invalid("expires_before", "leaves no second after expires_after");
  return range;
}

function wholeNumber(query: Record<string, string>, name: string, min: number, max: number) {
  const text = query[name];
  if (text === undefined) return undefined;
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw invalid(name, `must be a whole number from ${min} to ${max}`);
}

/** Accepts only positions within the search it is sent with: a forged cursor cannot show other results. */
export function parseCursor(cursor: string, search: Search): Place {
  const place = decoded(cursor);
  if (place && isPlaceOf(search, place)) return place;
  throw invalid("cursor", "is not from a page of this query: start again without it");
}

function decoded(cursor: string): Place | undefined {
  const bytes = Buffer.from(cursor, "base64url");
  if (bytes.toString("base64url") !== cursor) return undefined;
  const place = parsedJson(bytes.toString());
  return isObject(place) ? (place as Place) : undefined;
}

const invalid = (field: string, problem: string) =>
  new AppError("request-invalid", `${field} ${problem}`, { field });
