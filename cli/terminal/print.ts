// The only module of this folder that writes to the terminal.
import { lineWidth, wrapped } from "./layout.ts";
import { printable, printableCode } from "./printable.ts";

/** Prints on standard output, each text as one line, whatever it contains. */
export function print(...lines: string[]): void {
  if (lines.length > 0) console.log(lines.map(printableCode).join("\n"));
}

/** The same on standard error. */
export function printError(...lines: string[]): void {
  if (lines.length > 0) console.error(lines.map(printableCode).join("\n"));
}

/**
 * Prints sentences on standard output, wrapped at the width of the terminal; the further lines of each are indented.
 */
export const printText = (...texts: string[]) =>
  print(...texts.flatMap((text) => wrapped(text, lineWidth(process.stdout), "  ")));

/** The same on standard error. */
export const printErrorText = (...texts: string[]) =>
  printError(...texts.flatMap((text) => wrapped(text, lineWidth(process.stderr), "  ")));

/** Clears the terminal, if there is one. */
export const clearTerminal = () => console.clear();

/** One JSON object on standard output; it parses to the same value as without escapes. */
export const printJson = (value: unknown) => console.log(printable(JSON.stringify(value)));

/** Replaces the current line, without a line break. */
export const printOver = (out: NodeJS.WritableStream, text: string) =>
  void out.write(`\r\x1b[K${printable(text)}`);
