import type { Problem } from "../../lib/releases/sources.ts";
import { cut, lineWidth, widthOf, wrapped } from "./layout.ts";
import { linesOf, printableCode } from "./printable.ts";

/** The text of a problem: the file, the message and the source line. */
export function problemLines(
  kind: "error" | "warning",
  problem: Problem,
  textOf: (file: string) => string | undefined = () => undefined,
) {
  const { file, line, message } = problem;
  // Some messages already contain their place, in the gateway's format.
  const isPlaced = message.startsWith(`${file}:`) || message.startsWith(`${file},`);
  const said = isPlaced ? message : `${[file, line].filter(Boolean).join(":")}: ${message}`;
  const [first, ...more] = linesOf(said);
  const width = lineWidth(kind === "error" ? process.stderr : process.stdout);
  return [
    ...wrapped(`${kind.padEnd(9)}${first}`, width, " ".repeat(9)),
    ...more.flatMap((text) => wrapped(`  ${text}`, width, "  ")),
    ...(line ? codeFrame(textOf(file), problem, width) : []),
  ];
}

/** The line's text with a caret below the column, if known. */
export function codeFrame(
  text: string | undefined,
  { line = 0, column = 0 }: Problem,
  columns: number,
): string[] {
  const source = text?.split(/\r?\n/)[line - 1];
  if (source === undefined) return [];
  const margin = " ".repeat(String(line).length);
  // A minified line would fill the screen.
  const width = Math.max(LEAST_CODE, Math.min(MOST_CODE, columns - `  ${margin} | `.length));
  const from = column > width ? column - Math.floor(width / 2) : 0;
  const shown = printableCode(cut(source.slice(from, from + width), width));
  const before = printableCode(source.slice(from, Math.max(from, column - 1)));
  return [`  ${line} | ${shown}`, ...(column > 0 ? [`  ${margin} | ${blankOf(before)}^`] : [])];
}

/** Columns of a line of code. */
const [LEAST_CODE, MOST_CODE] = [20, 100];

/** Blanks as wide as the text, with its tabs. */
const blankOf = (text: string) =>
  text
    .split("\t")
    .map((part) => " ".repeat(widthOf(part)))
    .join("\t");

/** Looks up the text of a file by its path; undefined for another. */
export function textsOf(files: { path: string; text: string }[]): (file: string) => string | undefined {
  const texts = new Map(files.map(({ path, text }) => [path, text]));
  return (file) => texts.get(file);
}
