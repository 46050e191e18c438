import { isUtf8 } from "node:buffer";

// Most of this works byte by byte: in a hostile text every character may need an escape, and calling a function for
// each of a million characters would block the thread for a tenth of a second.

const REPLACEMENT = Buffer.from("\ufffd");

/**
 * As Go decodes text: one U+FFFD for each byte that is not UTF-8, while TextDecoder has one for a cut-off character.
 */
export function decodeUtf8(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(buffer)) return buffer.toString();
  const repaired = Buffer.allocUnsafe(buffer.length * REPLACEMENT.length);
  let end = 0;
  for (let at = 0; at < buffer.length; ) {
    const length = sequenceLength(buffer, at);
    if (length === 0) {
      for (const byte of REPLACEMENT) repaired[end++] = byte;
      at += 1;
    }
    for (const next = at + length; at < next; at += 1) repaired[end++] = buffer[at] ?? 0;
  }
  return repaired.toString("utf8", 0, end);
}

/** The length in bytes of the well-formed UTF-8 sequence that begins here (Unicode, table 3-7); 0 if there is none. */
function sequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  const [low, high] = SECOND[first] ?? [0x80, 0xbf];
  for (let next = 1; next < length; next += 1) {
    const byte = bytes[at + next] ?? 0;
    if (byte < (next === 1 ? low : 0x80) || byte > (next === 1 ? high : 0xbf)) return 0;
  }
  return length;
}

/**
 * First bytes after which the second one has a smaller range, which excludes overlong forms, surrogates, and values
 * beyond Unicode.
 */
const SECOND: Record<number, [low: number, high: number]> = {
  224: [0xa0, 0xbf],
  237: [0x80, 0x9f],
  240: [0x90, 0xbf],
  244: [0x80, 0x8f],
};

/** A JSON string as Go's encoder writes it. */
export const quote = (text: string): string => escapeHtml(JSON.stringify(text));

/** Escapes the characters that Go's encoder escapes and JSON.stringify does not; in JSON they occur only in strings. */
export function escapeHtml(json: string): string {
  let text = json;
  // One character after the other: for a text full of them this is ten times faster than a callback for each.
  for (const [character, escaped] of ESCAPES) text = text.replaceAll(character, escaped);
  return text;
}

const ESCAPES = ["<", ">", "&", "\u2028", "\u2029", "\ufffd"].map(
  (character) => [character, `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`] as const,
);

/** Sorts texts by their bytes, as Go does, in place: JavaScript's own order except for characters beyond U+FFFF. */
export function sortedByBytes(texts: string[]): string[] {
  if (!texts.some((text) => SURROGATE.test(text))) return texts.sort();
  const keys = new Map(texts.map((text) => [text, Buffer.from(text)]));
  const keyOf = (text: string) => keys.get(text) ?? Buffer.from(text);
  return texts.sort((a, b) => Buffer.compare(keyOf(a), keyOf(b)));
}

/** Whether `a` comes before `b` in this order. */
export function isBefore(a: string, b: string): boolean {
  let at = 0;
  while (at < a.length && a.charCodeAt(at) === b.charCodeAt(at)) at += 1;
  if (at === a.length || at === b.length) return a.length < b.length;
  const [one, other] = [a.charCodeAt(at), b.charCodeAt(at)];
  // Compared as UTF-16 units, characters beyond U+FFFF would come before some smaller ones.
  if (one >= FIRST_SURROGATE || other >= FIRST_SURROGATE)
    return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
  return one < other;
}

const FIRST_SURROGATE = 0xd800;

const SURROGATE = /[\ud800-\udfff]/;

/** Go's url.Values.Encode with one value for each name: sorted by bytes, a space as `+`. */
export function encodeForm(form: Record<string, string>): string {
  return sortedByBytes(Object.keys(form))
    .map((name) => `${escapeQuery(name)}=${escapeQuery(form[name] ?? "")}`)
    .join("&");
}

const QUERY_BYTES = bytesLike(/[\w\-.~]/);
QUERY_BYTES[" ".charCodeAt(0)] = "+".charCodeAt(0);

/** Go's url.QueryEscape. */
export const escapeQuery = (text: string) => escapeBytes(Buffer.from(text), QUERY_BYTES);

/** For each byte: the byte itself if it is a character of this kind; 0 if it must be escaped. */
export function bytesLike(kind: RegExp): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (kind.test(String.fromCharCode(byte)) ? byte : 0));
}

const HEX = Buffer.from("0123456789ABCDEF");
const PERCENT = 0x25;

/** The bytes as text; `written` has the byte to write for each byte, and those with 0 are escaped, such as `%0A`. */
export function escapeBytes(bytes: Uint8Array, written: Uint8Array): string {
  const escaped = Buffer.allocUnsafe(bytes.length * 3);
  let end = 0;
  for (const byte of bytes) {
    const plain = written[byte] ?? 0;
    if (plain) {
      escaped[end++] = plain;
      continue;
    }
    escaped[end++] = PERCENT;
    escaped[end++] = HEX[byte >> 4] ?? 0;
    escaped[end++] = HEX[byte & 15] ?? 0;
  }
  return escaped.toString("latin1", 0, end);
}

/** The bytes of a text, with each escape such as `%0A` replaced by its byte; every % must begin an escape. */
export function unescapeBytes(text: string): Uint8Array {
  const bytes = Buffer.from(text);
  let end = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte === PERCENT) {
      bytes[end++] = (digit(bytes[at + 1]) << 4) | digit(bytes[at + 2]);
      at += 2;
    } else bytes[end++] = byte;
  }
  return bytes.subarray(0, end);
}

/** The value of a hexadecimal digit in ASCII: for letters of both cases it is 9 more than their last four bits. */
const digit = (byte = 0) => (byte & 15) + (byte > 0x39 ? 9 : 0);
