import { AppError } from "../errors.ts";
import type { Entry } from "./forms.ts";
import type { SessionRow } from "./item.ts";
import { wholeSession } from "./whole.ts";

/** The counts of an export, in rows. */
export interface ExportTally {
  read: number;
  written: number;
  /** No longer sessions: they have expired, or the gateway has deleted their keys. */
  passed: number;
  /** Invalid after a manual edit. */
  unfit: number;
}

/** An empty tally; `entriesOf` changes it in place. */
export const emptyExport = (): ExportTally => ({ read: 0, written: 0, passed: 0, unfit: 0 });

/** The rows of the table as entries of an export. `hashed`: the table's hash function of keys, "" for raw keys. */
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
