import { lstatSync } from "node:fs";
import { join } from "node:path";
import { AppError, errorText } from "../errors.ts";

/** SQLite's error if another process has the lock. https://www.sqlite.org/rescode.html#busy */
const BUSY = 5;

/**
 * Locks a folder for this process; returns a function that unlocks it. It is a lock of the operating system, so it is
 * released when the process ends in any way; Node has no such lock, so SQLite is used. Throws `spool-locked`.
 */
export async function lockFolder(folder: string): Promise<() => void> {
  const { DatabaseSync } = await import("node:sqlite");
  const file = join(folder, "lock");
  try {
    // SQLite follows a link, and makes a file where it leads.
    if (lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink())
      throw new Error("it is a symbolic link");
    const database = new DatabaseSync(file);
    try {
      database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
      return () => database.close();
    } catch (thrown) {
      database.close();
      throw thrown;
    }
  } catch (cause) {
    if ((cause as { errcode?: number }).errcode === BUSY)
      throw new AppError(
        "spool-locked",
        `${folder} is the spool of another publisher that is running: end that one, or name another folder`,
        { cause },
      );
    throw new AppError("spool-failed", `${file} cannot be locked: ${errorText(cause)}`, { cause });
  }
}
