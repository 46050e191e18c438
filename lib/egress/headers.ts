import { AppError } from "../errors.ts";
import { decodeUtf8 } from "../go/text.ts";

/** Canonical name to value. Go's Header.Set keeps one value for each name. */
export type RequestHeaders = ReadonlyMap<string, string>;

const TOKEN = /^[\w!#$%&'*+\-.^`|~]+$/;

/**
 * Headers that are not sent: the first four as in Go's client, the others because undici sets or rejects them. The
 * receiver needs none of them.
 */
const UNSENT = new Set([
  "Host",
  "Content-Length",
  "Transfer-Encoding",
  "Trailer",
  "Connection",
  "Keep-Alive",
  "Upgrade",
  "Expect",
]);

/** `x-one` -> `X-One`; a text that is not a header name is not changed. */
export function canonicalName(name: string): string {
  if (!isToken(name)) return name;
  return name.toLowerCase().replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}

/** Whether it is a token of RFC 9110, as methods and header names must be; not empty. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** The maximum size of the headers of a request or of an answer. */
export const HEADER_BYTES = 64 * 1024;
/** The overhead of each header in addition to its name and value, as in HTTP/2's SETTINGS_MAX_HEADER_LIST_SIZE. */
const HEADER_OVERHEAD = 32;

/** Throws http-invalid for headers that no server accepts, before they are processed. */
export function checkHeaderSize(written: [string, string][]): void {
  let bytes = 0;
  for (const [name, value] of written)
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value) + HEADER_OVERHEAD;
  if (bytes <= HEADER_BYTES) return;
  const counted = `each counted with ${HEADER_OVERHEAD} bytes more`;
  throw new AppError("http-invalid", `the headers are larger than ${HEADER_BYTES} bytes, ${counted}`);
}

/** Throws http-invalid for an invalid name or value; the message contains neither, since both may be secrets. */
export function parseRequestHeaders(written: Iterable<[string, string]>): RequestHeaders {
  const headers = new Map<string, string>();
  for (const [name, value] of written) {
    if (!isToken(name)) throw new AppError("http-invalid", "a header name is not valid");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a header must not contain them
    if (/[\0-\x08\n-\x1f\x7f]/.test(value)) {
      throw new AppError("http-invalid", "a header value has a line break or another control character");
    }
    headers.set(canonicalName(name), withoutBlanks(value));
  }
  for (const name of UNSENT) headers.delete(name);
  return headers;
}

/** Without a pattern, which would take quadratic time for a long run of blanks. */
function withoutBlanks(value: string): string {
  let [start, end] = [0, value.length];
  while (isBlank(value[start])) start += 1;
  while (end > start && isBlank(value[end - 1])) end -= 1;
  return value.slice(start, end);
}

const isBlank = (character: string | undefined) => character === " " || character === "\t";

/** Alternating names and values, the values as UTF-8 bytes, one character each: undici writes them as latin1. */
export function toWire(headers: RequestHeaders): string[] {
  return [...headers].flatMap(([name, value]) => [name, Buffer.from(value).toString("latin1")]);
}

/** Undici's raw headers by canonical name. As in Go, the headers of the transfer are removed. */
export function parseResponseHeaders(raw: string[]): Map<string, string[]> {
  const headers = new Map<string, string[]>();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = canonicalName(raw[at] ?? "");
    const value = decodeUtf8(Buffer.from(raw[at + 1] ?? "", "latin1"));
    const values = headers.get(name);
    if (values) values.push(value);
    else headers.set(name, [value]);
  }
  headers.delete("Transfer-Encoding");
  headers.delete("Trailer");
  return headers;
}
