import { printOver } from "./print.ts";

/** The time between two updates of the line. */
const EVERY_MS = 200;

/** A progress line on standard error that updates itself; nothing without a terminal. */
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
