import { AppError } from "../errors.ts";
import type { Entry } from "../sessions/forms.ts";
import type { SessionRow } from "../sessions/item.ts";
import { newSession } from "../sessions/item.ts";
import { storableBytes } from "../sessions/limits.ts";
import type { SessionRows } from "../sessions/rows.ts";
import { formatSession, parseSession, type Session } from "../sessions/session.ts";
import type { FoundRows, Take } from "../sessions/take.ts";
import { formatWhole } from "../sessions/whole.ts";
import type { Members } from "./merge.ts";
import { createdOf, showsTheirs } from "./row.ts";
import type { Rows } from "./rows.ts";

/** `pace` limits the writes, and returns false if it is time to end. `random` from 0 to 1. */
export interface FillDeps {
  rows: Pick<SessionRows, "readMany">;
  gatewayRows: Pick<Rows, "keep" | "doubt">;
  pace: (count: number) => Promise<boolean>;
  random: () => number;
}

/**
 * Copies the sessions of the gateway that owns them into the table, as a handler's first read of a key would. A row
 * that differs is marked as in doubt, since gateway-sync knows its pending changes.
 */
export function createFill({ rows, gatewayRows, pace, random }: FillDeps): Take {
  return {
    read: (names) => rows.readMany(names),
    async take({ session }: Entry, name: string, found: FoundRows) {
      // A row has no unknown members: only the gateway has them.
      const known = parseSession(formatSession(session));
      storableBytes(known);
      const theirs = JSON.parse(formatWhole(session)) as Members;
      const stored = found.get(name)?.stored;
      if (stored && showsIt(stored.session, stored.gateway, theirs)) return "unchanged";
      if (!(await pace(1))) return "stopped";
      if (stored) {
        await gatewayRows.doubt(name);
        return "kept";
      }
      const kept = await gatewayRows.keep(name, newSession(random), known, { created: createdOf(theirs) });
      return kept === undefined ? "kept" : "added";
    },
  };
}

function showsIt(
  session: Session | undefined,
  gateway: SessionRow["stored"]["gateway"],
  theirs: Members,
): boolean {
  if (gateway?.change || gateway?.look !== undefined) return false;
  try {
    return showsTheirs({ session, gateway: gateway ?? {} }, theirs);
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === "session-invalid") return false;
    throw thrown;
  }
}
