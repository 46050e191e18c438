import { AppError } from "../errors.ts";
import type { Entry } from "./forms.ts";
import type { SessionRow } from "./item.ts";
import { wholeSession } from "./whole.ts";

/** What an export has come to, in rows. */
export interface ExportTally {
  read: number;
  written: number;
  /** Not sessions any more: their time is over, or the gateway has deleted their keys. */
  passed: number;
  /** Edited by hand to something that is not a session. */
  unfit: number;
}

/** A tally to begin with; `entriesOf` changes it in place. */
export const emptyExport = (): ExportTally => ({ read: 0, written: 0, passed: 0, unfit: 0 });

/** Rows of the table for somewhere else. `hashed`: with what the table names keys, "" for raw keys. */
export function entriesOf(
  rows: SessionRow[],
  hashed: string,
  tally: ExportTally,
  onUnfit: (row: SessionRow, message: string) => void,
): Entry[] {
  return rows.flatMap((row) => {
    tally.read += 1;
    const { session } = row.stored;
    if (!session) {
      tally.passed += 1;
      return [];
    }
    try {
      const { key, updatedAt, ttl, changedBy } = row;
      return [{ key, hashed, session: wholeSession(session), updatedAt, ttl, changedBy }];
    } catch (thrown) {
      if (!(thrown instanceof AppError)) throw thrown;
      tally.unfit += 1;
      onUnfit(row, thrown.message);
      return [];
    }
  });
}
