import { escapeQuery, isBefore } from "../../go/text.ts";
import { sprint } from "./print.ts";
import { rfc3339, rfc3339OfStamp } from "./times.ts";
import { asInteger, GoList, GoMap, GoStruct, GoTime, isTrue, typeOf, type Value } from "./value.ts";

/** A function that a template can call. */
export interface TemplateFunction {
  /** The number of arguments, including the value from `|`. */
  least: number;
  most: number;
  /** Evaluation stops at the first argument that determines the result. */
  decides?: boolean;
  /**
   * Throws an Error whose message is appended to the function's name. `read` is told of a text that is read and is not
   * an argument; it throws at the limit of steps.
   */
  call(args: Value[], read: (text: string) => void): Value;
}

const MANY = Number.POSITIVE_INFINITY;

const last = (args: Value[]) => args.at(-1);

const comparison = (call: (a: Value, b: Value) => boolean): TemplateFunction => ({
  least: 2,
  most: 2,
  call: ([a, b]) => call(a, b),
});

const lessOrEqual = (a: Value, b: Value) => isLess(a, b) || isEqual(a, b);

/** The functions that a template may use. */
export const FUNCTIONS: ReadonlyMap<string, TemplateFunction> = new Map(
  Object.entries({
    and: { least: 1, most: MANY, decides: false, call: last },
    or: { least: 1, most: MANY, decides: true, call: last },
    not: { least: 1, most: 1, call: ([value]) => !isTrue(value) },
    eq: { least: 1, most: MANY, call: ([value, ...others]) => equalsAny(value, others) },
    ne: comparison((a, b) => !isEqual(a, b)),
    lt: comparison(isLess),
    le: comparison(lessOrEqual),
    gt: comparison((a, b) => !lessOrEqual(a, b)),
    ge: comparison((a, b) => !isLess(a, b)),
    len: { least: 1, most: 1, call: ([value]) => BigInt(lengthOf(value)) },
    index: { least: 1, most: MANY, call: ([value, ...keys], read) => keys.reduce(itemOf(read), held(value)) },
    print: { least: 0, most: MANY, call: sprint },
    html: { least: 0, most: MANY, call: (args) => replaced(shown(args), QUOTED) },
    urlquery: { least: 0, most: MANY, call: (args) => escapeQuery(shown(args)) },
    as_rfc3339: { least: 1, most: 1, call: ([time]) => rfc3339(checked(time)) },
    as_rfc3339_from_string: { least: 1, most: 1, call: ([stamp]) => rfc3339OfStamp(text(stamp)) },
  } satisfies Record<string, TemplateFunction>),
);

/** The functions that Go's `html/template` adds at the end of an action; templates cannot use them. */
export const ESCAPERS = {
  /** The text of an action without a function; a missing value prints nothing. */
  escape: {
    least: 1,
    most: 1,
    call: ([value]) => (value === undefined || value === null ? "" : replaced(sprint([value]), ESCAPED)),
  },
  /** The text of the arguments of `html` and `urlquery` at the beginning of an action. */
  joined: { least: 0, most: MANY, call: sprint },
} satisfies Record<string, TemplateFunction>;

/** text/template's own escaper, which `html` is. */
const QUOTED: Record<string, string> = {
  "\0": "\ufffd",
  '"': "&#34;",
  "'": "&#39;",
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
};
/** html/template also escapes the plus, which starts a character in UTF-7. */
const ESCAPED = { ...QUOTED, "+": "&#43;" };

