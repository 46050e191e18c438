/**
 * Control characters, and those that turn, hide or take the place of text: what a script, a file's name or an event
 * says must not steer the reader's terminal. Not the two that only choose how an emoji looks.
 */
const UNSEEN = /[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{DI}]--[\u{fe0e}\u{fe0f}]]/gv;

/** One line of text by others, such characters as `\u001b`; it can be made so again without harm. */
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
