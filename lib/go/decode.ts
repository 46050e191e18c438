import { isMembers, isNumber, type JsonValue, Literal, Members, parseJson } from "./json.ts";
import { isBefore } from "./text.ts";
import { mismatch, nameIn, orInvalid, Unfit, within } from "./unfit.ts";

/**
 * Converts a value as Go's encoding/json does; `undefined` (no such member) and `null` result in the zero value.
 * `before` is the result for an earlier member of the same field: structs and maps are merged into it.
 */
export type Decoder<T> = (value: JsonValue | undefined, before?: unknown) => T;

/**
 * Decodes a JSON text as Go would into a variable of the decoder's type.
 * Throws json-invalid; the message (and `field`) names the member and the kind found there, never its value.
 *
 * @example
 * const limits = struct({ rate: float, tags: list(string) });
 * decodeJson('{"Rate": 5, "other": 1}', limits); // { rate: 5, tags: null }
 * decodeJson('{"rate": "5"}', limits); // throws: rate: expected a number, found a string
 */
export function decodeJson<T>(text: string, decoder: Decoder<T>): T {
  return orInvalid(() => decoder(parseJson(text)));
}

/** The same for JSON that is already parsed. The spelling of its numbers is lost, so `1.0` is accepted as `1`. */
export function decodeValue<T>(value: unknown, decoder: Decoder<T>): T {
  return orInvalid(() => decoder(value as JsonValue | undefined));
}

/** Go's `string`. Lone surrogates become U+FFFD. */
export const string: Decoder<string> = (value = null) => {
  if (value === null) return "";
  if (typeof value !== "string") throw mismatch("a string", value);
  return value.toWellFormed(); // Go has no lone surrogates, it puts U+FFFD
};

/** Go's `bool`. */
export const boolean: Decoder<boolean> = (value = null) => {
  if (value === null) return false;
  if (typeof value !== "boolean") throw mismatch("a boolean", value);
  return value;
};

/**
 * Go's int64. Like Go, it rejects `1.0`, `1e3` and values out of range. Unlike Go, it also rejects integers beyond
 * 2^53, which a JavaScript number cannot represent exactly.
 */
export const integer: Decoder<number> = (value = null) => {
  if (value === null) return 0;
  if (!isNumber(value)) throw mismatch("an integer", value);
  if (!/^-?\d+$/.test(literalOf(value)))
    throw invalid("expected an integer, found a number with a fraction or an exponent");
  const number = Number(literalOf(value));
  if (!Number.isSafeInteger(number)) throw invalid(INEXACT);
  return number + 0; // makes 0 of -0
};

const INEXACT = "the integer is beyond 2^53: it cannot be kept exactly";

/** Go's `float64`; rejects numbers that would be infinite. `-0` becomes 0. */
export const float: Decoder<number> = (value = null) => {
  if (value === null) return 0;
  if (!isNumber(value)) throw mismatch("a number", value);
  return finite(value);
};

/** The parsed value, to be decoded later; `null` if the member is missing. */
export const raw: Decoder<JsonValue> = (value = null) => value;

/** A plain JavaScript value, as in Go's `interface{}`: every number is a double. */
export const any: Decoder<unknown> = (value = null) => plain(value, MAX_DEPTH);

// Constant, so that recursive code can process every decoded value with any stack. Go's limit is 10,000.
const MAX_DEPTH = 500;

function plain(value: JsonValue | undefined, depth: number): unknown {
  if (value === null || value === undefined || typeof value === "boolean") return value ?? null;
  if (typeof value === "string") return value.toWellFormed();
  if (isNumber(value)) return finite(value);
  if (depth === 0) throw new RangeError(); // `orInvalid` words it
  const item: Decoder<unknown> = (member) => plain(member, depth - 1);
  return Array.isArray(value) ? decodeItems(value, item) : decodeMembers(value, item, {});
}

/** Go's slice: null if the member is null or missing. Items of an earlier member with the same name are dropped. */
export function list<T>(item: Decoder<T>): Decoder<T[] | null> {
  return (value = null) => {
    if (value === null) return null;
    if (!Array.isArray(value)) throw mismatch("an array", value);
    return decodeItems(value, item);
  };
}

/** Go's `map[string]T`: null if the member is null or missing. Members are added to those of an earlier member. */
export function map<T>(item: Decoder<T>): Decoder<Record<string, T> | null> {
  return (value = null, before) =>
    value === null ? null : decodeMembers(value, item, (before as Record<string, T> | null) ?? {});
}

/** Go's pointer: null stays null; a struct would be filled with zero values. */
export function pointer<T>(item: Decoder<T>): Decoder<T | null> {
  return (value = null, before) => (value === null ? null : item(value, before ?? undefined));
}

/** The fields of a struct, by their JSON names: each has the decoder of its type. */
export type Fields = Record<string, Decoder<unknown>>;
/** The result of `struct`: it has all fields; those that are not in the JSON text have their zero values. */
export type Struct<S extends Fields> = { [K in keyof S]: ReturnType<S[K]> };
/** The result of `lean`: it has no fields with zero values. */
export type Lean<S extends Fields> = { [K in keyof S]?: Exclude<ReturnType<S[K]>, null> };

/**
 * Unknown members are ignored. A member belongs to the field with exactly its name, otherwise to the field whose name
 * differs only in case. If there are several members for one field, all must be of the right type; objects are merged,
 * and for other values the last one counts.
 */
export function struct<S extends Fields>(fields: S): Decoder<Struct<S>> {
  const find = finder(fields);
  return (value = null, before) => {
    const found = find(value, before);
    const made = Object.entries(fields).map(([name, field]) => [
      name,
      found.has(name) ? found.get(name) : field(undefined),
    ]);
    return Object.fromEntries(made) as Struct<S>;
  };
}

