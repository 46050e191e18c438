import { isDeepStrictEqual } from "node:util";
import { isObject, type JsonObject, valueIn } from "../json.ts";

/** A member that has another value than before; undefined if it is missing. */
export interface MemberChange {
  /** For a member of a map, with the map's name in front. */
  name: string;
  before: unknown;
  after: unknown;
}

/** The changes from one session to another, member by member. */
export function changesBetween(before: JsonObject, after: JsonObject, prefix = ""): MemberChange[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names.flatMap((name) => {
    const [was, is] = [valueIn(before, name), valueIn(after, name)];
    if (isDeepStrictEqual(was, is)) return [];
    if (isObject(was) && isObject(is)) return changesBetween(was, is, `${prefix}${name}.`);
    return [{ name: `${prefix}${name}`, before: was, after: is }];
  });
}