const SPECIAL = /[\0"'&<>+]/g;
const replaced = (written: string, by: Record<string, string>) =>
  written.replace(SPECIAL, (character) => by[character] ?? character);

/** The arguments as `html` and `urlquery` print them. */
const shown = (args: Value[]) => sprint(args.map((value) => value ?? "<no value>"));

function equalsAny(value: Value, others: Value[]): boolean {
  if (others.length === 0) throw new Error("has nothing to compare with: give it two values");
  return others.some((other) => isEqual(value, other));
}

type Kind = "bool" | "int" | "float" | "string" | undefined;

function kindOf(value: Value): Kind {
  if (asInteger(value) !== undefined) return "int";
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "bool";
  return typeof value === "number" ? "float" : undefined;
}

const isNothing = (value: Value) => value === undefined || value === null;
/** To Go a time is a struct, too. */
const isStruct = (value: Value) => value instanceof GoStruct || value instanceof GoTime;
const isNil = (value: Value) =>
  isNothing(value) || ((value instanceof GoList || value instanceof GoMap) && value.isNil);

function isEqual(a: Value, b: Value): boolean {
  const kind = kindOf(a);
  if (kind !== kindOf(b)) {
    if (isNothing(a) || isNothing(b)) return false;
    throw unlike(a, b);
  }
  if (kind === "int") return asInteger(a) === asInteger(b);
  if (kind !== undefined) return a === b;
  const isUnlike = isStruct(a) !== isStruct(b) || (!isStruct(a) && a?.constructor !== b?.constructor);
  if (!isNothing(a) && !isNothing(b) && isUnlike) throw unlike(a, b);
  if (isNil(a) || isNil(b)) return isNil(a) === isNil(b);
  throw new Error(
    `compares texts, numbers and nil, but gatehook's templates not ${typeOf(a)}: compare a member of it`,
  );
}

const unlike = (a: Value, b: Value) =>
  new Error(`cannot compare ${typeOf(a)} with ${typeOf(b)}: both must be text, or both integers`);

function isLess(a: Value, b: Value): boolean {
  const kind = kindOf(a);
  if (kind === undefined || kind === "bool")
    throw new Error(`cannot order ${typeOf(a)}: only text and numbers are`);
  if (kind !== kindOf(b)) throw unlike(a, b);
  if (kind === "string") return isBefore(a as string, b as string);
  if (kind === "int") return (asInteger(a) ?? 0n) < (asInteger(b) ?? 0n);
  return (a as number) < (b as number);
}

function lengthOf(value: Value): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (value instanceof GoList) return value.items.length;
  if (value instanceof GoMap) return value.members.size;
  throw new Error(`cannot measure ${typeOf(value)}: only text, lists and maps have a length`);
}

function held(value: Value): Value {
  if (isNothing(value)) throw new Error("looks into nothing: its first argument has no value");
  return value;
}

const itemOf =
  (read: (text: string) => void) =>
  (holder: Value, key: Value): Value => {
    if (holder instanceof GoMap) {
      if (typeof key !== "string") throw new Error(`asks a map for ${typeOf(key)}, but its keys are text`);
      // A member without a value is still a member.
      return holder.members.has(key) ? (holder.members.get(key) ?? null) : holder.zero;
    }
    if (holder instanceof GoList) return holder.items[place(key, holder.items.length)] ?? null;
    if (typeof holder === "string") {
      read(holder);
      const bytes = Buffer.from(holder);
      return BigInt(bytes[place(key, bytes.length)] ?? 0);
    }
    throw new Error(`cannot look into ${typeOf(holder)}: only maps, lists and text have an index`);
  };

function place(key: Value, length: number): number {
  const at = asInteger(key);
  if (at === undefined) throw new Error(`asks a list for ${typeOf(key)}, but its places are integers`);
  if (at < 0n || at >= BigInt(length)) throw new Error(`asks for place ${at} of ${length}: the first is 0`);
  return Number(at);
}

function checked(value: Value): GoTime {
  if (value instanceof GoTime) return value;
  throw new Error(`takes a time, not ${typeOf(value)}: for .TimeStamp there is as_rfc3339_from_string`);
}

function text(value: Value): string {
  if (typeof value === "string") return value;
  throw new Error(`takes text, not ${typeOf(value)}`);
}
