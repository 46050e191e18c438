import { readFile } from "node:fs/promises";
import { constants } from "node:os";
import { errorText } from "../../lib/errors.ts";

/** The command was called wrongly: exit code 2. */
export class UsageError extends Error {}

/** Ctrl-C or a kill ended the command. Nothing is printed; the exit code is 128 and the signal's number. */
export class Interrupted extends Error {
  readonly exitCode: number;

  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`);
    this.name = "Interrupted";
    this.exitCode = 128 + constants.signals[signal];
  }
}

/** The text of a file that an argument names. Throws a UsageError; `what` names the file in its message. */
export async function readText(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw unreadable(`the ${what} ${file}`, cause);
  }
}

/** The error for a file or a folder that an argument names; `what` names it in the message. */
export function unreadable(what: string, cause: unknown): UsageError {
  const isMissing = (cause as NodeJS.ErrnoException).code === "ENOENT";
  return new UsageError(`${what} cannot be read: ${isMissing ? "it does not exist" : errorText(cause)}`, {
    cause,
  });
}
