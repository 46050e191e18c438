import { isUtf8 } from "node:buffer";

// A decoded byte that is not UTF-8 becomes the lone surrogate U+DC00 + byte, which no well-formed text has: so binary
// survives decoding and encoding again, whole or in parts. Passed to any other function of the host, it is U+FFFD.
const STRAY = 0xdc00;

/** Base64 of the UTF-8 bytes of a text; a lone surrogate of any other kind counts as U+FFFD. */
export function encodeBase64(text: string, padded: boolean): string {
  const encoded = bytesOf(text).toString("base64");
  return padded ? encoded : encoded.replace(/=+$/, "");
}

/** The decoded text, or undefined where the input is not Base64 of the standard alphabet; line ends are ignored. */
export function decodeBase64(encoded: string, padded: boolean): string | undefined {
  const digits = encoded.replace(/[\r\n]/g, "");
  const body = digits.replace(padded ? /={1,2}$/ : /$^/, "");
  const rest = body.length % 4;
  if (rest === 1 || !/^[A-Za-z0-9+/]*$/.test(body)) return undefined;
  if (padded && digits.length % 4 !== 0) return undefined;
  return textOf(Buffer.from(body, "base64"));
}

function bytesOf(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text, "utf8");
  const parts = text.split(/([\udc80-\udcff])/u);
  return Buffer.concat(
    parts.map((part, index) => (index % 2 ? Buffer.of(part.charCodeAt(0) - STRAY) : Buffer.from(part))),
  );
}

/** Well-formed UTF-8 sequences (Unicode, table 3-7), or one byte outside of them, on bytes written as characters. */
const SEQUENCE =
  /[\0-\x7f]+|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|([\x80-\xff])/g;

function textOf(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString("utf8");
  return bytes
    .toString("latin1")
    .replace(SEQUENCE, (sequence, stray?: string) =>
      stray
        ? String.fromCharCode(STRAY + stray.charCodeAt(0))
        : Buffer.from(sequence, "latin1").toString("utf8"),
    );
}
