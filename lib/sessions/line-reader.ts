import { isUtf8 } from "node:buffer";

/** A line of a file, without its line end. */
export interface Line {
  /** From 1. */
  number: number;
  /** Undefined if `problem` says why it cannot be used. */
  text: string | undefined;
  problem?: string;
  /** False for a last line without a line end: the file may have been cut there. */
  isWhole: boolean;
}

const LINE_FEED = 0x0a;
const BYTE_ORDER_MARK = "\ufeff";

/** The lines of a stream of bytes, one at a time in memory; blank lines are skipped. */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Line, void> {
  let number = 1;
  let parts: Uint8Array[] = [];
  let bytes = 0;

  function keep(part: Uint8Array): void {
    bytes += part.length;
    // A line that is too long is counted, but not kept.
    if (bytes <= maxBytes) parts.push(part);
    else parts = [];
  }

  function take(isWhole: boolean): Line | undefined {
    const line = lineOf(number, bytes > maxBytes ? undefined : Buffer.concat(parts), maxBytes, isWhole);
    number += 1;
    parts = [];
    bytes = 0;
    return line;
  }

  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      keep(chunk.subarray(start, end));
      const line = take(true);
      if (line) yield line;
      start = end + 1;
    }
    if (start < chunk.length) keep(Uint8Array.from(chunk.subarray(start)));
  }
  const last = bytes > 0 ? take(false) : undefined;
  if (last) yield last;
}

function lineOf(
  number: number,
  bytes: Buffer | undefined,
  maxBytes: number,
  isWhole: boolean,
): Line | undefined {
  const refused = (problem: string) => ({ number, text: undefined, problem, isWhole });
  if (!bytes) return refused(`the line is longer than ${maxBytes} bytes`);
  if (!isUtf8(bytes)) return refused("the line is not UTF-8");
  const decoded = bytes.toString();
  const text = number === 1 && decoded.startsWith(BYTE_ORDER_MARK) ? decoded.slice(1) : decoded;
  return text.trim() === "" ? undefined : { number, text, isWhole };
}
