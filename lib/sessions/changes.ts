import { isDeepStrictEqual } from "node:util";

/** A member of which a session has another value than before, undefined where it has none. */
export interface MemberChange {
  /** Of a member of a map, with the map's name in front. */
  name: string;
  before: unknown;
  after: unknown;
}

type Members = Record<string, unknown>;

const isMap = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What changed from one session to another, member by member. */
export function changesBetween(before: Members, after: Members, prefix = ""): MemberChange[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names.flatMap((name) => {
    const [was, is] = [valueIn(before, name), valueIn(after, name)];
    if (isDeepStrictEqual(was, is)) return [];
    if (isMap(was) && isMap(is)) return changesBetween(was, is, `${prefix}${name}.`);
    return [{ name: `${prefix}${name}`, before: was, after: is }];
  });
}

const valueIn = (members: Members, name: string) =>
  Object.hasOwn(members, name) ? members[name] : undefined;
