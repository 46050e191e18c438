import { AppError } from "../errors.ts";

/** A number as written: Go takes `1` for an int but neither `1.0` nor `1e0`, and a JS number forgets which it was. */
export interface GoNumber {
  readonly literal: string;
}
/** Members stand in the order of the text, since of `Rate` and `rate` the later one counts. */
export type JsonValue = null | boolean | string | GoNumber | JsonValue[] | Map<string, JsonValue>;

/** What Go's encoding/json makes of a value; `undefined` (no such member) and `null` give the zero value. */
export type Decoder<T> = (value: JsonValue | undefined, path: string) => T;

/**
 * Decodes a JSON text as Go would into a variable of the decoder's type.
 * Throws json-invalid; the message (and `field`) names the member and the kind found there, never its value.
 */
export function decodeJson<T>(text: string, decoder: Decoder<T>): T {
  try {
    return decoder(parse(text), "");
  } catch (error) {
    if (error instanceof SyntaxError) throw invalid("", `not JSON${position(error)}`);
    if (error instanceof RangeError) throw invalid("", "nested too deeply");
    throw error;
  }
}

/** The same for JSON that is parsed already. How its numbers were written is lost: `1.0` passes as `1`. */
export function decodeValue<T>(value: unknown, decoder: Decoder<T>): T {
  return decodeJson(jsonText(value), decoder);
}

export const string: Decoder<string> = (value = null, path) => {
  if (value === null) return "";
  if (typeof value !== "string") throw mismatch(path, "a string", value);
  return value;
};

export const boolean: Decoder<boolean> = (value = null, path) => {
  if (value === null) return false;
  if (typeof value !== "boolean") throw mismatch(path, "a boolean", value);
  return value;
};

/**
 * Go's int64, as far as a JS number goes: like Go it refuses `1.0`, `1e3` and what is out of range, and beyond Go it
 * refuses every integer beyond 2^53, which a JS number could not hand on unchanged.
 */
export const integer: Decoder<number> = (value = null, path) => {
  if (value === null) return 0;
  if (!isNumber(value)) throw mismatch(path, "an integer", value);
  if (!/^-?\d+$/.test(value.literal)) {
    throw invalid(path, "expected an integer, found a number with a fraction or an exponent");
  }
  const number = Number(value.literal);
  if (!Number.isSafeInteger(number))
    throw invalid(path, "the integer is beyond 2^53: it cannot be kept exactly");
  return number + 0; // makes 0 of -0
};

export const float: Decoder<number> = (value = null, path) => {
  if (value === null) return 0;
  if (!isNumber(value)) throw mismatch(path, "a number", value);
  return finite(value, path);
};

/** Plain JS, as Go's `interface{}` holds it: every number is a double. */
export const any: Decoder<unknown> = (value = null, path) => plain(value, path, MAX_DEPTH);

// Fixed, so that what was decoded can be walked and printed within any stack. Go stops at 10,000.
const MAX_DEPTH = 500;

function plain(value: JsonValue, path: string, depth: number): unknown {
  if (value === null || typeof value !== "object") return value;
  if (isNumber(value)) return finite(value, path);
  if (depth === 0) throw new RangeError(); // decodeJson words it
  const item: Decoder<unknown> = (member = null, name) => plain(member, name, depth - 1);
  return Array.isArray(value) ? list(item)(value, path) : decodeMembers(value, item, path);
}

export function list<T>(item: Decoder<T>): Decoder<T[] | null> {
  return (value = null, path) => {
    if (value === null) return null;
    if (!Array.isArray(value)) throw mismatch(path, "an array", value);
    return value.map((element, at) => item(element, `${path}[${at}]`));
  };
}

export function map<T>(item: Decoder<T>): Decoder<Record<string, T> | null> {
  return (value = null, path) => {
    if (value === null) return null;
    if (!(value instanceof Map)) throw mismatch(path, "an object", value);
    return decodeMembers(value, item, path);
  };
}

