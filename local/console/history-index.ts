import { randomUUID } from "node:crypto";
import { eventOf } from "../../lib/history/event-list.ts";
import { type EventRow, rowAfter, rowKey } from "../../lib/history/event-rows.ts";
import type { AttemptOutcome, AttemptRecord, HistoryLine } from "../../lib/history/records.ts";
import { createTurns } from "../../lib/in-turn.ts";
import type { HistoryReader, LinePlace } from "../history-reader.ts";

/** An event of a history: its row, and the places of its lines. */
export interface IndexedEvent {
  row: EventRow;
  places: LinePlace[];
  /** Its finished attempts, by the release that ran them. */
  ended: { release: string; failed: boolean }[];
  /** Grows with every change of any event. */
  number: number;
}

/** `before`: the event's row before this line. */
export interface Change {
  line: HistoryLine;
  row: EventRow;
  before: EventRow | undefined;
}

/** A batch of changes; undefined if events were deleted, so that everything must be read again. */
export type IndexListener = (changes: Change[] | undefined) => void;

/** The rows of a history in memory; bodies and runs stay in its files. */
export interface HistoryIndex {
  /** The name of this index: numbers of another index are not valid for it. */
  epoch: string;
  /** The number of the last change. */
  readonly number: number;
  /** Reads the new lines. */
  refresh(): Promise<void>;
  get(key: string): IndexedEvent | undefined;
  /** The newest first. */
  events(): IndexedEvent[];
  linesOf(event: IndexedEvent): Promise<HistoryLine[]>;
  listen(listener: IndexListener): () => void;
}

/** The number of lines in one batch, so that other work gets a turn while a long history is read. */
const TOGETHER = 500;

/** Empty until the first `refresh`. From then on, only this index uses the reader. */
export function createHistoryIndex(reader: HistoryReader): HistoryIndex {
  const byKey = new Map<string, IndexedEvent>();
  const listeners = new Set<IndexListener>();
  let sorted: IndexedEvent[] | undefined;
  let number = 0;
  let files = new Set<string>();
  /** One after the other: two concurrent reads would take each other's lines. */
  const inTurn = createTurns();
  /** The read that has not started yet, which all callers until its start share. */
  let waiting: Promise<void> | undefined;

  const tell = (changes: Change[] | undefined) => {
    for (const listener of listeners) listener(changes);
  };

  function add(line: HistoryLine, place: LinePlace): Change {
    const key = rowKey(eventOf(line));
    const known = byKey.get(key);
    const row = rowAfter(known?.row, line);
    number += 1;
    if (!known || known.row.at !== row.at) sorted = undefined;
    const event = known ?? { row, places: [], ended: [], number };
    const before = known?.row;
    Object.assign(event, { row, number });
    event.places.push(place);
    if ("attempt" in line) event.ended.push(...endOf(line.attempt));
    byKey.set(key, event);
    return { line, row, before };
  }

  /** Removes the events whose last line was in a deleted file. */
  function forgetGone(): boolean {
    const there = new Set(reader.files());
    const isGone = [...files].some((file) => !there.has(file));
    files = there;
    if (!isGone) return false;
    for (const [key, event] of byKey) {
      event.places = event.places.filter(({ file }) => there.has(file));
      if (event.places.length === 0) byKey.delete(key);
    }
    sorted = undefined;
    return true;
  }

  async function readOn(): Promise<void> {
    if (forgetGone()) tell(undefined);
    let changes: Change[] = [];
    const handOver = () => {
      if (changes.length > 0) tell(changes);
      changes = [];
    };
    for await (const { line, place } of reader.readPlaced()) {
      files.add(place.file);
      changes.push(add(line, place));
      if (changes.length >= TOGETHER) handOver();
    }
    handOver();
  }

  return {
    epoch: randomUUID().slice(0, 8),
    get number() {
      return number;
    },
    refresh() {
      waiting ??= inTurn(() => {
        waiting = undefined;
        return readOn();
      });
      return waiting;
    },
    get: (key) => byKey.get(key),
    events() {
      sorted ??= [...byKey.values()].sort(newestFirst);
      return sorted;
    },
    async linesOf({ places }) {
      const lines = await Promise.all(places.map((place) => reader.lineAt(place)));
      return lines.filter((line) => line !== undefined);
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

const ENDS: ReadonlySet<AttemptOutcome> = new Set(["done", "failed", "dead"]);

const endOf = ({ outcome, release }: AttemptRecord) =>
  release !== undefined && ENDS.has(outcome) ? [{ release, failed: outcome !== "done" }] : [];

function newestFirst({ row: a }: IndexedEvent, { row: b }: IndexedEvent): number {
  if (a.at !== b.at) return a.at < b.at ? 1 : -1;
  return rowKey(a) < rowKey(b) ? 1 : -1;
}
