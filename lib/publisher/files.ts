import { constants } from "node:fs";
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** A file of the spool that events are appended to. */
export interface Segment {
  number: number;
  path: string;
  /** The number of valid bytes: bytes of a failed write after them are ignored. */
  end: number;
}

const NAME = /^(\d{12})\.log$/;

/** Twelve digits, so that names sort like numbers. */
export const segmentPath = (folder: string, number: number) =>
  join(folder, `${String(number).padStart(12, "0")}.log`);

/** The segments of a folder, the oldest first. */
export async function findSegments(folder: string): Promise<Segment[]> {
  const numbers = (await readdir(folder)).flatMap((name) => NAME.exec(name)?.[1] ?? []).sort();
  return Promise.all(
    numbers.map(async (digits) => {
      const path = segmentPath(folder, Number(digits));
      return { number: Number(digits), path, end: (await stat(path)).size };
    }),
  );
}

/** A new file is durable only when its folder is synced too. */
export async function syncFolder(folder: string): Promise<void> {
  await withFile(folder, "r", (handle) => handle.sync());
}

/** Opens an existing file, and does not follow a link in its place. Windows has no such flag. */
const NO_LINK = constants.O_NOFOLLOW ?? 0;
export const TO_CHANGE = constants.O_RDWR | NO_LINK;
export const TO_APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | NO_LINK;

/** Opens a file, or creates one that only its owner can read, and closes it after `work` has settled. */
export async function withFile<T>(
  path: string,
  flags: string | number,
  work: (handle: FileHandle) => Promise<T>,
): Promise<T> {
  const handle = await open(path, flags, 0o600);
  try {
    return await work(handle);
  } finally {
    await handle.close();
  }
}

/** Repeats a short write until all bytes are written; not synced. */
export async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** Fewer than `length` at the file's end. */
export async function readSome(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let read = 0;
  while (read < length) {
    const { bytesRead } = await handle.read(bytes, read, length - read, position + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  return bytes.subarray(0, read);
}
