// All that a command says goes through here: nothing else in this folder writes to the terminal.
import { lineWidth, wrapped } from "./layout.ts";
import { printable, printableCode } from "./printable.ts";

/** On standard output, each text as one line, whatever is in it. */
export function print(...lines: string[]): void {
  if (lines.length > 0) console.log(lines.map(printableCode).join("\n"));
}

/** The same on standard error. */
export function printError(...lines: string[]): void {
  if (lines.length > 0) console.error(lines.map(printableCode).join("\n"));
}

/** Sentences on standard output, broken between words where a terminal has no room; the rest of each is indented. */
export const printText = (...texts: string[]) =>
  print(...texts.flatMap((text) => wrapped(text, lineWidth(process.stdout), "  ")));

/** The same on standard error. */
export const printErrorText = (...texts: string[]) =>
  printError(...texts.flatMap((text) => wrapped(text, lineWidth(process.stderr), "  ")));

/** Clears the terminal, where there is one. */
export const clearTerminal = () => console.clear();

/** One JSON object on standard output; it parses to the same value as without the escapes. */
export const printJson = (value: unknown) => console.log(printable(JSON.stringify(value)));

/** A line without an end, in the place of the one that is there. */
export const printOver = (out: NodeJS.WritableStream, text: string) =>
  void out.write(`\r\x1b[K${printable(text)}`);
