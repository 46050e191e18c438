import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AppError, errorText } from "../lib/errors.ts";
import { assertNoLink, makeStateFolder } from "./state-folder.ts";

/** The folder of a stack's tables, queues and bucket, used by one stack at a time. */
export interface DataFolder {
  path: string;
  /** Throws `local-failed` with the folder if it is not writable. */
  check(): void;
  /** Call this after a failure: it calls `onUnwritable` if the folder is the reason. */
  suspect(): void;
  close(): void;
}

/** The size of the test write: more than a database needs for one write. */
const PROBE_BYTES = 1_048_576;

/** The time between two checks, since failures may occur a thousand times a second. */
const PAUSE_MS = 1_000;

/** Throws `local-failed` if the folder is not writable, or another stack uses it. */
export function openDataFolder(path: string, onUnwritable: (error: unknown) => void): DataFolder {
  function check(): void {
    const probe = join(path, "probe");
    try {
      try {
        rmSync(probe, { force: true });
        writeFileSync(probe, Buffer.alloc(PROBE_BYTES), { flush: true, flag: "wx" });
      } finally {
        rmSync(probe, { force: true });
      }
    } catch (cause) {
      throw unwritable(path, cause);
    }
  }

  try {
    assertNoLink(path);
    mkdirSync(path, { recursive: true });
    // The embedded services follow links in the places of their files.
    for (const name of readdirSync(path)) assertNoLink(join(path, name));
  } catch (cause) {
    throw unwritable(path, cause);
  }
  check();
  makeStateFolder(path);
  const lock = takeLock(path);
  let next = 0;
  let later: NodeJS.Timeout | undefined;
  function look(): void {
    later = undefined;
    next = performance.now() + PAUSE_MS;
    try {
      check();
    } catch (error) {
      onUnwritable(error);
    }
  }
  return {
    path,
    check,
    suspect() {
      const wait = next - performance.now();
      if (wait <= 0) look();
      else later ??= setTimeout(look, wait).unref();
    },
    close() {
      clearTimeout(later);
      lock.close();
    },
  };
}

const unwritable = (path: string, cause: unknown) =>
  new AppError(
    "local-failed",
    `--persist keeps its data in ${path}, which cannot be written (${errorText(cause)}): free space or grant write permission, or start without --persist`,
    { cause },
  );

const SQLITE_BUSY = 5;

/** SQLite's lock on an empty file: the system releases it however the process ends, on every platform. */
function takeLock(path: string): DatabaseSync {
  const lock = new DatabaseSync(join(path, "lock"));
  try {
    lock.exec("BEGIN EXCLUSIVE");
    return lock;
  } catch (cause) {
    lock.close();
    if ((cause as { errcode?: number }).errcode !== SQLITE_BUSY) throw unwritable(path, cause);
    const message = `another gatehook dev keeps its data in ${path}: stop that one, or start this one without --persist`;
    throw new AppError("local-failed", message, { cause });
  }
}
