import { join } from "node:path";
import { AppError } from "../../lib/errors.ts";
import type { AttemptRecord } from "../../lib/history/records.ts";
import { createPins } from "../../local/pins.ts";
import { STATE_FOLDER } from "../../local/state-folder.ts";
import { type FolderOptions, findEvent, recordedFolder } from "../events-open.ts";
import { shortId } from "../events-rows.ts";
import { printJson, printText } from "../terminal/print.ts";

/** The pins of a folder of `dev`. */
export const pinsOf = (dir: string) => createPins(join(dir, STATE_FOLDER, "pins.json"));

/** `off` removes a pin; `api` distinguishes events with the same id. */
export interface EventsPinOptions extends FolderOptions {
  api?: string;
  off?: boolean;
  json?: boolean;
}

/**
 * `gatehook events pin`: pins or unpins an event, which runs again at each save; without an event, lists the pinned
 * events.
 */
export async function eventsPin(named: string | undefined, options: EventsPinOptions): Promise<void> {
  const pins = pinsOf(recordedFolder(options));
  if (named !== undefined) {
    const { row, attempts } = await findEvent(named, options);
    if (!options.off) pins.add(ranAttempt(attempts, row));
    else if (!pins.remove(row)) throw new AppError("local-failed", `event ${row.id} is not pinned`);
    if (!options.json)
      printText(`${row.id}: ${options.off ? "no longer pinned" : "pinned: each save runs it again, dry"}`);
  }
  const list = pins.list().map(({ id, api_id, event }) => ({ id, api_id, type: event.Type }));
  if (options.json) printJson({ pins: list });
  else if (named === undefined && list.length === 0)
    printText("no event is pinned: gatehook events pin last does it");
  else if (named === undefined)
    for (const { id, api_id, type } of list) printText(`${shortId(id)}  ${type} of API ${api_id}`);
}

/** The last attempt in which a handler ran. */
export function ranAttempt(attempts: AttemptRecord[], row: { id: string; outcome: string }): AttemptRecord {
  const ran = attempts.findLast(({ runs }) => runs.length > 0);
  if (ran) return ran;
  throw new AppError("not-recorded", `no handler ran for event ${row.id}: it is ${row.outcome}`);
}
