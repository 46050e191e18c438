import { type Allowance, createNearest } from "../apis/nearest.ts";
import type { Problem } from "./sources.ts";

const FEW = 20;

/** The first warnings of one kind about one file; the last of them says how many more there are. */
export function firstFew(warnings: Problem[]): Problem[] {
  const last = warnings[FEW - 1];
  if (!last || warnings.length === FEW) return warnings;
  const more = `${last.message}; and ${warnings.length - FEW} more such warnings`;
  return [...warnings.slice(0, FEW - 1), { ...last, message: more }];
}

const LISTED = 3;

/** Names in a sentence; only the first ones of many. */
export const listed = (names: string[]) =>
  names.length > LISTED + 1
    ? `${names.slice(0, LISTED).join(", ")} and ${names.length - LISTED} more`
    : names.join(", ");

/** The same for the existing names if one is missing, with the nearest of them; "" if there are none. */
export function createListedFor(names: string[], allowance?: Allowance): (written: string) => string {
  const nearest = createNearest(names.length > 1 ? names : []);
  return (written) => {
    const meant = nearest(written, allowance);
    return `${listed(names)}${meant ? `; did you mean ${meant}?` : ""}`;
  };
}

/**
 * Enough for a hundred wrong names and a thousand right ones. If an upload has more errors, most have the same cause,
 * and the last ones have no hint.
 */
export const createHintAllowance = (): Allowance => ({ steps: 20_000_000 });
