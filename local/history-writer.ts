import {
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { LINE_START } from "../lib/history/records.ts";
import { makeStateFolder } from "./state-folder.ts";

/** Keeps the newest lines of a history in files of a folder. Nothing here throws. */
export interface HistoryWriter {
  append(line: string): void;
  close(): void;
}

/** The limits of a history. If one of them is reached, about the oldest tenth is deleted. */
export interface HistoryLimits {
  /** The approximate number of kept lines, without those about the arrival of an event. */
  lines: number;
  bytes: number;
}

/** The default limits of `dev`. */
export const HISTORY_LIMITS: HistoryLimits = { lines: 10_000, bytes: 256 * 1024 * 1024 };

/** The number of files, which are deleted one by one. */
const FILES = 10;
const FILE = /^(\d{8})\.jsonl$/;

/** The files of a history, the oldest first, without links, whose targets must not be written to. */
export const historyFiles = (folder: string) =>
  readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => (entry.isFile() && FILE.test(entry.name) ? entry.name : []))
    .sort();

/** Lines that are not counted: they are small, and another one follows for their event. */
const RECEIVED = `${LINE_START}"received"`;

interface OpenFile {
  fd: number;
  lines: number;
  bytes: number;
}

/** `onTrouble` is called once if nothing can be written: lines are lost as long as that lasts. */
export function openHistory(
  folder: string,
  { lines: mostLines, bytes: mostBytes }: HistoryLimits,
  onTrouble: (error: unknown) => void,
): HistoryWriter {
  let file: OpenFile | undefined;
  /** The number of the newest file. */
  let number = 0;
  let isTorn = false;
  let isTold = false;

  function close(): void {
    if (file) closeSync(file.fd);
    file = undefined;
  }

  function prune(names: string[]): void {
    const sizes = names.map((name) => statSync(join(folder, name)).size);
    let bytes = sizes.reduce((sum, size) => sum + size, 0);
    for (const [at, name] of names.entries()) {
      // Leaves room for another file, which grows to one part.
      if (names.length - at <= FILES && bytes <= mostBytes - mostBytes / FILES) return;
      rmSync(join(folder, name), { force: true });
      bytes -= sizes[at] ?? 0;
    }
  }

  const isFull = ({ lines, bytes }: Pick<OpenFile, "lines" | "bytes">) =>
    lines >= mostLines / FILES || bytes >= mostBytes / FILES;

  /** The last file if it has room: one of this process, or of an earlier start. */
  function openNext(): OpenFile {
    close();
    makeStateFolder(folder);
    const names = historyFiles(folder);
    const last = names.at(-1);
    // Not only from the folder: if that was deleted, readers must not take a new file for one that they have read.
    number = Math.max(number, Number(FILE.exec(last ?? "")?.[1] ?? 0));
    const found = last === undefined ? undefined : measured(join(folder, last));
    if (last !== undefined && found && !isFull(found)) {
      isTorn = found.isTorn;
      file = { ...found, fd: openSync(join(folder, last), "a", 0o600) };
      return file;
    }
    prune(names);
    number += 1;
    isTorn = false;
    const path = join(folder, `${String(number).padStart(8, "0")}.jsonl`);
    file = { fd: openSync(path, "ax", 0o600), lines: 0, bytes: 0 };
    return file;
  }

  function fileForNext(): OpenFile {
    // The folder may have been deleted in the meantime.
    const isUsable = file && !isFull(file) && fstatSync(file.fd).nlink > 0;
    return isUsable && file ? file : openNext();
  }

  function write(line: string): void {
    const open = fileForNext();
    const bytes = Buffer.from(`${isTorn ? "\n" : ""}${line}\n`);
    isTorn = true;
    for (let at = 0; at < bytes.length; ) {
      const written = writeSync(open.fd, bytes, at);
      at += written;
      open.bytes += written;
    }
    isTorn = false;
    if (isCounted(line)) open.lines += 1;
  }

  function attempt(work: () => void): void {
    try {
      work();
    } catch (thrown) {
      if (!isTold) onTrouble(thrown);
      isTold = true;
    }
  }

  // Opened now, so that others find it before its first line.
  attempt(openNext);
  return { append: (line) => attempt(() => write(line)), close };
}

const isCounted = (line: string) => line !== "" && !line.startsWith(RECEIVED);

/** The last line may be incomplete, if the process ended or the disk was full: it must not damage the next one. */
function measured(path: string) {
  const text = readFileSync(path, "utf8");
  return {
    lines: text.split("\n").filter(isCounted).length,
    bytes: Buffer.byteLength(text),
    isTorn: text !== "" && !text.endsWith("\n"),
  };
}
