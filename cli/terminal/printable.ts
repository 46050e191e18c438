/**
 * Control characters, and those that reverse, hide or replace text: the text of a script, a file's name or an event
 * must not control the reader's terminal. Without the two that only select the style of an emoji.
 */
const UNSEEN = /[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{DI}]--[\u{fe0e}\u{fe0f}]]/gv;

/** One line of text from others, with such characters written as `\u001b`. Idempotent. */
export const printable = (text: string) => text.replace(UNSEEN, escaped);

/** The same, with the tabs that indent code. */
export const printableCode = (text: string) => text.split("\t").map(printable).join("\t");

/** The lines of a text that may have many. */
export const linesOf = (text: string) => text.split(/\r?\n/);

const escaped = (character: string) =>
  Array.from({ length: character.length }, (_, at) => {
    const unit = character.charCodeAt(at).toString(16).padStart(4, "0");
    return `\\u${unit}`;
  }).join("");

/** The error without the frames of the gateway's API, which do not help. */
export const ownFrames = (error: string) =>
  linesOf(error)
    .filter((line) => !/^\s+at .*\(prelude\.js:[\d:]+\)$/.test(line))
    .join("\n");
