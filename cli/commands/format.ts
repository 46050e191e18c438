import { createDynamo } from "../../functions/clients.ts";
import { proveMarks } from "../../functions/prove-marks.ts";
import { takeMarks } from "../../lib/commit/take-marks.ts";
import { AppError } from "../../lib/errors.ts";
import { TABLE_FORMAT, tableFormatOf } from "../../lib/releases/table-format.ts";
import { openTable } from "../stage/open-table.ts";
import { openReleaseStore } from "../stage/release-store.ts";
import { countOf } from "../terminal/count.ts";
import { print, printJson } from "../terminal/print.ts";
import { UsageError } from "../terminal/usage.ts";

const WHAT: Record<number, string> = {
  1: "each commit is one transaction",
  2: "a session may say by a mark what the ledger does not say yet",
};

/** `gatehook format`: shows the format of the tables, or changes it. */
export async function format(
  wanted: number | undefined,
  { json = false }: { json?: boolean },
): Promise<void> {
  if (wanted !== undefined && !(wanted in WHAT))
    throw new UsageError(`there is no format ${wanted}: this version knows 1 to ${TABLE_FORMAT}`);
  const store = openReleaseStore();
  const pointer = await store.pointer();
  if (pointer.revision === 0)
    throw new AppError("release-missing", "there is no release yet: the first one sets the newest format");
  const before = tableFormatOf({ ...pointer });
  const after = wanted ?? before;
  if (after !== before && !(await store.setFormat(pointer, after)))
    throw new AppError("release-conflict", "another release went live just now: try again");
  const sessions = wanted === 1 ? await withoutMarks(json) : 0;
  if (json) return printJson({ format: after, before, sessions });
  print(`format ${after}: ${WHAT[after]}${after === before ? "" : ` (it was ${before})`}`);
  if (wanted === 1) print(`${countOf(sessions, "session")} had marks, which are in the ledger now`);
}

async function withoutMarks(quiet: boolean): Promise<number> {
  const dynamo = createDynamo();
  const { table } = await openTable(dynamo, "SESSIONS_TABLE");
  return takeMarks({
    dynamo,
    table,
    proveMarks: proveMarks(process.env, dynamo),
    onTaken: (count) => {
      if (!quiet && count % 1_000 === 0) print(`${countOf(count, "session")} …`);
    },
  });
}
