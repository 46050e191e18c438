import { AppError } from "../errors.ts";
import { decodeUtf8 } from "../go/text.ts";

/** Canonical name to value. Go's Header.Set keeps one value a name. */
export type RequestHeaders = ReadonlyMap<string, string>;

const TOKEN = /^[\w!#$%&'*+\-.^`|~]+$/;

/**
 * Left out: the first four as Go's client does, the others because undici sets or refuses them.
 * None of them says anything about the request that the receiver needs.
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

/** `x-one` -> `X-One`; what is not a header name stays as it is. */
export function canonicalName(name: string): string {
  if (!isToken(name)) return name;
  return name.toLowerCase().replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}

/** Whether it is a token of RFC 9110, as methods and header names must be; not empty. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** Most that the headers of a request, or of an answer, may take. */
export const HEADER_BYTES = 64 * 1024;
/** What each counts besides its name and value, as in HTTP/2's SETTINGS_MAX_HEADER_LIST_SIZE. */
const HEADER_OVERHEAD = 32;

/** Throws http-invalid for headers that no server takes, before anything is done with them. */
export function checkHeaderSize(written: [string, string][]): void {
  let bytes = 0;
  for (const [name, value] of written)
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value) + HEADER_OVERHEAD;
  if (bytes <= HEADER_BYTES) return;
  const counted = `each counted with ${HEADER_OVERHEAD} bytes more`;
  throw new AppError("http-invalid", `the headers are larger than ${HEADER_BYTES} bytes, ${counted}`);
}

/** Throws http-invalid for a bad name or value; says neither of them, since both may be secrets. */
export function parseRequestHeaders(written: Iterable<[string, string]>): RequestHeaders {
  const headers = new Map<string, string>();
  for (const [name, value] of written) {
    if (!isToken(name)) throw new AppError("http-invalid", "a header name is not valid");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be in a header
    if (/[\0-\x08\n-\x1f\x7f]/.test(value)) {
      throw new AppError("http-invalid", "a header value has a line break or another control character");
    }
    headers.set(canonicalName(name), withoutBlanks(value));
  }
  for (const name of UNSENT) headers.delete(name);
  return headers;
}

/** By hand: a pattern for blanks at the end takes quadratic time for a long run of them. */
function withoutBlanks(value: string): string {
  let [start, end] = [0, value.length];
  while (isBlank(value[start])) start += 1;
  while (end > start && isBlank(value[end - 1])) end -= 1;
  return value.slice(start, end);
}

const isBlank = (character: string | undefined) => character === " " || character === "\t";

/** Names and values in turns, the values as UTF-8 bytes, one character each: undici writes them as latin1. */
export function toWire(headers: RequestHeaders): string[] {
  return [...headers].flatMap(([name, value]) => [name, Buffer.from(value).toString("latin1")]);
}

/** What undici calls raw headers, by canonical name. As in Go, what belongs to the transfer is gone. */
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
