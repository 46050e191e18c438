import { createInterface } from "node:readline/promises";
import { printable } from "./printable.ts";

/** The output for a question, and the input for its answer. */
export interface Terminal {
  input: NodeJS.ReadableStream & { isTTY?: boolean };
  output: NodeJS.WritableStream;
}

/** Asks for confirmation; any answer except yes, the end of the input and `stop` mean no. */
export async function confirm(
  question: string,
  { input, output }: Terminal,
  stop: AbortSignal,
): Promise<boolean> {
  // Not in terminal mode, where Ctrl+C would be a key press, and the command would not be interrupted.
  const lines = createInterface({ input, output, terminal: false });
  const closed = new Promise<string>((resolve) => lines.once("close", () => resolve("")));
  try {
    const answer = lines.question(`${printable(question)} [y/N] `, { signal: stop }).catch(() => "");
    return /^y(es)?$/i.test((await Promise.race([answer, closed])).trim());
  } finally {
    lines.close();
  }
}
