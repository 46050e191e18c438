import { Mistake } from "./mistake.ts";

/** `text` is outside of actions, `field` includes its dot, `variable` its `$`. */
export type TokenKind =
  | "text"
  | "open"
  | "close"
  | "space"
  | "field"
  | "variable"
  | "word"
  | "dot"
  | "number"
  | "string"
  | "raw"
  | "pipe"
  | "("
  | ")"
  | "="
  | ":="
  | ","
  | "end";

/** A piece of the text as it is written; `at` is its offset, in UTF-16 units. */
export interface Token {
  kind: TokenKind;
  at: number;
  text: string;
}

const OPEN = "{{";
const CLOSE = "}}";
const TRIM_LEFT = /-[ \t\r\n]/y;
const TRIM_RIGHT = /[ \t\r\n]-\}\}/y;
const SPACES = /[ \t\r\n]*/y;

/** Splits a template. Inside an action, white space is a token, since it separates arguments. */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const start = text.indexOf(OPEN, at);
    const end = start < 0 ? text.length : start;
    const inside = end + OPEN.length;
    const trims = matches(TRIM_LEFT, text, inside);
    const plain = text.slice(at, trims ? withoutSpaces(text, at, end) : end);
    if (plain) tokens.push({ kind: "text", at, text: plain });
    if (start < 0) break;
    const from = inside + trims;
    at = text.startsWith("/*", from) ? comment(text, from) : action(text, start, from, tokens);
  }
  tokens.push({ kind: "end", at: text.length, text: "" });
  return tokens;
}

/**
 * The end of the text without trailing spaces. Not by a regular expression, which would try each run of spaces many
 * times.
 */
function withoutSpaces(text: string, start: number, end: number): number {
  let last = end;
  while (last > start && " \t\r\n".includes(text[last - 1] ?? "x")) last -= 1;
  return last;
}

/** The length of the match at this position; 0 if there is none. */
function matches(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0].length ?? 0;
}

/** The length of a closing delimiter, and whether it trims the text after it. */
function closing(text: string, at: number): { length: number; trims: boolean } | undefined {
  const trimmed = matches(TRIM_RIGHT, text, at);
  if (trimmed) return { length: trimmed, trims: true };
  return text.startsWith(CLOSE, at) ? { length: CLOSE.length, trims: false } : undefined;
}

/** Where the text continues after it. */
function behind(text: string, at: number, { length, trims }: { length: number; trims: boolean }): number {
  const next = at + length;
  return trims ? next + matches(SPACES, text, next) : next;
}

function comment(text: string, from: number): number {
  const end = text.indexOf("*/", from + 2);
  if (end < 0) throw new Mistake(from, "the comment is not closed: end it with */}}");
  const close = closing(text, end + 2);
  if (!close) throw new Mistake(from, "a comment fills its action: nothing may stand between */ and }}");
  return behind(text, end + 2, close);
}

const WORD = /[\p{L}\p{Nd}_]+/uy;
const TERMINATOR = /[ \t\r\n.,|:)(]|\}\}|$/y;
const NUMBER =
  /[+-]?(?:0[xX][\da-fA-F_]*(?:\.[\da-fA-F_]*)?(?:[pP][+-]?[\d_]*)?|0[oO][0-7_]*|0[bB][01_]*|[\d_]*(?:\.[\d_]*)?(?:[eE][+-]?[\d_]*)?)i?/y;
const STRING = /"(?:[^"\\\n]|\\[^\n])*"/y;
const RAW = /`[^`]*`/y;
const SIGNS: Record<string, TokenKind> = { "|": "pipe", "=": "=", ",": ",", "(": "(", ")": ")" };

/** Reads up to the end of an action; returns where the text continues. */
function action(text: string, start: number, from: number, tokens: Token[]): number {
  tokens.push({ kind: "open", at: start, text: OPEN });
  let depth = 0;
  let at = from;
  while (at < text.length) {
    const close = closing(text, at);
    if (close) {
      if (depth > 0) throw new Mistake(start, "a parenthesis is not closed: write )");
      tokens.push({ kind: "close", at, text: CLOSE });
      return behind(text, at, close);
    }
    const token = tokenAt(text, at);
    if (token.kind === "(") depth += 1;
    if (token.kind === ")") depth -= 1;
    if (depth < 0) throw new Mistake(at, "a parenthesis is closed that was not opened: leave out )");
    tokens.push(token);
    at += token.text.length;
  }
  throw new Mistake(start, "the action is not closed: end it with }}");
}

function tokenAt(text: string, at: number): Token {
  const token = (kind: TokenKind, length: number): Token => ({ kind, at, text: text.slice(at, at + length) });
  const first = text[at] ?? "";
  const sign = SIGNS[first];
  if (sign) return token(sign, 1);
  const space = matches(SPACES, text, at);
  if (space) {
    // The last white space may belong to a closing delimiter that trims.
    const last = at + space - 1;
    return token("space", space > 1 && matches(TRIM_RIGHT, text, last) ? space - 1 : space);
  }
  if (text.startsWith(":=", at)) return token(":=", 2);
  if (first === '"' || first === "`") return quoted(text, at, token);
  if (first === "$" || (first === "." && !/[0-9]/.test(text[at + 1] ?? ""))) return named(text, at, token);
  if (/[0-9.+-]/.test(first)) return number(text, at, token);
  const word = matches(WORD, text, at);
  if (word === 0) throw new Mistake(at, `${characterAt(text, at)} has no meaning in an action`);
  return terminated(text, token("word", word));
}

type Make = (kind: TokenKind, length: number) => Token;

function quoted(text: string, at: number, token: Make): Token {
  const isRaw = text[at] === "`";
  const length = matches(isRaw ? RAW : STRING, text, at);
  if (length === 0) throw new Mistake(at, `the string is not closed: end it with ${text[at]}`);
  return token(isRaw ? "raw" : "string", length);
}

function named(text: string, at: number, token: Make): Token {
  const word = matches(WORD, text, at + 1);
  const isField = text[at] === ".";
  return terminated(text, token(isField ? (word ? "field" : "dot") : "variable", word + 1));
}

function number(text: string, at: number, token: Make): Token {
  const length = matches(NUMBER, text, at);
  const next = at + length;
  if (matches(WORD, text, next) || /[+-]/.test(text[next] ?? ""))
    throw new Mistake(at, "this is not a number that a template can have");
  return token("number", length);
}

function terminated(text: string, token: Token): Token {
  const end = token.at + token.text.length;
  TERMINATOR.lastIndex = end;
  if (!TERMINATOR.test(text))
    throw new Mistake(
      end,
      `${characterAt(text, end)} may not follow ${token.text}: put a space between them`,
    );
  return token;
}

const characterAt = (text: string, at: number) =>
  JSON.stringify(String.fromCodePoint(text.codePointAt(at) ?? 0));
