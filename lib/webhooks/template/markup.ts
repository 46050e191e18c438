import { Mistake } from "./mistake.ts";

/**
 * The context at the end of static text, as Go's `html/template` determines it: it treats every template as HTML, even
 * JSON, so a tag in it is a tag. Values can be printed only in `text`.
 */
export interface Context {
  state: "text" | "comment" | "tag" | "name" | "after-name" | "before-value" | "value";
  /** The end of an attribute's value: a quote, or "" for an unquoted value. */
  quote: "" | '"' | "'";
}

/** Outside of tags, where every template begins. */
export const TEXT: Context = { state: "text", quote: "" };

const IN_TAG: Context = { state: "tag", quote: "" };

const DOCTYPE = /^<!doctype/i;
const COMMENT = "<!--";
const SPACES = /[ \t\n\f\r]*/y;
const TAG_NAME = /[A-Za-z][A-Za-z0-9]*(?:[:-][A-Za-z0-9]+)*/y;
const ATTRIBUTE_NAME = /[^ \t\n\f\r=>'"<]*/y;

/** The output for a static text, and the context after it. `at` is its offset, for mistakes. */
export function escapeText(text: string, start: Context, at: number): { text: string; context: Context } {
  let context = start;
  let printed = "";
  let from = 0;
  while (from < text.length) {
    const { context: next, length } = step(context, text.slice(from), at + from);
    const end = from + length;
    if (context.state === "text") printed += plain(text.slice(from, end), next);
    else if (context.state !== "comment") printed += text.slice(from, end);
    [context, from] = [next, end];
  }
  return { text: printed, context };
}

/** A `<` that does not start a tag is escaped, and the start of a comment is left out. */
function plain(piece: string, next: Context): string {
  if (next.state === "comment") return lessThans(piece.slice(0, -COMMENT.length));
  const end = next.state === "text" ? piece.length : piece.lastIndexOf("<");
  return lessThans(piece.slice(0, end)) + piece.slice(end);
}

const lessThans = (piece: string) =>
  piece.replace(/</g, (sign, index: number) => (DOCTYPE.test(piece.slice(index)) ? sign : "&lt;"));

interface Step {
  context: Context;
  length: number;
}

function step(context: Context, text: string, at: number): Step {
  switch (context.state) {
    case "text":
      return inText(text, at);
    case "comment": {
      const end = text.indexOf("-->");
      return end < 0 ? { context, length: text.length } : { context: TEXT, length: end + 3 };
    }
    case "tag":
      return inTag(text, at);
    case "name":
      return inName(text, at);
    case "after-name":
      return afterName(text);
    case "before-value":
      return beforeValue(text);
    case "value":
      return inValue(context, text, at);
  }
}

/** The length of the match at this position. */
function matched(pattern: RegExp, text: string, at = 0): number {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0].length ?? 0;
}

function inText(text: string, at: number): Step {
  for (let from = text.indexOf("<"); from >= 0; from = text.indexOf("<", from + 1)) {
    if (text.startsWith(COMMENT, from))
      return { context: { ...TEXT, state: "comment" }, length: from + COMMENT.length };
    const isEnd = text[from + 1] === "/";
    const start = from + (isEnd ? 2 : 1);
    const length = matched(TAG_NAME, text, start);
    if (length === 0) continue;
    if (!isEnd) checkElement(text.slice(start, start + length), at + from);
    return { context: IN_TAG, length: start + length };
  }
  return { context: TEXT, length: text.length };
}

/** Elements whose content is not HTML. */
const SPECIAL = ["script", "style", "title", "textarea"];

function checkElement(name: string, at: number): void {
  if (SPECIAL.includes(name.toLowerCase()))
    throw new Mistake(
      at,
      `gatehook's templates have no <${name}>, whose content is not plain text: write the values without it`,
    );
}

function inTag(text: string, at: number): Step {
  const spaces = matched(SPACES, text);
  if (spaces === text.length) return { context: IN_TAG, length: spaces };
  if (text[spaces] === ">") return { context: TEXT, length: spaces + 1 };
  const length = attributeName(text, spaces, at);
  if (length === 0) throw new Mistake(at + spaces, "a tag goes on here with neither an attribute nor >");
  const end = spaces + length;
  return { context: { ...IN_TAG, state: end === text.length ? "name" : "after-name" }, length: end };
}

function inName(text: string, at: number): Step {
  const length = attributeName(text, 0, at);
  return { context: { ...IN_TAG, state: length === text.length ? "name" : "after-name" }, length };
}

/** `style`, `onclick` and similar attributes. */
const SCRIPTED = /^(?:data-|.*:)?(?:on|style)/i;

/** Its length. */
function attributeName(text: string, from: number, at: number): number {
  const length = matched(ATTRIBUTE_NAME, text, from);
  const next = text[from + length];
  if (next === "'" || next === '"' || next === "<")
    throw new Mistake(at + from + length, `the name of a tag's attribute cannot have ${next} in it`);
  const name = text.slice(from, from + length);
  if (SCRIPTED.test(name))
    throw new Mistake(
      at + from,
      `gatehook's templates have no attribute ${name}, which holds a script or a style: leave it out`,
    );
  return length;
}

function afterName(text: string): Step {
  const spaces = matched(SPACES, text);
  if (spaces === text.length) return { context: { ...IN_TAG, state: "after-name" }, length: spaces };
  if (text[spaces] !== "=") return { context: IN_TAG, length: spaces };
  return { context: { ...IN_TAG, state: "before-value" }, length: spaces + 1 };
}

function beforeValue(text: string): Step {
  const spaces = matched(SPACES, text);
  if (spaces === text.length) return { context: { ...IN_TAG, state: "before-value" }, length: spaces };
  const first = text[spaces];
  const quote = first === '"' || first === "'" ? first : "";
  return { context: { state: "value", quote }, length: spaces + quote.length };
}

function inValue(context: Context, text: string, at: number): Step {
  const { quote } = context;
  const found = quote ? text.indexOf(quote) : text.search(/[ \t\n\f\r>]/);
  const end = found < 0 ? text.length : found;
  const odd = quote ? -1 : text.slice(0, end).search(/["'<=`]/);
  if (odd >= 0)
    throw new Mistake(at + odd, `a value without quotes cannot have ${text[odd]} in it: put it in quotes`);
  return found < 0 ? { context, length: end } : { context: IN_TAG, length: end + quote.length };
}
