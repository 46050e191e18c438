import { isDeepStrictEqual } from "node:util";
import { changesBetween } from "../../lib/sessions/changes.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { cut } from "./layout.ts";

type Members = Record<string, unknown>;

/** `expires 1 → 2` for each member that changed. */
export const memberChanges = (before: Members, after: Members): string[] =>
  changesBetween(before, after).map(
    (change) => `${change.name} ${valueText(change.before)} → ${valueText(change.after)}`,
  );

/** The maximum number of changed members to show. */
const SHOWN = 6;
const VALUE = 60;

/** The old and new values of a session's changed members; undefined if there are none. */
export function changedMembers(
  before: Session | undefined,
  after: Session | undefined,
): { before: string; after: string } | undefined {
  if (isDeepStrictEqual(before, after)) return undefined;
  if (!before || !after) return { before: presence(before), after: presence(after) };
  const changes = changesBetween({ ...before }, { ...after });
  const side = (of: "before" | "after") => {
    const members = changes.slice(0, SHOWN).map((change) => `${change.name} ${valueText(change[of])}`);
    const more = changes.length > SHOWN ? [`${changes.length - SHOWN} more`] : [];
    return [...members, ...more].join(", ");
  };
  return { before: side("before"), after: side("after") };
}

const presence = (session: Session | undefined) => (session ? "there" : "not there");

const valueText = (value: unknown) => (value === undefined ? "not there" : cut(JSON.stringify(value), VALUE));
