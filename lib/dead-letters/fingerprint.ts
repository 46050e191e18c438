/** An error without the parts that differ between events, so that a thousand failures of one kind are one line. */
export interface Fingerprint {
  /** The error's first line, with `…` in place of each number, id and quoted text. */
  pattern: string;
  /** The place where a script threw it, from its stack: `session-editor.js:12:39`; empty without a stack. */
  place: string;
}

/** The maximum length of an error that is read, and that is kept, in UTF-16 units: anybody may write to a queue. */
const READ_CHARS = 8_192;
const KEPT_CHARS = 200;

/** An apostrophe within a word does not begin a quotation. */
const QUOTED = /"[^"]*"|`[^`]*`|“[^“”]*”|(?<![\p{L}\p{N}_])'[^']*'(?![\p{L}\p{N}_])/gu;
/** Words that are joined without a space: `2026-01-02T03:04:05.6Z`, `127.0.0.1:80` and `1e+21` are one. */
const WORDS = /[\p{L}\p{N}_]+(?:[-.:+][\p{L}\p{N}_]+)*/gu;
/** A word with a digit, or a hexadecimal text that is too long for a natural word. */
const VARIES = /\p{N}|(?<![\p{L}_])[a-f]{8,}(?![\p{L}_])/iu;

/**
 * `error`: the first line is the message, the others its stack. Reads 8,192 UTF-16 units and keeps 200 of each part.
 *
 * @example
 * fingerprintOf('Error: key "k-81" is gone after 30 ms\n    at quota.js:12:39');
 * // { pattern: "Error: key … is gone after … ms", place: "quota.js:12:39" }
 */
export function fingerprintOf(error: string): Fingerprint {
  const [first = "", ...stack] = error.slice(0, READ_CHARS).split(/\r\n|[\n\r]/);
  const pattern = first
    .replace(QUOTED, "…")
    .replace(WORDS, (words) => (VARIES.test(words) ? "…" : words))
    .replace(/\s+/g, " ")
    .trim();
  return { pattern: cut(pattern), place: cut(placeOf(stack)) };
}

/**
 * The first frame that is neither native nor in `<input>`, whose numbers are a place in the event. A frame of
 * gatehook's prelude is used only if there is no other.
 */
function placeOf(stack: string[]): string {
  const places = stack.flatMap((line) => {
    const frame = line.trim();
    if (!frame.startsWith("at ")) return [];
    const place = frame.slice(Math.max(frame.lastIndexOf("(") + 1, 3)).replace(/\)$/, "");
    return /^[^<].*:\d+$/.test(place) ? [place] : [];
  });
  return places.find((place) => !place.startsWith("prelude.js:")) ?? places[0] ?? "";
}

const cut = (text: string) => (text.length > KEPT_CHARS ? `${text.slice(0, KEPT_CHARS)}…` : text);
