import { AppError } from "../../lib/errors.ts";
import { type KeyOptions, keyFrom, openSessionsOf } from "../sessions-open.ts";
import { confirm } from "../terminal/confirm.ts";
import { countOf } from "../terminal/count.ts";
import { interruption } from "../terminal/interrupt.ts";
import { print, printError, printErrorText, printJson } from "../terminal/print.ts";
import { UsageError } from "../terminal/usage.ts";

/** `yes` skips the confirmation; it is required without a terminal. */
export interface RmOptions extends KeyOptions {
  yes?: boolean;
}

/** `gatehook sessions rm`: deletes sessions, after a confirmation. */
export async function sessionsRm(keys: string[], options: RmOptions): Promise<void> {
  if (!options.yes && !process.stdin.isTTY)
    throw new UsageError("this deletes sessions, and there is no terminal to confirm it: add --yes");
  const table = process.env.SESSIONS_TABLE ?? "";
  const question = `delete ${countOf(keys.length, "session")} of ${table}?`;
  if (
    !options.yes &&
    !(await confirm(question, { input: process.stdin, output: process.stderr }, interruption()))
  ) {
    printErrorText("gatehook: nothing was deleted");
    process.exitCode = 1;
    return;
  }
  const sessions = await openSessionsOf(options);
  const tally = { deleted: 0, missing: 0 };
  try {
    for (const [at, argument] of keys.entries()) {
      try {
        await sessions.ask("DELETE", await keyFrom(argument));
        tally.deleted += 1;
      } catch (thrown) {
        if (!(thrown instanceof AppError) || thrown.code !== "session-missing") throw thrown;
        tally.missing += 1;
        // Names it by its number, since a key may be a secret.
        printError(`there is no session of key ${at + 1}`);
      }
    }
  } finally {
    await sessions.end();
    if (options.json) printJson(tally);
    else print(`${countOf(tally.deleted, "session")} deleted`);
  }
  if (tally.missing > 0) process.exitCode = 1;
}
