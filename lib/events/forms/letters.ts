import type { JsonObject } from "../../json.ts";

/** The members of an event that gatehook itself reads. */
export const MEMBERS = ["Type", "Meta", "TimeStamp"] as const;

/** The name of a member as written, or else with different upper or lower case; undefined if it is missing. */
export function writtenAs(object: JsonObject, name: string): string | undefined {
  if (object[name] !== undefined) return name;
  return Object.keys(object).find((written) => written.toLowerCase() === name.toLowerCase());
}

/** The problem of a member that differs in upper or lower case: a handler would not find it. */
export function otherLetters(object: JsonObject, name: string): string | undefined {
  const written = writtenAs(object, name);
  return written !== undefined && written !== name
    ? `is missing (with a capital ${capitalsOf(name)})`
    : undefined;
}

const capitalsOf = (name: string) => name.replaceAll(/[a-z]/g, "").split("").join(" and ");
