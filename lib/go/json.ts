/** A number that JavaScript would print differently: Go accepts `1` for an int, but not `1.0` or `1e0`. */
export class Literal {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** The members of an object in the order of the text, including repeated ones. */
export class Members {
  readonly entries: [name: string, value: JsonValue][] = [];
}

/**
 * A parsed JSON text. An object is `Members` if a plain object would lose the order of its members, or repeated ones.
 */
export type JsonValue =
  | null
  | boolean
  | string
  | number
  | Literal
  | JsonValue[]
  | Members
  | { [name: string]: JsonValue };

/** Includes numbers that JavaScript would print differently. */
export function isNumber(value: JsonValue): value is number | Literal {
  return typeof value === "number" || value instanceof Literal;
}

/**
 * Whether a value is a JSON object or a plain object. A stored item may also contain sets and bytes, which do not exist
 * in JSON.
 */
export function isMembers(value: object): value is Members | { [name: string]: JsonValue } {
  if (value instanceof Members) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Throws the errors of JSON.parse, and a RangeError for nesting that exceeds the stack. */
export function parseJson(text: string): JsonValue {
  const value = JSON.parse(text) as JsonValue;
  // If JavaScript prints the same text, then no name is repeated, no number has another spelling, and the names are in
  // order.
  return JSON.stringify(value) === text ? value : parseExactly(text);
}

const NUMBER = /[^,\]}\s]+/y;
const SPACE = /\s*/y;

/** `text` must be valid JSON, which is not checked here. */
function parseExactly(text: string): JsonValue {
  let at = 0;

  function skipSpace(): void {
    // Most strings have no escape.
    if (text.charCodeAt(at) > 32) return;
    SPACE.lastIndex = at;
    SPACE.test(text);
    at = SPACE.lastIndex;
  }

  function string(): string {
    const start = at;
    at = text.indexOf('"', at + 1);
    let escaped = text.slice(start, at).includes("\\");
    if (!escaped) return text.slice(start + 1, at++);
    // A quote ends the string, unless the number of backslashes before it is odd.
    while (escaped) {
      let backslashes = 0;
      while (text[at - 1 - backslashes] === "\\") backslashes += 1;
      escaped = backslashes % 2 === 1;
      if (escaped) at = text.indexOf('"', at + 1);
    }
    at += 1;
    return JSON.parse(text.slice(start, at)) as string;
  }

  function list(): JsonValue[] {
    const items: JsonValue[] = [];
    at += 1;
    skipSpace();
    if (text[at] === "]") at += 1;
    else
      do items.push(value());
      while (text[at++] === ",");
    return items;
  }

  function members(): Members {
    const found = new Members();
    at += 1;
    skipSpace();
    if (text[at] === "}") at += 1;
    else
      do {
        skipSpace();
        const name = string();
        skipSpace();
        at += 1; // the colon
        found.entries.push([name, value()]);
      } while (text[at++] === ",");
    return found;
  }

  function scalar(): JsonValue {
    NUMBER.lastIndex = at;
    const [literal = ""] = NUMBER.exec(text) ?? [];
    at += literal.length;
    if (literal === "true") return true;
    if (literal === "false") return false;
    if (literal === "null") return null;
    const number = Number(literal);
    return String(number) === literal ? number : new Literal(literal);
  }

  function value(): JsonValue {
    skipSpace();
    const first = text[at];
    const found = first === '"' ? string() : first === "[" ? list() : first === "{" ? members() : scalar();
    skipSpace();
    return found;
  }

  return value();
}

/** The size of a JSON text, found without decoding it, which would take many times longer and much memory. */
export interface Outline {
  depth: number;
  /** The number of values of any kind at all levels, at most. */
  values: number;
  /** The number of elements of the longest list that is a direct member of the object. */
  elements: number;
}

/** Reads each character once. For a text that is not JSON the numbers are meaningless. */
export function outline(text: string): Outline {
  let depth = 0;
  let deepest = 0;
  let values = 1;
  let elements = 0;
  let longest = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === COMMA) {
      values += 1;
      if (depth === 2) elements += 1;
    } else if (code === OPEN_LIST || code === OPEN_OBJECT) {
      depth += 1;
      values += 1;
      // The members of an object are not elements: starting here, their count stays below zero.
      if (depth === 2) elements = code === OPEN_LIST ? 1 : Number.NEGATIVE_INFINITY;
    } else if (code === CLOSE_LIST || code === CLOSE_OBJECT) depth -= 1;
    if (depth > deepest) deepest = depth;
    if (elements > longest) longest = elements;
  }
  return { depth: deepest, values, elements: longest };
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  for (; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at += 1;
    else if (code === QUOTE) break;
  }
  return at;
}

const [QUOTE, COMMA, BACKSLASH] = [0x22, 0x2c, 0x5c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];