/** A struct without members of zero value, as with `omitempty`. */
export function lean<S extends Fields>(fields: S): Decoder<Lean<S>> {
  const find = finder(fields);
  const names = Object.keys(fields);
  return (value = null, before) => {
    const found = find(value, before);
    const made: Record<string, unknown> = {};
    if (found.size === 0) return made as Lean<S>;
    for (const name of names) {
      const member = found.get(name);
      if (!isZero(member)) made[name] = member;
    }
    return made as Lean<S>;
  };
}

/**
 * The same struct, and the members that are not its fields, such as those of a newer version. They come after the
 * fields, sorted and otherwise unchanged; integers that a JavaScript number cannot represent exactly are rejected.
 */
export function open<S extends Fields, T extends object>(fields: S, decode: Decoder<T>): Decoder<T> {
  const known = new Set(Object.keys(fields).map(fold));
  return (value = null, before) => {
    const made = decode(value, before);
    if (value === null) return made;
    const others = Object.entries(before ?? {}).filter(([name]) => !known.has(fold(name)));
    forEachMember(value, (name, member) => {
      if (!known.has(fold(name))) others.push([name.toWellFormed(), unknownMember(name, member)]);
    });
    if (others.length > 0) for (const [name, member] of sortedMembers(others)) define(made, name, member);
    return made;
  };
}

function unknownMember(name: string, member: JsonValue): unknown {
  try {
    return exact(member, MAX_DEPTH);
  } catch (error) {
    throw within(error, name);
  }
}

/** A plain JavaScript value without any loss; the members of objects are sorted. */
function exact(value: JsonValue, depth: number): unknown {
  if (depth === 0) throw new RangeError();
  if (value instanceof Literal && /^-?\d+$/.test(value.text) && !Number.isSafeInteger(Number(value.text)))
    throw invalid(INEXACT);
  if (typeof value !== "object" || value === null || value instanceof Literal) return plain(value, depth);
  if (Array.isArray(value)) return decodeItems(value, (item = null) => exact(item, depth - 1));
  const made = decodeMembers(value, (member = null) => exact(member, depth - 1), {});
  return Object.fromEntries(sortedMembers(Object.entries(made)));
}

/** Sorts in place by the order of UTF-8 bytes, as Go prints a map. */
export const sortedMembers = (members: [string, unknown][]) =>
  members.sort(([a], [b]) => (a === b ? 0 : isBefore(a, b) ? -1 : 1));

/** Decodes the members of a value that are fields, by the names of the fields, and merges them into earlier ones. */
function finder(fields: Fields): (value: JsonValue, before: unknown) => Map<string, unknown> {
  const names = new Map(Object.keys(fields).map((name) => [fold(name), name]));
  for (const name of Object.keys(fields)) names.set(name, name);

  return (value, before) => {
    const found = new Map<string, unknown>(before ? Object.entries(before) : []);
    if (value === null) return found;
    let at = "";
    try {
      forEachMember(value, (written, member) => {
        const name = names.get(written) ?? names.get(fold(written));
        if (name === undefined) return;
        at = name;
        const decoded = fields[name]?.(member, found.get(name));
        // As in Go, null empties a map, list or pointer; any other field keeps the value of an earlier member.
        if (member !== null || decoded === null) found.set(name, decoded);
      });
    } catch (error) {
      throw within(error, at);
    }
    return found;
  };
}

const literalOf = (value: number | Literal) => (typeof value === "number" ? String(value) : value.text);

function finite(value: number | Literal): number {
  const number = typeof value === "number" ? value : Number(value.text);
  if (!Number.isFinite(number)) throw invalid("the number is too large");
  return number + 0;
}

function forEachMember(value: JsonValue, work: (name: string, member: JsonValue) => void): void {
  if (typeof value !== "object" || value === null || Array.isArray(value) || !isMembers(value))
    throw mismatch("an object", value);
  for (const [name, member] of value instanceof Members ? value.entries : Object.entries(value))
    if (member !== undefined) work(name, member);
}

function decodeItems<T>(items: JsonValue[], item: Decoder<T>): T[] {
  const made: T[] = [];
  try {
    for (const element of items) made.push(item(element));
  } catch (error) {
    throw within(error, `[${made.length}]`);
  }
  return made;
}

/**
 * Adds members to `made`, which only this decoder uses: copying it for each repeated member would take quadratic time.
 */
function decodeMembers<T>(value: JsonValue, item: Decoder<T>, made: Record<string, T>): Record<string, T> {
  let at: string | undefined;
  try {
    forEachMember(value, (name, member) => {
      at = name;
      const decoded = item(member);
      // Defined, not assigned, so that `__proto__` becomes an ordinary member.
      if (name === "__proto__") define(made, name, decoded);
      else made[name.toWellFormed()] = decoded;
    });
  } catch (error) {
    throw within(error, at === undefined ? "" : nameIn(at));
  }
  return made;
}

const define = (made: object, name: string, value: unknown) =>
  Object.defineProperty(made, name, { value, enumerable: true, configurable: true, writable: true });

/** The error for a decoder of your own. */
export const invalid = (problem: string): Error => new Unfit(problem);

/** Zero, false, empty or absent. */
export function isZero(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return !value;
  if (Array.isArray(value)) return value.length === 0;
  for (const _ in value) return false;
  return true;
}

/** Beyond ASCII, Go treats the Kelvin sign as `k`, as toLowerCase does, and the long s as `s`. */
export function fold(name: string): string {
  return name.toLowerCase().replaceAll("ſ", "s");
}
