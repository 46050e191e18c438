import { createNearest } from "../apis/nearest.ts";
import type { Problem } from "./sources.ts";

const FEW = 20;

/** Of many warnings of one kind about one file the first ones; the last of them says how many more there are. */
export function firstFew(warnings: Problem[]): Problem[] {
  const last = warnings[FEW - 1];
  if (!last || warnings.length === FEW) return warnings;
  const more = `${last.message}; and ${warnings.length - FEW} more such warnings`;
  return [...warnings.slice(0, FEW - 1), { ...last, message: more }];
}

const LISTED = 3;

/** Names in a sentence; of many, the first ones. */
export const listed = (names: string[]) =>
  names.length > LISTED + 1
    ? `${names.slice(0, LISTED).join(", ")} and ${names.length - LISTED} more`
    : names.join(", ");

/** The same for names in place of one that is not there: which of several may have been meant. */
export function listedFor(written: string, names: string[]): string {
  const nearest = names.length > 1 && createNearest(names)(written);
  return `${listed(names)}${nearest ? `; did you mean ${nearest}?` : ""}`;
}
