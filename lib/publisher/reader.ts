import { readSome, type Segment, withFile } from "./files.ts";
import type { Position } from "./position.ts";
import { readLine, type SpoolRecord } from "./record.ts";

/** An event of the spool, and where the next one begins. */
export interface Entry extends SpoolRecord {
  end: Position;
}

/** Damaged data in the spool. */
export interface Damage {
  at: Position;
  bytes: Buffer;
  /**
   * A whole line; a line without an end, left by a process that died while it wrote, so its event was not accepted; or
   * a piece of a line that is too long.
   */
  kind: "line" | "torn" | "piece";
}

/** Reads a spool from its position on, in order. */
export interface Reader {
  /** The oldest events that are not removed yet, without removing them. */
  peek(most: number): Promise<Entry[]>;
  /** Removes everything up to this position; returns the number of events. */
  takeOff(end: Position): number;
  /** When the oldest event that `peek` has seen was accepted. */
  oldestAt(): number | undefined;
  /** Where the next event begins that `peek` has not seen. */
  seen(): Position;
}

/** `segments` is the spool's own list, to which new segments are added and from which finished ones are removed. */
export interface ReaderDeps {
  start: Position;
  segments: Segment[];
  /** Must store the damaged data, or throw. */
  onDamage: (damage: Damage) => Promise<void>;
}

const CHUNK_BYTES = 1024 * 1024;
/** A longer line is not an event. */
const MAX_LINE_BYTES = 4 * 1024 * 1024;
const NEWLINE = 10;

/** Opens a file only while it reads. `peek` rejects when a file cannot be read or the damage cannot be kept. */
export function createReader({ start, segments, onDamage }: ReaderDeps): Reader {
  const ahead: Entry[] = [];
  let at = start;

  /** The first segment with unread data. */
  function unread(): Segment | undefined {
    const offset = (number: number) => (number === at.segment ? at.offset : 0);
    const segment = segments.find(({ number, end }) => number >= at.segment && end > offset(number));
    if (segment) at = { segment: segment.number, offset: offset(segment.number) };
    return segment;
  }

  /** Of the segment, from where reading is: whole lines, or one piece without a line end. */
  async function chunkOf(segment: Segment): Promise<{ bytes: Buffer; whole: boolean }> {
    return withFile(segment.path, "r", async (handle) => {
      for (let size = CHUNK_BYTES; ; size *= 2) {
        const length = Math.min(size, segment.end - at.offset);
        const bytes = await readSome(handle, at.offset, length);
        const last = bytes.lastIndexOf(NEWLINE);
        if (last >= 0) return { bytes: bytes.subarray(0, last + 1), whole: true };
        if (bytes.length < size || size >= MAX_LINE_BYTES) return { bytes, whole: false };
      }
    });
  }

  async function readMore(): Promise<boolean> {
    const segment = unread();
    if (!segment) return false;
    const { bytes, whole } = await chunkOf(segment);
    if (bytes.length === 0) throw new Error(`${segment.path} is shorter than it was`);
    if (!whole) {
      const torn = at.offset + bytes.length >= segment.end;
      await onDamage({ at, bytes, kind: torn ? "torn" : "piece" });
      at = { segment: segment.number, offset: at.offset + bytes.length };
      return true;
    }
    for (let from = 0; from < bytes.length; ) {
      const newline = bytes.indexOf(NEWLINE, from);
      const line = bytes.subarray(from, newline);
      const record = readLine(line);
      if (!record) await onDamage({ at, bytes: line, kind: "line" });
      from = newline + 1;
      at = { segment: segment.number, offset: at.offset + line.length + 1 };
      if (record) ahead.push({ ...record, end: at });
    }
    return true;
  }

  return {
    async peek(most) {
      while (ahead.length < most && (await readMore()));
      return ahead.slice(0, most);
    },
    takeOff(end) {
      const count = ahead.findIndex((entry) => isAfter(entry.end, end));
      return ahead.splice(0, count < 0 ? ahead.length : count).length;
    },
    oldestAt: () => ahead[0]?.at,
    seen: () => at,
  };
}

/** Whether the first position in the spool is after the other. */
export const isAfter = (one: Position, other: Position) =>
  one.segment > other.segment || (one.segment === other.segment && one.offset > other.offset);
