import { AppError } from "../errors.ts";

/** Which sessions of an organisation: those whose `expires`, in unix seconds, is in `range`; all without one. */
export interface ListQuery {
  orgId: string;
  range: { from: number; to: number } | undefined;
  limit: number;
  /** The place in the index after which the page begins. */
  after: Place | undefined;
}

/** The key of an item in the index `by-org`. */
export interface Place {
  org_id: string;
  expires: number;
  key: string;
}

const MAX_LIMIT = 100;

/** The query of `GET /sessions`; throws request-invalid, naming the parameter at fault. */
export function parseListQuery(query: Record<string, string>): ListQuery {
  const { org_id: orgId = "" } = query;
  if (orgId === "") throw invalid("org_id", "is missing: it says whose sessions to list");
  const range = parseRange(query);
  return {
    orgId,
    range,
    limit: wholeNumber(query, "limit", 1, MAX_LIMIT) ?? MAX_LIMIT,
    after: query.cursor === undefined ? undefined : parseCursor(query.cursor, orgId, range),
  };
}

export function formatCursor({ org_id, expires, key }: Place): string {
  return Buffer.from(JSON.stringify([org_id, expires, key])).toString("base64url");
}

/** A parameter that is 1, or 0 and the same as none. */
export function flagIn(query: Record<string, string>, name: string): boolean {
  const value = query[name] ?? "0";
  if (value !== "0" && value !== "1") throw invalid(name, "must be 1 or 0");
  return value === "1";
}

/** A parameter that is true, as a gateway's API spells it, or false and the same as none. */
export function truthIn(query: Record<string, string>, name: string): boolean {
  const value = query[name] ?? "false";
  if (value !== "true" && value !== "false") throw invalid(name, "must be true or false");
  return value === "true";
}

/** A misspelt parameter would silently ask for something else. */
export function refuseUnknown(query: Record<string, string>, known: readonly string[]): void {
  const unknown = Object.keys(query).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const choice = known.length > 0 ? `; there is ${known.join(", ")}` : "";
  throw invalid(unknown, `is no parameter of this route${choice}`);
}

/** Sessions without an end have 0 or less in `expires`, and are in no range. */
function parseRange(query: Record<string, string>): ListQuery["range"] {
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

/** Only a place that a page of this very query can have ended at: DynamoDB refuses others, or goes on elsewhere. */
function parseCursor(cursor: string, orgId: string, range: ListQuery["range"]): Place {
  const [org_id, expires, key, ...rest] = decoded(cursor);
  if (org_id === orgId && typeof expires === "number" && typeof key === "string" && key && !rest.length) {
    if (!range || (expires >= range.from && expires <= range.to)) return { org_id: orgId, expires, key };
  }
  throw invalid("cursor", "is not from a page of this query: start again without it");
}

function decoded(cursor: string): unknown[] {
  try {
    const place: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString());
    return Array.isArray(place) ? place : [];
  } catch {
    return [];
  }
}

const invalid = (field: string, problem: string) =>
  new AppError("request-invalid", `${field} ${problem}`, { field });
