import { createEventList } from "../../lib/history/event-list.ts";
import { type FilterOptions, openFiltered } from "../events-open.ts";
import { eventLines } from "../events-rows.ts";
import { countOf } from "../terminal/count.ts";
import { lineWidth } from "../terminal/layout.ts";
import { print, printJson, printText } from "../terminal/print.ts";

/** `limit`: the maximum number of events. */
export interface EventsLsOptions extends FilterOptions {
  limit: number;
  json?: boolean;
}

/** `gatehook events ls`: list the recorded events, the newest first. */
export async function eventsLs(options: EventsLsOptions): Promise<void> {
  const { reader, filter } = await openFiltered(options);
  const list = createEventList(filter);
  for await (const line of reader.read()) list.add(line);
  const found = list.rows();
  const shown = found.slice(0, options.limit);
  const more = found.length - shown.length;
  if (options.json) {
    printJson({ events: shown, more });
    return;
  }
  if (found.length === 0) printText("no recorded event matches");
  else print(...eventLines(shown, lineWidth()));
  if (more > 0) printText(`${countOf(more, "older event")} not shown: --limit shows more`);
}
