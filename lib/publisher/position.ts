import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { readSome, TO_CHANGE, writeAll } from "./files.ts";
import { checksum } from "./record.ts";

/** The position up to which the events of a spool are sent. */
export interface Position {
  segment: number;
  offset: number;
}

/** The file in which a spool keeps its position; `close` releases it. */
export interface PositionFile {
  /** The stored position. */
  start: Position;
  write(position: Position): Promise<void>;
  close(): Promise<void>;
}

const BYTES = 64;

/**
 * It is not synced: after a power failure there may be an older position, and then events are sent again with the same
 * ids.
 */
export async function openPosition(folder: string): Promise<PositionFile> {
  const path = join(folder, "position");
  const handle = await open(path, TO_CHANGE).catch(() => open(path, "wx+", 0o600));
  return {
    start: parse(await readFrom(handle)),
    async write({ segment, offset }) {
      const text = `${segment} ${offset}`;
      await writeAll(handle, Buffer.from(`${checksum(text)} ${text}`.padEnd(BYTES - 1).concat("\n")), 0);
    },
    close: () => handle.close(),
  };
}

const readFrom = async (handle: FileHandle) => (await readSome(handle, 0, BYTES)).toString();

/** A damaged file means the beginning of the spool. */
function parse(text: string): Position {
  const [, sum, numbers = "", segment, offset] = /^([0-9a-f]{8}) ((\d+) (\d+)) *\n$/.exec(text) ?? [];
  if (sum === undefined || checksum(numbers) !== sum) return { segment: 0, offset: 0 };
  return { segment: Number(segment), offset: Number(offset) };
}
