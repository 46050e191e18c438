import { isDeepStrictEqual } from "node:util";
import { isObject, type JsonObject, valueIn } from "../json.ts";

/** A member that one side or both have changed; undefined if a side does not have it. */
export interface MergedMember {
  /** For a member of a map, with the map's name in front. */
  name: string;
  base: unknown;
  mine: unknown;
  theirs: unknown;
  /** Both sides have changed it to different values. */
  conflict: boolean;
}

/** A merge, with its members. */
export interface ThreeWay {
  /** Their session with my changes; my value for a conflict. */
  merged: JsonObject;
  changes: MergedMember[];
}

/** Merges the changes of two sides to one JSON object, member by member; only objects are merged recursively. */
export function threeWay(base: JsonObject, mine: JsonObject, theirs: JsonObject, prefix = ""): ThreeWay {
  const changes: MergedMember[] = [];
  const merged: [string, unknown][] = [];
  for (const name of new Set([...Object.keys(theirs), ...Object.keys(mine), ...Object.keys(base)])) {
    const [was, my, their] = [valueIn(base, name), valueIn(mine, name), valueIn(theirs, name)];
    if (isObject(was) && isObject(my) && isObject(their)) {
      const inner = threeWay(was, my, their, `${prefix}${name}.`);
      changes.push(...inner.changes);
      merged.push([name, inner.merged]);
      continue;
    }
    const [iDid, theyDid] = [!isDeepStrictEqual(was, my), !isDeepStrictEqual(was, their)];
    if (iDid || theyDid) {
      const conflict = iDid && theyDid && !isDeepStrictEqual(my, their);
      changes.push({ name: `${prefix}${name}`, base: was, mine: my, theirs: their, conflict });
    }
    const value = iDid ? my : their;
    if (value !== undefined) merged.push([name, value]);
  }
  return { merged: Object.fromEntries(merged), changes };
}
