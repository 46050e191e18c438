import { appendFile, writeFile } from "node:fs/promises";
import { createTurns } from "../lib/in-turn.ts";
import type { LeftOut } from "../lib/sessions/import.ts";
import { printError } from "./terminal/print.ts";
import { UsageError } from "./terminal/usage.ts";

/** Of many lines the first ones. */
const TOLD = 20;
/** Written to the report together. */
const LINES = 500;

/** What was left out, each with its place: the first ones for a person, all of them in a file where one is named. */
export async function startLeftOut(report: string | undefined, what: string) {
  let counted = 0;
  let kept = 0;
  let lines: string[] = [];
  const inTurn = createTurns();
  let failed: Error | undefined;
  if (report !== undefined) {
    await writeFile(report, "", { mode: 0o600 }).catch((cause: Error) => {
      throw new UsageError(`the report ${report} cannot be written: ${cause.message}`, { cause });
    });
  }

  function flush(): void {
    const text = lines.join("");
    lines = [];
    if (report === undefined || !text) return;
    inTurn(() => appendFile(report, text)).catch((thrown: Error) => {
      failed ??= thrown;
    });
  }

  return {
    add({ place, code, message }: LeftOut): void {
      lines.push(`${JSON.stringify({ [what]: place, code, message })}\n`);
      if (lines.length >= LINES) flush();
      if (code === "kept") kept += 1;
      else if (counted++ < TOLD) printError(`${what} ${place}: ${message}`);
    },
    /** Once all is written. A report that could not be written is told, and makes the exit code 1. */
    async end(): Promise<void> {
      flush();
      await inTurn(() => {});
      if (failed) {
        process.exitCode = 1;
        printError(`gatehook: the report ${report} is not complete: ${failed.message}`);
      }
      const more = counted - TOLD;
      if (more > 0)
        printError(`and ${more} more ${what}s${report === undefined ? ": --report FILE has them all" : ""}`);
    },
    get kept() {
      return kept;
    },
  };
}
