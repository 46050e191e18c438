/** Control characters, and those that turn or hide text: what a message says must not steer the reader's terminal. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** One line of text by others, such characters as `\u001b`. */
export const printable = (text: string) => text.replace(UNSEEN, escaped);

/** The same for text of many lines. */
export const printableLines = (text: string) => text.split(/\r?\n/).map(printable);

/** One JSON object on standard output; it parses to the same value as without the escapes. */
export const printJson = (value: unknown) => console.log(printable(JSON.stringify(value)));

/** At most so many characters. */
export const cut = (text: string, chars: number) =>
  text.length > chars ? `${text.slice(0, chars - 1)}…` : text;

const escaped = (character: string) =>
  Array.from({ length: character.length }, (_, at) => {
    const unit = character.charCodeAt(at).toString(16).padStart(4, "0");
    return `\\u${unit}`;
  }).join("");
