import { type Allowance, createNearest } from "../apis/nearest.ts";
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

/** The same for the names that exist, in place of a missing one, with the nearest of them; "" without any. */
export function createListedFor(names: string[], allowance?: Allowance): (written: string) => string {
  const nearest = createNearest(names.length > 1 ? names : []);
  return (written) => {
    const meant = nearest(written, allowance);
    return `${listed(names)}${meant ? `; did you mean ${meant}?` : ""}`;
  };
}

/**
 * Enough for a hundred wrong names beside a thousand right ones. An upload in which more is wrong has the same reason
 * for most of it, and its last problems are told without a hint.
 */
export const createHintAllowance = (): Allowance => ({ steps: 20_000_000 });
