import { appendFile, writeFile } from "node:fs/promises";
import { createTurns } from "../lib/in-turn.ts";
import type { LeftOut } from "../lib/sessions/import.ts";
import { printError } from "./terminal/print.ts";
import { UsageError } from "./terminal/usage.ts";

/** The maximum number of lines to print. */
const TOLD = 20;
/** The number of lines that are written to the report together. */
const LINES = 500;

/**
 * Reports the skipped sessions with their places: prints the first ones, and writes all of them to a file if one is
 * named.
 */
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
    /**
     * Resolves when everything is written. If the report could not be written, prints an error and sets the exit code
     * to 1.
     */
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
