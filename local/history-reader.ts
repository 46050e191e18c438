import { open } from "node:fs/promises";
import { join } from "node:path";
import { isReadable } from "../lib/history/readable.ts";
import { FORMAT, type HistoryLine } from "../lib/history/records.ts";
import { historyFiles } from "./history-writer.ts";

/** Reads a history that another process may be writing. */
export interface HistoryReader {
  /** The lines since the last call, the oldest first; at the first call all lines. */
  read(): AsyncIterable<HistoryLine>;
  /** The same, with the place of each line. */
  readPlaced(): AsyncIterable<PlacedLine>;
  /** The line at a place of `readPlaced`; undefined if its file was deleted. */
  lineAt(place: LinePlace): Promise<HistoryLine | undefined>;
  /** The existing files. */
  files(): string[];
}

/** The place of a line: the file's name in its folder, and the line's first byte and length, without the line break. */
export interface LinePlace {
  file: string;
  offset: number;
  bytes: number;
}

/** A line and its place. */
export interface PlacedLine {
  line: HistoryLine;
  place: LinePlace;
}

const LINE_END = 0x0a;

/** A missing folder is an empty history. Anything but a whole line of a history is omitted. */
export function createHistoryReader(folder: string): HistoryReader {
  const offsets = new Map<string, number>();

  async function bytesAt(name: string, offset: number, length?: number): Promise<Buffer> {
    const file = await open(join(folder, name)).catch(undefinedIfGone);
    if (!file) return NOTHING;
    try {
      const size = length ?? (await file.stat()).size - offset;
      if (size <= 0) return NOTHING;
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size), 0, size, offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }

  /** Reads only whole lines: an incomplete one is read later. */
  async function* readOn(file: string): AsyncIterable<PlacedLine> {
    const from = offsets.get(file) ?? 0;
    const bytes = await bytesAt(file, from);
    const end = bytes.lastIndexOf(LINE_END) + 1;
    offsets.set(file, from + end);
    for (let at = 0; at < end; ) {
      const next = bytes.indexOf(LINE_END, at);
      const line = parseLine(bytes.toString("utf8", at, next));
      if (line) yield { line, place: { file, offset: from + at, bytes: next - at } };
      at = next + 1;
    }
  }

  async function* readPlaced(): AsyncIterable<PlacedLine> {
    for (const name of namesIn(folder)) yield* readOn(name);
  }

  return {
    readPlaced,
    async *read() {
      for await (const { line } of readPlaced()) yield line;
    },
    async lineAt({ file, offset, bytes }) {
      return parseLine((await bytesAt(file, offset, bytes)).toString("utf8"));
    },
    files: () => namesIn(folder),
  };
}

const NOTHING = Buffer.alloc(0);

function namesIn(folder: string): string[] {
  try {
    return historyFiles(folder);
  } catch (thrown) {
    undefinedIfGone(thrown);
    return [];
  }
}

/** A file may be deleted between the two calls. */
function undefinedIfGone(thrown: unknown): undefined {
  const { code } = thrown as NodeJS.ErrnoException;
  if (code !== "ENOENT" && code !== "ENOTDIR") throw thrown;
}

/** Undefined for any text but a line of a history in this version's format. */
export function parseLine(text: string): HistoryLine | undefined {
  if (text === "") return undefined;
  try {
    const line = JSON.parse(text) as HistoryLine;
    return line.history === FORMAT && isReadable(line) ? line : undefined;
  } catch {
    return undefined;
  }
}
