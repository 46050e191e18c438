import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { AppError, errorText } from "../lib/errors.ts";
import { rowKey } from "../lib/history/event-rows.ts";
import { isAttempt } from "../lib/history/readable.ts";
import type { AttemptRecord } from "../lib/history/records.ts";
import { assertNoLink } from "./state-folder.ts";

/** Events that are run again at each save, with a recorded attempt of each. */
export interface Pins {
  /** Throws `local-failed` for a file that is not a list of pins. */
  list(): AttemptRecord[];
  /** Throws `request-invalid` if the limit is reached. */
  add(attempt: AttemptRecord): void;
  /** False if it was not pinned. */
  remove(event: { api_id: string; id: string }): boolean;
}

/** The limit, since each save runs all of them. */
export const MOST_PINS = 10;

/** `file`: readable only by its user, since it contains events and sessions. */
export function createPins(file: string): Pins {
  function list(): AttemptRecord[] {
    try {
      const { pins } = JSON.parse(readFileSync(file, "utf8")) as { pins: AttemptRecord[] };
      if (pins.every(isAttempt)) return pins;
      throw new Error("it has a pin that is not a recorded event");
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return [];
      const what = `${file} cannot be read: ${errorText(thrown)}: remove it, and pin the events again`;
      throw new AppError("local-failed", what, { cause: thrown });
    }
  }

  /** Writes the file atomically. */
  function write(pins: AttemptRecord[]): void {
    assertNoLink(dirname(file));
    mkdirSync(dirname(file), { recursive: true });
    const fresh = `${file}.${process.pid}`;
    // A file of this name may be a link, in a folder from somebody else.
    rmSync(fresh, { force: true });
    writeFileSync(fresh, JSON.stringify({ pins }), { mode: 0o600, flag: "wx" });
    renameSync(fresh, file);
  }

  const others = (event: { api_id: string; id: string }) =>
    list().filter((pin) => rowKey(pin) !== rowKey(event));

  return {
    list,
    add(attempt) {
      const rest = others(attempt);
      if (rest.length >= MOST_PINS)
        throw new AppError(
          "request-invalid",
          `${MOST_PINS} events are pinned, which is the most: remove one first`,
        );
      write([...rest, attempt]);
    },
    remove(event) {
      const rest = others(event);
      const isThere = rest.length < list().length;
      if (isThere) write(rest);
      return isThere;
    },
  };
}
