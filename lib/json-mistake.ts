import {
  createScanner,
  type Node,
  type ParseErrorCode,
  parseTree,
  printParseErrorCode,
  visit,
} from "jsonc-parser";

/** The first mistake of a text that is not JSON. The message quotes the text at that place. */
export interface JsonMistake {
  line: number;
  column: number;
  message: string;
}

/** The nodes of a text; undefined if it is nested too deeply to be read. */
export function treeOf(text: string): Node | undefined {
  try {
    return parseTree(text);
  } catch (thrown) {
    if (thrown instanceof RangeError) return undefined;
    throw thrown;
  }
}

/** Undefined for JSON, and for a text that is nested too deeply to be read. */
export function jsonMistake(text: string): JsonMistake | undefined {
  const found = text.trim() === "" ? { at: 0, message: "the file is empty" } : mistakeIn(text);
  if (!found) return undefined;
  const before = text.slice(0, found.at);
  const line = before.split("\n").length;
  return { line, column: found.at - before.lastIndexOf("\n"), message: found.message };
}

interface Mistake {
  at: number;
  message: string;
}

function mistakeIn(text: string): Mistake | undefined {
  if (text.startsWith(BYTE_ORDER_MARK))
    return { at: 0, message: "the file begins with a byte order mark: save it as UTF-8 without one" };
  if (NOT_UTF8.test(text)) return { at: 0, message: "the file is not UTF-8: save it as that" };
  const error = firstError(text);
  return error && explain({ ...error, ...readUpTo(text, error.at), text });
}

const BYTE_ORDER_MARK = "\ufeff";
/** How UTF-16 begins, read as UTF-8. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const NOT_UTF8 = /^(\ufffd|.?\u0000)/;

interface FirstError {
  code: string;
  at: number;
  /** The text at fault. */
  found: string;
}

function firstError(text: string): FirstError | undefined {
  try {
    visit(
      text,
      {
        onError(code: ParseErrorCode, at, length) {
          throw new Found({ code: printParseErrorCode(code), at, found: text.slice(at, at + length) });
        },
      },
      { disallowComments: true },
    );
    return undefined;
  } catch (thrown) {
    if (thrown instanceof Found) return thrown.first;
    if (thrown instanceof RangeError) return undefined;
    throw thrown;
  }
}

/** Ends the reading: what comes after the first mistake follows from it. */
class Found extends Error {
  readonly first: FirstError;

  constructor(first: FirstError) {
    super(first.code);
    this.first = first;
  }
}

interface Context {
  /** The token before the mistake, and its place. */
  last: string;
  lastAt: number;
  /** The innermost bracket that is open there. */
  open: "{" | "[" | "";
  openAt: number;
}

function readUpTo(text: string, end: number): Context {
  const scanner = createScanner(text, true);
  const open: number[] = [];
  let last = "";
  let lastAt = 0;
  for (scanner.scan(); scanner.getTokenLength() > 0 && scanner.getTokenOffset() < end; scanner.scan()) {
    lastAt = scanner.getTokenOffset();
    last = text.slice(lastAt, lastAt + scanner.getTokenLength());
    if (last === "{" || last === "[") open.push(lastAt);
    if (last === "}" || last === "]") open.pop();
  }
  const openAt = open.at(-1) ?? -1;
  return { last, lastAt, open: text.charAt(openAt) as Context["open"], openAt };
}

type Place = FirstError & Context & { text: string };

function explain(place: Place): Mistake {
  const { code, at, found, last, lastAt, open, openAt } = place;
  const afterLast = { at: lastAt + last.length - 1 };
  switch (code) {
    case "CommaExpected":
      if (CLOSERS.has(found)) return { at, message: `${close(open)} is missing before ${found}` };
      if (afterLast.at + 1 === at && NUMBER.test(last))
        return { at: lastAt, message: notValue(last + found) };
      return { ...afterLast, message: `a comma is missing after ${short(last)}` };
    case "ColonExpected":
      return { ...afterLast, message: `a colon is missing after ${short(last)}` };
    case "PropertyNameExpected":
    case "ValueExpected":
      return explainMissing(place);
    case "CloseBraceExpected":
    case "CloseBracketExpected":
      return { at: openAt, message: `the ${open} of this line is not closed: ${close(open)} is missing` };
    case "EndOfFileExpected":
      if (CLOSERS.has(found)) return { at, message: `${found} closes nothing: remove it` };
      return { at, message: `a second value begins here: a file holds one` };
    case "InvalidCommentToken":
      return { at, message: COMMENT };
    case "UnexpectedEndOfString":
      return { at, message: `the closing quote is missing: ${short(found)}` };
    case "InvalidCharacter":
    case "InvalidUnicode":
    case "InvalidEscapeCharacter":
      return explainString(place);
    default:
      if (afterLast.at + 1 === at && NUMBER.test(last))
        return { at: lastAt, message: notValue(last + found) };
      return { at, message: explainSymbol(place) };
  }
}

