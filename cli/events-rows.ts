import type { EventRow, RowOutcome } from "../lib/history/event-rows.ts";
import { type Column, cut, table } from "./terminal/layout.ts";

/** Shown with the word, so that failures are easy to find. */
const MARKS: Record<RowOutcome, string> = {
  queued: "…",
  done: "✓",
  failed: "✗",
  dead: "☠",
  conflict: "↻",
  unstarted: "↻",
  "handed-back": "↻",
  dropped: "⊘",
  refused: "⊘",
};

/** In a narrower terminal, a row is two lines. */
const TABLE_WIDTH = 60;
/** The limit of texts whose length others determine. */
const TEXT = 200;
const ID = 12;

const COLUMNS: Column[] = [
  { head: "TIME (UTC)" },
  { head: "OUTCOME" },
  { head: "TYPE", least: 10 },
  { head: "API", least: 6 },
  { head: "KEY", least: 6 },
  { head: "TRIES", align: "right" },
  { head: "MS", align: "right" },
  { head: "EVENT" },
];

/** Such as `✓ done`. */
export const outcomeText = (outcome: RowOutcome) => `${MARKS[outcome]} ${outcome}`;

/** The beginning of an id, by which commands find its event. */
export const shortId = (id: string) => [...id].slice(0, ID).join("");

const timeOf = (iso: string) => iso.slice(11, 23);

/** A table of events without a line end; below 60 columns, two lines for each event. `head: false` omits the titles. */
export function eventLines(rows: EventRow[], width: number, head = true): string[] {
  if (width < TABLE_WIDTH) return rows.flatMap((row) => twoLines(row, width));
  const [first, ...lines] = table(COLUMNS, rows.map(tableRow), width);
  return head && first !== undefined ? [first, ...lines] : lines;
}

function tableRow(row: EventRow) {
  const { at, outcome, type, api_id, key, attempts, ms, id, reason, error } = row;
  const texts = [type, api_id, key].map((text) => cut(text || "-", TEXT));
  const counts = [attempts > 0 ? String(attempts) : "-", attempts > 0 ? String(Math.round(ms)) : "-"];
  return {
    cells: [timeOf(at), outcomeText(outcome), ...texts, ...counts, shortId(id)],
    details: reason ? [cut(firstLine(`${reason}: ${error}`), TEXT)] : [],
  };
}

const firstLine = (text: string) => text.split("\n", 1)[0] ?? "";

function twoLines(
  { at, outcome, type, api_id, key, attempts, reason, id }: EventRow,
  width: number,
): string[] {
  const time = timeOf(at);
  const facts = [api_id, key, attempts > 1 && `${attempts} tries`, reason, shortId(id)].filter(Boolean);
  return [
    `${MARKS[outcome]} ${cut(type || outcome, Math.max(10, width - time.length - 4))}  ${time}`,
    `  ${cut(facts.join(" · "), Math.max(10, width - 2))}`,
  ];
}
