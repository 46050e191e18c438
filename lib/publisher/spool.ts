import { mkdir, unlink } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { AppError, errorText } from "../errors.ts";
import type { Log } from "../log.ts";
import { openAside } from "./aside.ts";
import { findSegments, readSome, type Segment, syncFolder, withFile } from "./files.ts";
import { lockFolder } from "./lock.ts";
import { openPosition, type Position } from "./position.ts";
import { createReader, type Damage, type Entry, isAfter } from "./reader.ts";
import { lineOf } from "./record.ts";
import { createWriter } from "./writer.ts";

/** A folder that keeps events until the queue has them. */
export interface Spool {
  /** Resolves when all of them are on disk. Throws `spool-full` and `spool-failed`: then none of them is accepted. */
  append(bodies: string[]): Promise<void>;
  /** The oldest events, in order. */
  peek(most: number): Promise<Entry[]>;
  /** An event and all before it are finished. */
  takeOff(last: Entry): Promise<void>;
  /** Keeps an event that the queue rejects permanently, for people to inspect. */
  setAside(entry: Entry, reason: string): Promise<void>;
  /** Resolves when something was appended after this call. */
  grown(): Promise<void>;
  state(): SpoolState;
  close(): Promise<void>;
}

/** The state of a spool. */
export interface SpoolState {
  /** Events that are not sent yet. */
  events: number;
  /** Bytes of their segments. */
  bytes: number;
  /** When the oldest of them was accepted, in ms since 1970; undefined before the first `peek`. */
  oldestAt: number | undefined;
  /** Records that were set aside because they cannot be read. */
  damaged: number;
  /** Why the next event would not be accepted. */
  trouble: "full" | "disk" | undefined;
}

/** `now` in ms since 1970. */
export interface SpoolOptions {
  folder: string;
  /** The limit of the whole folder. */
  maxBytes: number;
  now: () => number;
  log: Log;
}

const SEGMENT_BYTES = 4 * 1024 * 1024;

const DAMAGE = {
  line: "its checksum is wrong",
  torn: "it was not written to its end, and so not answered with 202",
  piece: "it is longer than any event",
};

/** Opens the spool in a folder, or creates it. Throws `spool-locked` and `spool-failed`. */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  const { folder } = options;
  try {
    await makeFolder(folder);
    const unlock = await lockFolder(folder);
    try {
      return await openLocked(options, unlock);
    } catch (thrown) {
      unlock();
      throw thrown;
    }
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError("spool-failed", `the spool ${folder} cannot be opened: ${errorText(cause)}`, {
      cause,
    });
  }
}

/** A new folder is durable when its parents are synced. */
async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  const above = dirname(resolve(first));
  for (let made = resolve(folder); made !== above; made = dirname(made)) await syncFolder(dirname(made));
}

async function openLocked({ folder, maxBytes, now, log }: SpoolOptions, unlock: () => void): Promise<Spool> {
  const segments = await findSegments(folder);
  const position = await openPosition(folder);
  const refused = await openAside(folder, "refused");
  const damagedFile = await openAside(folder, "damaged");
  await syncFolder(folder);
  let { start: done } = position;
  const nextNumber = Math.max(done.segment, segments.at(-1)?.number ?? 0) + 1;
  const segmentBytes = Math.min(SEGMENT_BYTES, maxBytes / 4);
  const writer = createWriter({ folder, segmentBytes, segments, nextNumber, log });
  const reader = createReader({ start: done, segments, onDamage });
  let events = await countLines(segments, done);
  let damaged = 0;
  let reserved = 0;
  let full = false;
  let positionFails = false;
  let growth = Promise.withResolvers<void>();

  async function onDamage({ at: { segment, offset }, bytes, kind }: Damage): Promise<void> {
    const reason = DAMAGE[kind];
    const at = new Date(now()).toISOString();
    await damagedFile.add({ at, segment, offset, reason, base64: bytes.toString("base64") });
    log.error("a record of the spool cannot be read, and is in damaged.jsonl", { segment, offset, reason });
    if (kind !== "torn") damaged += 1;
    if (kind === "line") events -= 1;
  }

  async function moveTo(end: Position): Promise<void> {
    done = end;
    try {
      await position.write(end);
      await removeDone();
      positionFails = false;
    } catch (thrown) {
      // Then events are sent again after the next start.
      if (!positionFails)
        log.error("the spool cannot be cleared of what is sent", { error: errorText(thrown) });
      positionFails = true;
    }
  }

  async function removeDone(): Promise<void> {
    for (;;) {
      const [first] = segments;
      if (!first || first === writer.active() || isAfter({ segment: first.number, offset: first.end }, done))
        return;
      await unlink(first.path);
      segments.shift();
      full = false;
    }
  }

  const size = () => segments.reduce((sum, { end }) => sum + end, 0);
  const held = () => size() + reserved + refused.bytes() + damagedFile.bytes();

  return {
    async append(bodies) {
      const at = now();
      const bytes = Buffer.from(bodies.map((body) => lineOf(at, body)).join(""));
      // The files may have been deleted by a user.
      if (held() + bytes.length > maxBytes) await Promise.all([refused.measure(), damagedFile.measure()]);
      if (held() + bytes.length > maxBytes) {
        if (!full) log.error("the spool is full", { events, bytes: held(), max_bytes: maxBytes });
        full = true;
        throw new AppError("spool-full", `the spool is full: ${events} events wait for the queue`);
      }
      full = false;
      reserved += bytes.length;
      try {
        await writer.write(bytes);
      } catch (cause) {
        throw new AppError("spool-failed", "the spool cannot be written to: the publisher's log says why", {
          cause,
        });
      } finally {
        reserved -= bytes.length;
      }
      events += bodies.length;
      growth.resolve();
      growth = Promise.withResolvers();
    },
    async peek(most) {
      const entries = await reader.peek(most);
      // Unreadable data at the end is finished too.
      if (entries.length === 0 && isAfter(reader.seen(), done)) await moveTo(reader.seen());
      return entries;
    },
    async takeOff({ end }) {
      const count = reader.takeOff(end);
      await moveTo(end);
      // Only now their space is free.
      events -= count;
    },
    async setAside({ at, message: { body, envelope } }, reason) {
      const { id, api_id } = envelope;
      await refused.add({ at: new Date(at).toISOString(), api_id, id, reason, body });
      log.error("the queue refused an event, which is in refused.jsonl", {
        event_id: id,
        api_id,
        error: reason,
      });
    },
    grown: () => growth.promise,
    state() {
      const [first] = segments;
      const sent = first?.number === done.segment ? Math.min(done.offset, first.end) : 0;
      const trouble = writer.failing() ? "disk" : full ? "full" : undefined;
      return { events, bytes: size() - sent, oldestAt: reader.oldestAt(), damaged, trouble };
    },
    async close() {
      await writer.close();
      await position.close();
      unlock();
    },
  };
}

const COUNT_BYTES = 1024 * 1024;

async function countLines(segments: Segment[], from: Position): Promise<number> {
  let lines = 0;
  for (const { number, path, end } of segments) {
    const offset = number === from.segment ? from.offset : number < from.segment ? end : 0;
    await withFile(path, "r", async (handle) => {
      for (let at = offset; at < end; at += COUNT_BYTES) {
        const bytes = await readSome(handle, at, Math.min(COUNT_BYTES, end - at));
        for (let found = bytes.indexOf(10); found >= 0; found = bytes.indexOf(10, found + 1)) lines += 1;
      }
    });
  }
  return lines;
}
