import { type FileHandle, open, unlink } from "node:fs/promises";
import { errorText } from "../errors.ts";
import type { Log } from "../log.ts";
import { type Segment, segmentPath, syncFolder, writeAll } from "./files.ts";

/** Appends to the spool's newest segment; `close` waits for what is being written. */
export interface Writer {
  /**
   * Resolves when these bytes are on disk; otherwise they are not accepted. Bytes that arrive in the meantime are
   * written together.
   */
  write(bytes: Buffer): Promise<void>;
  /** The current segment. */
  active(): Segment | undefined;
  /** Whether the last write failed. */
  failing(): boolean;
  close(): Promise<void>;
}

/** Where the writer creates its segments. */
export interface WriterDeps {
  folder: string;
  /** A segment of this size is finished. */
  segmentBytes: number;
  /** The spool's list: new segments are added. */
  segments: Segment[];
  /** The number of the first segment to begin. */
  nextNumber: number;
  log: Log;
}

/** An old segment is never written to, so incomplete data of a dead process at its end is not changed. */
export function createWriter({ folder, segmentBytes, segments, nextNumber, log }: WriterDeps): Writer {
  let open_: { segment: Segment; handle: FileHandle } | undefined;
  let number = nextNumber;
  let failing = false;
  const waiting: { bytes: Buffer; done: PromiseWithResolvers<void> }[] = [];
  let writing: Promise<void> | undefined;

  async function begin(): Promise<{ segment: Segment; handle: FileHandle }> {
    const segment = { number, path: segmentPath(folder, number), end: 0 };
    const handle = await open(segment.path, "wx", 0o600);
    number += 1;
    segments.push(segment);
    open_ = { segment, handle };
    await syncFolder(folder);
    return open_;
  }

  /** Also after a failure, since the content after the valid part is unknown. */
  async function leave(): Promise<void> {
    if (!open_) return;
    const { segment, handle } = open_;
    open_ = undefined;
    await handle.truncate(segment.end).catch(() => {});
    await handle.close().catch(() => {});
    if (segment.end > 0) return;
    segments.splice(segments.indexOf(segment), 1);
    await unlink(segment.path).catch(() => {});
  }

  async function writeTogether(bytes: Buffer): Promise<void> {
    try {
      const { segment, handle } = open_ ?? (await begin());
      // A deleted file can still be written to, but is lost with the process.
      if ((await handle.stat()).nlink === 0) throw new Error(`${segment.path} was removed`);
      await writeAll(handle, bytes, segment.end);
      await handle.datasync();
      segment.end += bytes.length;
      // Now, and not with the next write, since its sent events can only be removed then.
      if (segment.end >= segmentBytes) await leave();
      if (failing) log.info("the spool can be written to again", {});
      failing = false;
    } catch (thrown) {
      await leave();
      if (!failing) log.error("the spool cannot be written to", { error: errorText(thrown) });
      failing = true;
      throw thrown;
    }
  }

  async function writeAllWaiting(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting.splice(0);
      try {
        await writeTogether(Buffer.concat(group.map(({ bytes }) => bytes)));
        for (const { done } of group) done.resolve();
      } catch (thrown) {
        for (const { done } of group) done.reject(thrown);
      }
    }
  }

  return {
    write(bytes) {
      const done = Promise.withResolvers<void>();
      waiting.push({ bytes, done });
      writing ??= writeAllWaiting().finally(() => {
        writing = undefined;
      });
      return done.promise;
    },
    active: () => open_?.segment,
    failing: () => failing,
    async close() {
      await writing;
      await leave();
    },
  };
}
