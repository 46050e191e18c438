import { parseArgs } from "node:util";
import { type Cell, textTable } from "./table.ts";

export interface Table {
  title: string;
  heads: string[];
  rows: Cell[][];
}

/** One part of the suite: `npm run bench:<name>`. */
export interface Part<Result> {
  name: string;
  /** `quick`: only one turn of each, to check that it works; the figures are meaningless. */
  measure(options: { quick: boolean }): Promise<Result>;
  tables(result: Result): Table[];
}

/** Runs one part: prints its tables, and with --json its result as the last line. */
export async function runPart<Result>({ measure, tables }: Part<Result>): Promise<void> {
  const { values } = parseArgs({
    options: { json: { type: "boolean", default: false }, quick: { type: "boolean", default: false } },
    // A part may have options of its own.
    strict: false,
  });
  const result = await measure({ quick: values.quick === true });
  for (const { title, heads, rows } of tables(result)) console.log(`${title}\n${textTable(heads, rows)}\n`);
  if (values.json) console.log(JSON.stringify(result));
}