/** Go's pointer: null stays null, where a struct would become one of zeros. */
export function pointer<T>(item: Decoder<T>): Decoder<T | null> {
  return (value = null, path) => (value === null ? null : item(value, path));
}

/**
 * Unknown members are ignored. A member goes to the field of its exact name, else to the one whose name differs in
 * case only; of several for one field the last counts, but all must be of the right kind.
 * Two differences that only repeated names show: Go merges two objects, and checks both of `{"a":1,"a":2}`.
 */
export function struct<S extends Record<string, Decoder<unknown>>>(
  fields: S,
): Decoder<{ [K in keyof S]: ReturnType<S[K]> }> {
  const names = new Map(Object.keys(fields).map((name) => [fold(name), name]));
  for (const name of Object.keys(fields)) names.set(name, name);

  return (value = null, path) => {
    if (value !== null && !(value instanceof Map)) throw mismatch(path, "an object", value);
    const found = new Map(Object.entries(fields).map(([name, field]) => [name, field(undefined, path)]));
    for (const [written, member] of value ?? []) {
      const name = names.get(written) ?? names.get(fold(written));
      if (name === undefined) continue;
      const decoded = fields[name]?.(member, path === "" ? name : `${path}.${name}`);
      // As in Go, null empties a map, list or pointer, and leaves anything else as an earlier member has set it.
      if (member !== null || decoded === null) found.set(name, decoded);
    }
    return Object.fromEntries(found) as { [K in keyof S]: ReturnType<S[K]> };
  };
}

/** The error for a decoder of your own. */
export function invalid(path: string, problem: string): AppError {
  return new AppError("json-invalid", path === "" ? `the JSON text: ${problem}` : `${path}: ${problem}`, {
    field: path,
  });
}

function parse(text: string): JsonValue {
  return (JSON.parse as ParseWithSource)(text, (_name, value, { source }) => {
    if (typeof value === "number") return { literal: source ?? "" };
    if (typeof value === "string") return value.toWellFormed(); // Go has no lone surrogates, it puts U+FFFD
    if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
    return new Map(Object.entries(value).map(([name, member]) => [name.toWellFormed(), member]));
  }) as JsonValue;
}

/** TypeScript does not know the third argument yet: https://github.com/tc39/proposal-json-parse-with-source */
type ParseWithSource = (
  text: string,
  reviver: (name: string, value: unknown, context: { source?: string }) => unknown,
) => unknown;

/** Where the text went wrong, if V8 says so. Its other words may quote the text, which may hold secrets. */
function position(error: SyntaxError): string {
  return / at position \d+(?= \(line \d+ column \d+\)$)/.exec(error.message)?.[0] ?? "";
}

function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "null";
  } catch (error) {
    throw invalid("", error instanceof RangeError ? "nested too deeply" : "not a JSON value");
  }
}

function mismatch(path: string, expected: string, value: JsonValue): AppError {
  return invalid(path, `expected ${expected}, found ${kindOf(value)}`);
}

function kindOf(value: JsonValue): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value !== "object") return `a ${typeof value}`;
  return value instanceof Map ? "an object" : "a number";
}

function isNumber(value: JsonValue): value is GoNumber {
  return kindOf(value) === "a number";
}

function finite({ literal }: GoNumber, path: string): number {
  const number = Number(literal);
  if (!Number.isFinite(number)) throw invalid(path, "the number is too large");
  return number + 0;
}

function decodeMembers<T>(
  members: Map<string, JsonValue>,
  item: Decoder<T>,
  path: string,
): Record<string, T> {
  const decoded = [...members].map(
    ([name, value]) => [name, item(value, `${path}[${quote(name)}]`)] as const,
  );
  return Object.fromEntries(decoded); // defines its members, so that "__proto__" becomes one like any other
}

function quote(name: string): string {
  return JSON.stringify(name.length > 64 ? `${name.slice(0, 64)}…` : name);
}

/** Of what is not ASCII, Go takes the Kelvin sign for `k`, as toLowerCase does, and the long s for `s`. */
function fold(name: string): string {
  return name.toLowerCase().replaceAll("ſ", "s");
}
