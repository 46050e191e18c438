import { type Attributes, toAttributes } from "../dynamo/attributes.ts";
import type { SessionRow } from "./item.ts";

/** By organisation and expiry. It has only the keys, so that other changes cost nothing. */
export const BY_ORG = "keys-by-org";
/** By alias; it has only the keys. */
export const BY_ALIAS = "by-alias";

/** The conditions of a search, all of which must match. */
export interface Search {
  orgId?: string | undefined;
  alias?: string | undefined;
  /** A range of `expires`, in unix seconds, both limits included; "never": keys that never expire. */
  expires?: ExpiryRange | "never" | undefined;
  tag?: string | undefined;
  /** The name of the handler that changed the session last, if it was one. */
  handler?: string | undefined;
  /** The type of its event. */
  event?: string | undefined;
  inactive?: boolean | undefined;
}

/** In unix seconds, both limits included. */
export interface ExpiryRange {
  from: number;
  to: number;
}

/** Keys that never expire have 0 or less in `expires`. */
const NEVER: ExpiryRange = { from: Number.MIN_SAFE_INTEGER, to: 0 };
const rangeOf = (expires: Search["expires"]) => (expires === "never" ? NEVER : expires);

/** How the sessions of a search are found: by an index, or by reading the whole table. */
export type Access = typeof BY_ORG | typeof BY_ALIAS | "scan";

/** An alias has few keys, an organisation may have all. */
export function accessOf({ orgId, alias }: Search): Access {
  if (alias) return BY_ALIAS;
  return orgId ? BY_ORG : "scan";
}

/** The key of an item in the index or the table, after which a page begins. */
export type Place = Record<string, string | number>;

/** The part of a DynamoDB query that names the index and its key. */
export interface IndexQuery {
  IndexName: Exclude<Access, "scan">;
  KeyConditionExpression: string;
  ExpressionAttributeValues: Attributes;
}

/** The query of an index; the other conditions are checked in the rows. Undefined for a scan. */
export function indexQuery(search: Search): IndexQuery | undefined {
  const { orgId, alias, expires } = search;
  const IndexName = accessOf(search);
  if (IndexName === "scan") return undefined;
  if (IndexName === BY_ALIAS)
    return {
      IndexName,
      KeyConditionExpression: "alias = :alias",
      ExpressionAttributeValues: toAttributes({ ":alias": alias }),
    };
  const range = rangeOf(expires);
  return {
    IndexName,
    KeyConditionExpression: `org_id = :org${range ? " AND expires BETWEEN :from AND :to" : ""}`,
    ExpressionAttributeValues: toAttributes({
      ":org": orgId,
      ...(range && { ":from": range.from, ":to": range.to }),
    }),
  };
}

/** The position of an item in the index or the table that a search reads. */
export function placeOf(search: Search, { key, org_id, alias, expires }: Place): Place {
  const access = accessOf(search);
  if (access === BY_ALIAS) return { key, alias } as Place;
  return (access === BY_ORG ? { key, org_id, expires } : { key }) as Place;
}

/** Whether a page of this search can end there: DynamoDB rejects other positions, or continues elsewhere. */
export function isPlaceOf(search: Search, place: Place): boolean {
  const { orgId, alias, expires } = search;
  const access = accessOf(search);
  const { key, ...rest } = place;
  if (typeof key !== "string" || key === "") return false;
  if (access === "scan") return Object.keys(rest).length === 0;
  if (access === BY_ALIAS) return rest.alias === alias && Object.keys(rest).length === 1;
  const { from, to } = rangeOf(expires) ?? { from: -Infinity, to: Infinity };
  return (
    rest.org_id === orgId &&
    typeof rest.expires === "number" &&
    rest.expires >= from &&
    rest.expires <= to &&
    Object.keys(rest).length === 2
  );
}

/** Whether a row matches the search; expired sessions do not. */
export function isFound(row: SessionRow, search: Search): boolean {
  const { session } = row.stored;
  if (!session) return false;
  const { tag, handler, event, inactive } = search;
  const range = rangeOf(search.expires);
  return (
    isOrAny(search.orgId, row.orgId) &&
    isOrAny(search.alias, row.alias) &&
    (!range || (row.expires >= range.from && row.expires <= range.to)) &&
    // The row may have been edited by hand.
    (tag === undefined || (Array.isArray(session.tags) && session.tags.includes(tag))) &&
    isOrAny(handler, row.changedBy?.handler) &&
    isOrAny(event, row.changedBy?.event) &&
    isOrAny(inactive, session.is_inactive === true)
  );
}

const isOrAny = <T>(wanted: T | undefined, value: T | undefined) => wanted === undefined || wanted === value;
