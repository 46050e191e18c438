import { isUtf8 } from "node:buffer";

/** Well-formed UTF-8 sequences, then whatever single byte is none, on bytes written as characters. */
const SEQUENCE =
  /[\0-\x7f]+|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|([\x80-\xff])/g;

/** As Go reads text: one U+FFFD for each byte that is not UTF-8, where TextDecoder has one for a cut-off character. */
export function decodeUtf8(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(buffer)) return buffer.toString();
  const repaired = buffer
    .toString("latin1")
    .replace(SEQUENCE, (sequence, stray) => (stray === undefined ? sequence : "\xef\xbf\xbd"));
  return Buffer.from(repaired, "latin1").toString();
}

/** A JSON string as Go's encoder writes it. */
export const quote = (text: string): string => escapeHtml(JSON.stringify(text));

/** What Go's encoder escapes beyond JSON.stringify: characters that JSON has inside strings only. */
export function escapeHtml(json: string): string {
  let text = json;
  // Each by itself: a text full of them is done ten times faster than with a function that is called for each.
  for (const [character, escaped] of ESCAPES) text = text.replaceAll(character, escaped);
  return text;
}

const ESCAPES = ["<", ">", "&", "\u2028", "\u2029", "\ufffd"].map(
  (character) => [character, `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`] as const,
);

/** Sorts texts by their bytes, as Go does, in place: JavaScript's own order but for characters beyond U+FFFF. */
export function sortedByBytes(texts: string[]): string[] {
  if (!texts.some((text) => SURROGATE.test(text))) return texts.sort();
  const keys = new Map(texts.map((text) => [text, Buffer.from(text)]));
  const keyOf = (text: string) => keys.get(text) ?? Buffer.from(text);
  return texts.sort((a, b) => Buffer.compare(keyOf(a), keyOf(b)));
}

/** Whether `a` stands before `b` then. */
export function isBefore(a: string, b: string): boolean {
  if (!SURROGATE.test(a) && !SURROGATE.test(b)) return a < b;
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
}

const SURROGATE = /[\ud800-\udfff]/;

/** url.Values.Encode of one value a name: sorted by bytes, a space as `+`. */
export function encodeForm(form: Record<string, string>): string {
  return sortedByBytes(Object.keys(form))
    .map((name) => `${escapeQuery(name)}=${escapeQuery(form[name] ?? "")}`)
    .join("&");
}

function escapeQuery(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replaceAll("%20", "+")
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
