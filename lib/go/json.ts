/** A number that JavaScript would print differently: Go takes `1` for an int but neither `1.0` nor `1e0`. */
export class Literal {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** An object's members in the order of the text, each as often as it stands there. */
export class Members {
  readonly entries: [name: string, value: JsonValue][] = [];
}

/** A parsed JSON text. An object is `Members` where a plain object would keep neither their order nor their number. */
export type JsonValue =
  | null
  | boolean
  | string
  | number
  | Literal
  | JsonValue[]
  | Members
  | { [name: string]: JsonValue };

/** Also one that JavaScript would print differently. */
export function isNumber(value: JsonValue): value is number | Literal {
  return typeof value === "number" || value instanceof Literal;
}

/** Whether a value is an object of JSON, a plain one too; a stored item may hold sets and bytes, which JSON does not have. */
export function isMembers(value: object): value is Members | { [name: string]: JsonValue } {
  if (value instanceof Members) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Throws what JSON.parse throws, and a RangeError for nesting that the stack cannot hold. */
export function parseJson(text: string): JsonValue {
  const value = JSON.parse(text) as JsonValue;
  // What JavaScript prints the same has no name twice, no number written in another way, and its names in order.
  return JSON.stringify(value) === text ? value : parseExactly(text);
}

const NUMBER = /[^,\]}\s]+/y;
const SPACE = /\s*/y;

/** `text` is known to be JSON, so nothing is checked here. */
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
    // A quote ends the string unless an odd number of backslashes stands before it.
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

/** How large a JSON text is, found without decoding it, which takes many times longer and much memory. */
export interface Outline {
  depth: number;
  /** Values of any kind, and those in them, at most. */
  values: number;
  /** Elements of the longest list that is a member of the text's object. */
  elements: number;
}

/** Reads a text's characters once. For a text that is not JSON the numbers mean nothing. */
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
      // An object's members are not elements: with this, however many they are, they come to less than nothing.
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
