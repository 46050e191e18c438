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
export function quote(text: string): string {
  return JSON.stringify(text).replace(
    /[<>&\u2028\u2029\ufffd]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** url.Values.Encode of one value a name: sorted by bytes, a space as `+`. */
export function encodeForm(form: Record<string, string>): string {
  return Object.entries(form)
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(([name, value]) => `${escapeQuery(name)}=${escapeQuery(value)}`)
    .join("&");
}

function escapeQuery(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replaceAll("%20", "+")
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
