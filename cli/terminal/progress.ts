import { printOver } from "./print.ts";

/** How often the line is written again. */
const EVERY_MS = 200;

/** A line on standard error that replaces itself, for a person who waits; nothing without a terminal. */
export function startProgress(text: () => string, out: NodeJS.WriteStream = process.stderr): { end(): void } {
  if (!out.isTTY) return { end() {} };
  const timer = setInterval(() => printOver(out, text()), EVERY_MS);
  return {
    end() {
      clearInterval(timer);
      printOver(out, "");
    },
  };
}