const CLOSERS = new Set(["}", "]"]);
const close = (open: string) => (open === "[" ? "]" : "}");
const COMMENT = "JSON has no comments: remove it";

/** A name or a value is missing. */
function explainMissing({ at, found, last, lastAt, open }: Place): Mistake {
  if (last === "," && CLOSERS.has(found))
    return { at: lastAt, message: `the comma before ${found} is one too many: remove it` };
  if (found === "," && last !== ":")
    return { at, message: `the comma after ${last} is one too many: remove it` };
  if (found === "" && last === "") return { at, message: "the file is empty" };
  if (found === "") return { at: lastAt, message: `the text ends after ${short(last)}` };
  if (last === ":") return { at: lastAt, message: "a value is missing after the colon" };
  if (open === "{") return { at, message: `a name must be in double quotes: ${short(found)}` };
  return { at, message: `a value is missing before ${short(found)}` };
}

/** What is wrong inside the quotes. */
function explainString({ at, found }: Place): Mistake {
  const wrong = found.matchAll(IN_STRING).find(([, right]) => right === undefined);
  const inside = at + (wrong?.index ?? 0);
  const [what = ""] = wrong ?? [];
  if (what.startsWith("\\u"))
    return { at: inside, message: "\\u must be followed by four hexadecimal digits" };
  if (what.startsWith("\\"))
    return { at: inside, message: `${what} has no meaning in JSON: write \\\\ for a backslash` };
  const written = JSON.stringify(what).slice(1, -1);
  return { at: inside, message: `a control character must be written as ${written}` };
}

/** The escapes of JSON, in a group, those that it does not have, and characters that must be escaped. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const IN_STRING = /(\\u[0-9a-fA-F]{4}|\\["\\/bfnrt])|\\u|\\[\s\S]|[\u0000-\u001f]/g;

/** A word or a character that does not exist in JSON. */
function explainSymbol({ at, found, last, lastAt, open, text }: Place): string {
  if (found.startsWith("#")) return COMMENT;
  if (/^(<{7}|={7}|>{7})$/.test(found)) return `${found} was left by a merge: choose one of its two sides`;
  if (QUOTES.test(found)) return `JSON has double quotes only: ${short(found)}`;
  if (/^\s/.test(found)) return `${codeOf(found)} looks like a space: write a plain one`;
  if (last === "" && at === text.search(/\S/)) return `this is not JSON: it begins with ${short(found)}`;
  if (found.startsWith("=")) return "= has no meaning in JSON: write : after a name";
  if (found.startsWith(";")) return "; has no meaning in JSON: remove it";
  if (last.startsWith('"') && lastAt + last.length === at)
    return `a quote inside a text must be written as \\": after ${short(last)}`;
  if (open === "{" && (last === "{" || last === ","))
    return `a name must be in double quotes: ${short(found)}`;
  return notValue(found);
}

const QUOTES = /^['`\u2018\u2019\u201c\u201d]/;
const codeOf = (text: string) => `U+${text.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;

function notValue(found: string): string {
  const meant = MEANT.get(found.toLowerCase());
  if (meant !== undefined) return `${short(found)} is not a value of JSON: write ${meant}`;
  if (NUMBER.test(found)) return `${short(found)} is not a number of JSON`;
  return `${short(found)} is not a value of JSON: a text must be in double quotes`;
}

/** A possible beginning of a number. */
const NUMBER = /^[-+.]?\d|^[-+.]$/;

/** Values of other languages. */
const MEANT = new Map([
  ["true", "true"],
  ["false", "false"],
  ["null", "null"],
  ["undefined", "null"],
  ["none", "null"],
  ["nil", "null"],
  ["nan", "null"],
  ["infinity", "null"],
]);

const CHARS = 40;
const short = (text: string) => (text.length > CHARS ? `${text.slice(0, CHARS)}…` : text);
