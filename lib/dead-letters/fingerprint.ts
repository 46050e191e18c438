/** An error without what differs from event to event, so that a thousand failures of one kind are one line. */
export interface Fingerprint {
  /** The error's first line; `…` stands for each number, id and quoted text. */
  pattern: string;
  /** Where a script threw it, by its stack: `session-editor.js:12:39`; empty without a stack. */
  place: string;
}

/** How much of an error is read, and how much is kept: anybody may write to a queue. In UTF-16 units. */
const READ_CHARS = 8_192;
const KEPT_CHARS = 200;

/** An apostrophe within a word opens no quotation. */
const QUOTED = /"[^"]*"|`[^`]*`|“[^“”]*”|(?<![\p{L}\p{N}_])'[^']*'(?![\p{L}\p{N}_])/gu;
/** Words with what joins them without a space: `2026-01-02T03:04:05.6Z`, `127.0.0.1:80` and `1e+21` are one. */
const WORDS = /[\p{L}\p{N}_]+(?:[-.:+][\p{L}\p{N}_]+)*/gu;
/** What has a digit, or is hexadecimal and too long for a word of a language. */
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
 * The first frame that is neither a native's nor in `<input>`, whose numbers are a place in the event. A frame of
 * gatehook's prelude counts only without any other.
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
