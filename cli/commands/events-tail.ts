import { setTimeout as delay } from "node:timers/promises";
import { errorText } from "../../lib/errors.ts";
import { createEventList } from "../../lib/history/event-list.ts";
import { findLiveStack } from "../dev/local-stack.ts";
import { type FilterOptions, openFiltered } from "../events-open.ts";
import { eventLines } from "../events-rows.ts";
import { interruption } from "../terminal/interrupt.ts";
import { lineWidth } from "../terminal/layout.ts";
import { print, printErrorText, printJson } from "../terminal/print.ts";

/** The filter and the end; without `limit` it ends with Ctrl+C. */
export interface EventsTailOptions extends FilterOptions {
  /** The number of attempts after which it ends. */
  limit?: number;
  json?: boolean;
}

const LOOK_MS = 100;
/** The time between two reads; each read is eight requests. */
const STAGE_LOOK_MS = 2_000;

/** `gatehook events tail`: prints each new attempt of an event when its outcome is known. */
export async function eventsTail(options: EventsTailOptions): Promise<void> {
  const stop = interruption();
  const { reader, filter } = await openFiltered(options);
  const list = createEventList(filter);
  for await (const line of reader.read()) list.add(line);
  if (options.stage === undefined)
    await findLiveStack(options.dir).catch((thrown: unknown) =>
      printErrorText(`waiting for events, but ${errorText(thrown)}`),
    );
  const lookMs = options.stage === undefined ? LOOK_MS : STAGE_LOOK_MS;
  for (let left = options.limit ?? Number.POSITIVE_INFINITY; left > 0 && !stop.aborted; ) {
    for await (const line of reader.read()) {
      const row = list.add(line);
      if ("received" in line || left <= 0 || !list.fits(row)) continue;
      left -= 1;
      if (options.json) printJson(row);
      else print(...eventLines([row], lineWidth(), false));
    }
    if (left > 0) await delay(lookMs, undefined, { signal: stop }).catch(() => {});
  }
}
