import { readFile } from "node:fs/promises";
import { errorText } from "../lib/errors.ts";

/** The command was called wrongly: exit code 2. */
export class UsageError extends Error {}

/** The text of a file that an argument names. */
export async function readText(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new UsageError(`the ${what} ${file} cannot be read: ${errorText(cause)}`, { cause });
  }
}
