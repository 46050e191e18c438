import { AppError } from "../errors.ts";
import { objectOf, valueIn } from "../json.ts";
import { formatSession, parseSession, type Session } from "../sessions/session.ts";
import { agree, type Members } from "./merge.ts";

/** One member on both sides, undefined if a side does not have it; secrets are not shown. */
export interface MemberPair {
  /** For a member of a map, with the map's name in front. */
  name: string;
  table: unknown;
  gateway: unknown;
  /** Also true if they differ in members that only the gateway maintains. */
  same: boolean;
}

/** Members whose own members are compared one by one. */
const MAPS = ["access_rights", "meta_data", "oauth_keys"];
const SECRET = /passw|secret|hmac_string|private/i;
const HIDDEN = "(hidden)";

/** Both sides of a key, member by member, in the order of their names. */
export function compareMembers(session: Session | undefined, theirs: Members | undefined): MemberPair[] {
  const mine = session && normal(session);
  // In the form of a row.
  const kept = theirs && normal(theirs);
  return pathsOf(mine, theirs).map((path) => ({
    name: path.join("."),
    table: shown(path, valueAt(mine, path)),
    gateway: shown(path, valueAt(theirs, path)),
    same: agree(alone(path, mine), alone(path, kept)),
  }));
}

/** In normal form; unchanged if it is invalid after a manual edit. */
function normal(session: Members): Members {
  try {
    return JSON.parse(formatSession(parseSession(JSON.stringify(session)))) as Members;
  } catch (thrown) {
    if (thrown instanceof AppError) return session;
    throw thrown;
  }
}

function pathsOf(...sides: (Members | undefined)[]): string[][] {
  const namesIn = (values: unknown[]) =>
    [...new Set(values.flatMap((value) => Object.keys(objectOf(value))))].sort();
  return namesIn(sides).flatMap((name) => {
    const inner = MAPS.includes(name) ? namesIn(sides.map((side) => objectOf(side)[name])) : [];
    return inner.length > 0 ? inner.map((member) => [name, member]) : [[name]];
  });
}

const valueAt = (side: unknown, path: string[]) =>
  path.reduce<unknown>((value, name) => valueIn(objectOf(value), name), side);

/** A session with only this member. */
function alone(path: string[], side: Members | undefined): Members {
  const value = valueAt(side, path);
  if (value === undefined) return {};
  return path.reduceRight<unknown>((inner, name) => Object.fromEntries([[name, inner]]), value) as Members;
}

/** Secrets are recognised by their names, at all levels; an empty value is not secret. */
function shown(path: string[], value: unknown): unknown {
  if (value && path.some((name) => SECRET.test(name))) return HIDDEN;
  if (Array.isArray(value)) return value.map((item) => shown([], item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shown([name], inner)]));
}
