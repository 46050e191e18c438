import type { Problem } from "../lib/releases/sources.ts";
import { linesOf, printableCode } from "./printable.ts";

/** A problem for a person: the file and what is wrong with it, and the line at fault. */
export function problemLines(
  kind: "error" | "warning",
  problem: Problem,
  textOf: (file: string) => string | undefined = () => undefined,
) {
  const { file, line, message } = problem;
  // Some messages name their place already, in the words of the gateway's own form.
  const isPlaced = message.startsWith(`${file}:`) || message.startsWith(`${file},`);
  const said = isPlaced ? message : `${[file, line].filter(Boolean).join(":")}: ${message}`;
  const [first, ...more] = linesOf(said);
  return [
    `${kind.padEnd(9)}${first}`,
    ...more.map((text) => `  ${text}`),
    ...(line ? codeFrame(textOf(file), problem) : []),
  ];
}

const MAX_WIDTH = 100;

/** The line's text with a caret below the column, as far as they are known. */
function codeFrame(text: string | undefined, { line = 0, column }: Problem): string[] {
  const source = text?.split(/\r?\n/)[line - 1];
  if (source === undefined) return [];
  // A minified line would fill the screen.
  const from = column && column > MAX_WIDTH ? column - MAX_WIDTH / 2 : 0;
  const shown = source.slice(from, from + MAX_WIDTH);
  const margin = " ".repeat(String(line).length);
  const caret = column === undefined ? [] : [`  ${margin} | ${under(shown, column - 1 - from)}^`];
  return [`  ${line} | ${printableCode(shown)}`, ...caret];
}

/** As wide as the text before the caret: tabs stay tabs. */
const under = (shown: string, width: number) =>
  printableCode(shown.slice(0, width)).replace(/[^\t]/g, " ").padEnd(width);

export function textsOf(files: { path: string; text: string }[]): (file: string) => string | undefined {
  const texts = new Map(files.map(({ path, text }) => [path, text]));
  return (file) => texts.get(file);
}
