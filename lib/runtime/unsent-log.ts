import type { LogLevel } from "./protocol.ts";

/**
 * The lines of the current run that were not sent yet, in memory that outlives the thread, so that lines before a kill
 * are kept.
 */
export interface UnsentLog {
  /** False if there is no room for it. */
  add(level: LogLevel, message: string): boolean;
  clear(): void;
  read(): [LogLevel, string][];
}

const LEVELS: LogLevel[] = ["debug", "info", "warn", "error", "raw"];
/** The Int32 with the end of the lines; each line has its size, its level, and its text in UTF-8. */
const START = 4;
const LINE_HEAD = 5;
/** The longest line that the limits allow by default, of characters of 3 bytes, and some more. */
export const UNSENT_LOG_BYTES = 256 * 1024;

/**
 * Both threads create one on the same memory of `UNSENT_LOG_BYTES`: the worker adds, and the main thread reads what is
 * left when the worker has ended.
 */
export function createUnsentLog(memory: SharedArrayBuffer): UnsentLog {
  const bytes = Buffer.from(memory);
  const end = new Int32Array(memory, 0, 1);
  return {
    add(level, message) {
      const at = Atomics.load(end, 0) || START;
      // At most 3 bytes for each UTF-16 unit, so whether it fits is known without counting.
      if (at + LINE_HEAD + message.length * 3 > bytes.length) return false;
      const written = bytes.write(message, at + LINE_HEAD);
      bytes.writeUInt32LE(written, at);
      bytes[at + 4] = LEVELS.indexOf(level);
      Atomics.store(end, 0, at + LINE_HEAD + written);
      return true;
    },
    clear: () => void Atomics.store(end, 0, START),
    read() {
      const lines: [LogLevel, string][] = [];
      const stop = Atomics.load(end, 0);
      for (let at = START; at < stop; ) {
        const length = bytes.readUInt32LE(at);
        const text = at + LINE_HEAD;
        lines.push([LEVELS[bytes[at + 4] ?? 0] ?? "info", bytes.toString("utf8", text, text + length)]);
        at = text + length;
      }
      return lines;
    },
  };
}
