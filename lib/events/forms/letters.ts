import type { JsonObject } from "../../json.ts";

/** The members of an event that gatehook itself reads. */
export const MEMBERS = ["Type", "Meta", "TimeStamp"] as const;

/** The name of a member as it is, or else in other letters (upper or lower case); undefined for a missing one. */
export function writtenAs(object: JsonObject, name: string): string | undefined {
  if (object[name] !== undefined) return name;
  return Object.keys(object).find((written) => written.toLowerCase() === name.toLowerCase());
}

/** What is wrong with a member that is there in other letters only: a handler would look for it in vain. */
export function otherLetters(object: JsonObject, name: string): string | undefined {
  const written = writtenAs(object, name);
  return written !== undefined && written !== name
    ? `is missing (with a capital ${capitalsOf(name)})`
    : undefined;
}

const capitalsOf = (name: string) => name.replaceAll(/[a-z]/g, "").split("").join(" and ");
