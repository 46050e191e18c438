// How text is laid out for a terminal of any width. Widths are in columns: a CJK character or an emoji takes two.
import measure from "fast-string-truncated-width";
import { wrapAnsi } from "fast-wrap-ansi";
import { printable } from "./printable.ts";

/**
 * The width that lines should have: of the terminal, or COLUMNS. What goes into a file or another program is as long as
 * it is, so that it can be searched by lines. A terminal that does not know its size says 0.
 */
export function lineWidth(
  out: { columns?: number } = process.stdout,
  env: Record<string, string | undefined> = process.env,
): number {
  const wanted = Number(env.COLUMNS);
  return Number.isInteger(wanted) && wanted > 0 ? wanted : out.columns || Number.POSITIVE_INFINITY;
}

/** One line of text, wrapped between words; all lines but the first are indented. */
export function wrapped(text: string, width: number, indent = ""): string[] {
  const line = printable(text);
  const room = Math.max(width, LEAST_WIDTH);
  if (line.length > MOST_CHARS || widthOf(line) <= room) return [line];
  const [first = ""] = wrapLines(line, room);
  // The indent reduces the width of all lines but the first.
  const more = wrapLines(line.slice(first.length).trimStart(), Math.max(room - indent.length, LEAST_WIDTH));
  return [first, ...more.map((each) => indent + each)].map((each) => each.trimEnd());
}

/** The minimum width, so that words are not broken. */
const LEAST_WIDTH = 20;
/** Longer texts are data, which the terminal itself wraps. */
const MOST_CHARS = 10_000;

const wrapLines = (text: string, width: number) =>
  wrapAnsi(text, width, { hard: true, trim: false }).split("\n");

/** A column of a table, left-aligned by default. */
export interface Column {
  head: string;
  align?: "right";
  /**
   * The minimum width to which its cells may be cut if there is not enough room; cells of other columns are never cut.
   */
  least?: number;
}

/** A row of a table; a cell for each column, in their order. */
export interface Row {
  cells: string[];
  /** Lines of text below it. */
  details?: string[];
}

const GAP = "  ";

/** A table; if there is not enough room for its columns, each row is a list of its cells. */
export function table(columns: Column[], rows: Row[], width: number): string[] {
  const texts = rows.map(({ cells, details = [] }) => ({
    cells: columns.map((_, at) => printable(cells[at] ?? "")),
    details: details.map(printable),
  }));
  const widths = fit(columns, texts, width);
  if (!widths) return texts.flatMap((row, at) => [...(at > 0 ? [""] : []), ...asList(columns, row, width)]);
  const line = (cells: string[]) =>
    columns
      .map(({ align }, at) => pad(cut(cells[at] ?? "", widths[at] ?? 0), widths[at] ?? 0, align))
      .join(GAP)
      .trimEnd();
  const margin = " ".repeat((widths[0] ?? 0) + GAP.length);
  return [
    line(columns.map(({ head }) => head)),
    ...texts.flatMap(({ cells, details }) => [
      line(cells),
      ...details.flatMap((text) => wrapped(margin + text, width, margin)),
    ]),
  ];
}

/** The columns' widths; undefined if there is not enough room. */
function fit(columns: Column[], rows: { cells: string[] }[], width: number): number[] | undefined {
  const widths = columns.map(({ head }, at) =>
    Math.max(widthOf(head), ...rows.map(({ cells }) => widthOf(cells[at] ?? ""))),
  );
  const least = columns.map(({ head, least: cells = Number.POSITIVE_INFINITY }, at) =>
    Math.min(Math.max(cells, widthOf(head)), widths[at] ?? 0),
  );
  let over = sum(widths) + GAP.length * (columns.length - 1) - width;
  if (sum(widths) - sum(least) < over) return undefined;
  // Reduces the widest column first, so that the others may not have to be cut.
  for (; over > 0; over -= 1) {
    const spare = widths.map((each, at) => (each > (least[at] ?? 0) ? each : 0));
    const widest = spare.indexOf(Math.max(...spare));
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

const sum = (numbers: number[]) => numbers.reduce((total, each) => total + each, 0);

function asList(columns: Column[], { cells, details }: Required<Row>, width: number): string[] {
  const names = Math.max(...columns.map(({ head }) => widthOf(head)));
  const indent = " ".repeat(names + GAP.length);
  return [
    ...columns.flatMap(({ head, least }, at) => {
      const cell = cells[at] ?? "";
      const shown = least === undefined ? cell : cut(cell, Math.max(least, width - indent.length));
      return shown ? wrapped(pad(head, names) + GAP + shown, width, indent) : [];
    }),
    ...details.flatMap((text) => wrapped(GAP + text, width, GAP)),
  ];
}

function pad(text: string, width: number, align?: "right"): string {
  const space = " ".repeat(Math.max(0, width - widthOf(text)));
  return align === "right" ? space + text : text + space;
}

/** The text cut to the width, with a mark if it was cut. */
export function cut(text: string, width: number): string {
  const { index, ellipsed } = measure(text, { limit: width, ellipsis: "…" });
  return ellipsed ? `${text.slice(0, index)}…` : text.slice(0, index);
}

/** The number of columns of a text. */
export const widthOf = (text: string) => measure(text).width;

/** `2026-11-23 14:24:27`, for a column with UTC in its head. */
export const utcTime = (iso: string) => iso.slice(0, 19).replace("T", " ");
