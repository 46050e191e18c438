import type { TailMessage } from "../../console/answers.ts";
import { createEventList } from "../../lib/history/event-list.ts";
import { type EventRow, rowKey } from "../../lib/history/event-rows.ts";
import type { Filter } from "../../lib/history/filter.ts";
import type { RecordedEvents } from "./backend.ts";
import { filterOf, positionOf } from "./events.ts";
import type { Change } from "./history-index.ts";

/** Rows of one message, messages in one second, and rows that may wait before they are only counted. */
const FRAME_ROWS = 200;
const FRAME_MS = 50;
const MOST_WAITING = 1_000;
/**
 * The number of changes that a page receives after a short disconnection; after more changes it reads the list again.
 */
const RESUMED = 2_000;

/** One page that follows events. The caller stops it. */
export interface Tail {
  /** Sends the changes from now on, or since a position of `GET /events`. */
  start(send: (message: TailMessage, position: string) => void): Promise<void>;
  stop(): void;
}

/** Follows the events that match a filter, at the pace of the page. Throws `request-invalid`. */
export async function createTail(
  history: RecordedEvents,
  q: string,
  since: string | undefined,
): Promise<Tail> {
  const { index } = history;
  const filter = await filterOf(history, q);
  const waiting = new Map<string, { row: EventRow; fits: boolean }>();
  let timer: NodeJS.Timeout | undefined;
  let skipped = 0;
  let isReset = false;
  let stopListening = () => {};

  function note(row: EventRow, before: EventRow | undefined, fits: Fits): void {
    const isIn = fits(row);
    // A row that no longer matches is reported if it is shown.
    if (!isIn && !(before && fits(before)) && !waiting.has(rowKey(row))) return;
    if (waiting.size >= MOST_WAITING) skipped += 1;
    else waiting.set(rowKey(row), { row, fits: isIn });
  }

  return {
    async start(send) {
      const fits = await fitsOf(history, filter);
      function flush(): void {
        timer = undefined;
        const position = positionOf(index);
        if (isReset) send({ type: "reset" }, position);
        else if (skipped > 0) send({ type: "behind", count: skipped + waiting.size }, position);
        else {
          const now = [...waiting.values()].slice(0, FRAME_ROWS);
          for (const { row } of now) waiting.delete(rowKey(row));
          const [rows, left] = [true, false].map((isIn) =>
            now.flatMap(({ row, fits }) => (fits === isIn ? row : [])),
          );
          if (now.length > 0) send({ type: "rows", rows: rows ?? [], left: left ?? [] }, position);
          if (waiting.size > 0) timer = setTimeout(flush, FRAME_MS);
          return;
        }
        // The page reads rows that were only counted again.
        waiting.clear();
        skipped = 0;
        isReset = false;
      }
      const soon = () => {
        timer ??= setTimeout(flush, FRAME_MS);
      };
      stopListening = index.listen((changes) => {
        if (!changes) isReset = true;
        else for (const change of changes) note(change.row, change.before, fits.after(change));
        if (isReset || waiting.size > 0) soon();
      });
      if (since === undefined) return;
      const missed = missedSince(history, since);
      if (!missed) isReset = true;
      else for (const row of missed) note(row, row, fits.now);
      if (isReset || waiting.size > 0) soon();
    },
    stop() {
      stopListening();
      clearTimeout(timer);
    },
  };
}

type Fits = (row: EventRow) => boolean;

/** A text may be in any line of an event, so all lines are searched once, and then each new one. */
async function fitsOf({ read }: RecordedEvents, filter: Filter) {
  if (filter.texts.length === 0) {
    const fits: Fits = (row) => filter.matches(row, () => false);
    return { now: fits, after: (_: Change) => fits };
  }
  const list = createEventList(filter);
  for await (const line of read().read()) list.add(line);
  return {
    now: list.fits,
    after({ line }: Change): Fits {
      list.add(line);
      return list.fits;
    },
  };
}

/** Undefined if the position is from another start, or too old. */
function missedSince({ index }: RecordedEvents, since: string): EventRow[] | undefined {
  const [, epoch, number] = /^([0-9a-f]{8})-(\d{1,15})$/.exec(since) ?? [];
  if (epoch !== index.epoch || index.number - Number(number) > RESUMED) return undefined;
  return index.events().flatMap((event) => (event.number > Number(number) ? event.row : []));
}
