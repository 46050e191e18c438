import { open } from "node:fs/promises";
import { join } from "node:path";
import { FORMAT, type HistoryLine } from "../lib/history/records.ts";
import { historyFiles } from "./history-writer.ts";

/** Reads a history that another process may be writing. */
export interface HistoryReader {
  /** What was written since the last time, the oldest first; at the first time all that is there. */
  read(): AsyncIterable<HistoryLine>;
}

const LINE_END = 0x0a;

/** A folder that is not there is an empty history. What is no line of a history, such as one cut in the middle, is left out. */
export function createHistoryReader(folder: string): HistoryReader {
  const offsets = new Map<string, number>();

  /** Whole lines only: the rest is read when its end has come. */
  async function readOn(name: string): Promise<string> {
    const offset = offsets.get(name) ?? 0;
    const file = await open(join(folder, name)).catch(undefinedIfGone);
    if (!file) return "";
    try {
      const { size } = await file.stat();
      if (size <= offset) return "";
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - offset), 0, size - offset, offset);
      const end = buffer.lastIndexOf(LINE_END, bytesRead - 1) + 1;
      offsets.set(name, offset + end);
      return buffer.toString("utf8", 0, end);
    } finally {
      await file.close();
    }
  }

  return {
    async *read() {
      for (const name of namesIn(folder)) {
        for (const text of (await readOn(name)).split("\n")) {
          const line = parseLine(text);
          if (line) yield line;
        }
      }
    },
  };
}

function namesIn(folder: string): string[] {
  try {
    return historyFiles(folder);
  } catch (thrown) {
    undefinedIfGone(thrown);
    return [];
  }
}

/** A file may be thrown away between the two. */
function undefinedIfGone(thrown: unknown): undefined {
  const { code } = thrown as NodeJS.ErrnoException;
  if (code !== "ENOENT" && code !== "ENOTDIR") throw thrown;
}

function parseLine(text: string): HistoryLine | undefined {
  if (text === "") return undefined;
  try {
    const line = JSON.parse(text) as HistoryLine;
    return line.history === FORMAT ? line : undefined;
  } catch {
    return undefined;
  }
}
