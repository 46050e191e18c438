/** Replaces the parts of a text that must not leave the stage. */
export type InText = (text: string) => string;

export const MASK = "[masked]";

/**
 * Replaces keys by their references and masks secrets, the longest first, also as encoded in a URL or in JSON; it also
 * masks everything that looks like a credential. The gateway's clients determine both the texts and the keys and
 * secrets, and the main thread waits, so the time must be proportional to the length of a text.
 */
export function textRedaction(
  keys: Set<string>,
  secrets: Set<string>,
  keyRef: (key: string) => string,
): InText {
  const found = new Map<string, string>();
  for (const secret of secrets) for (const form of formsOf(secret)) found.set(form, MASK);
  for (const key of keys) for (const form of formsOf(key)) found.set(form, keyRef(key));
  const withoutFound = replacing(found);
  return (text) =>
    withoutFound(text).replace(AUTHORIZATION, MASK).replace(DOTTED, withoutJwts).replace(AWS_KEY_ID, MASK);
}

const formsOf = (text: string) =>
  [text, encodeURIComponent(text.toWellFormed()), JSON.stringify(text).slice(1, -1)].filter(Boolean);

const AUTHORIZATION = /\b(?:Bearer|Basic)\s+[\w.~+/=-]{4,}/gi;
const AWS_KEY_ID = /\b(?:AKIA|ASIA)[A-Z0-9]{12,}/gi;

/** A possible JWT: three parts separated by points. */
const DOTTED = /[\w.-]+/g;
const JWT_START = /\beyJ[\w-]{4}/i;
const JWT_PART_CHARS = 4;

/** Part by part, since a pattern of a whole JWT would scan from each `eyJ` of a long part to its end. */
function withoutJwts(dotted: string): string {
  const parts = dotted.split(".");
  const kept: string[] = [];
  for (let at = 0; at < parts.length; at += 1) {
    const [first = "", second = "", third] = parts.slice(at, at + 3);
    const start = third !== undefined && second.length >= JWT_PART_CHARS ? first.search(JWT_START) : -1;
    kept.push(start < 0 ? first : first.slice(0, start) + MASK);
    if (start >= 0) at += 2;
  }
  return kept.join(".");
}

/** The number of first characters by which a text is found, before its length is compared. */
const START = 8;
/**
 * The limit of lookups for each character of a text, and for any text; this number of compared characters counts as one
 * more lookup.
 */
const LOOKS = 2;
const FREE_LOOKS = 10_000;
const CHARS_A_LOOK = 64;

/**
 * A text that needs too many lookups, because it repeats the beginning of a searched text many times, is masked
 * completely.
 */
function replacing(found: ReadonlyMap<string, string>): InText {
  if (found.size === 0) return (text) => text;
  const forms = [...found.keys()].sort((a, b) => b.length - a.length);
  const starts = [...new Set(forms.map(({ length }) => Math.min(length, START)))];
  const lengths = new Map<string, Set<number>>();
  for (const form of forms) {
    const start = form.slice(0, START);
    lengths.set(start, (lengths.get(start) ?? new Set()).add(form.length));
  }

  return (text) => {
    let looks = LOOKS * text.length + FREE_LOOKS;
    const formAt = (at: number) => {
      for (const start of starts)
        for (const length of lengths.get(text.slice(at, at + start)) ?? []) {
          looks -= 1 + length / CHARS_A_LOOK;
          const form = text.slice(at, at + length);
          if (found.has(form)) return form;
        }
      return undefined;
    };
    let replaced = "";
    let from = 0;
    for (let at = 0; at < text.length; ) {
      const form = formAt(at);
      if (looks < 0) return MASK;
      if (form === undefined) at += 1;
      else {
        replaced += `${text.slice(from, at)}${found.get(form)}`;
        at += form.length;
        from = at;
      }
    }
    return replaced + text.slice(from);
  };
}
