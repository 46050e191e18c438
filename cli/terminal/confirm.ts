import { createInterface } from "node:readline/promises";
import { printable } from "./printable.ts";

/** Where a question is printed, and where its answer is read. */
export interface Terminal {
  input: NodeJS.ReadableStream & { isTTY?: boolean };
  output: NodeJS.WritableStream;
}

/** Asks a person for a yes; anything else, the end of the input and `stop` are a no. */
export async function confirm(
  question: string,
  { input, output }: Terminal,
  stop: AbortSignal,
): Promise<boolean> {
  // No terminal mode: there Ctrl+C would be a key press, and the command would not be told.
  const lines = createInterface({ input, output, terminal: false });
  const closed = new Promise<string>((resolve) => lines.once("close", () => resolve("")));
  try {
    const answer = lines.question(`${printable(question)} [y/N] `, { signal: stop }).catch(() => "");
    return /^y(es)?$/i.test((await Promise.race([answer, closed])).trim());
  } finally {
    lines.close();
  }
}
