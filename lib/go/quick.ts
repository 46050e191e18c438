// Fast decoders for the usual case of decode.ts: plain values in which every name is exactly that of a field. A decoder
// here returns the same as the one of the same name there, including the order of members, or throws ODD; then the
// exact decoder is used, which also makes the error. Values that need no change are not copied, so a decoded value must
// never be changed.
import { type Decoder, type Fields, fold, isZero, type Lean, type Struct, sortedMembers } from "./decode.ts";
import type { JsonValue } from "./json.ts";

const ODD = new Error("not the usual case");

/** Uses the decoder `quick`, and `exact` for values that it cannot decode. */
export function usually<T>(quick: Decoder<T>, exact: Decoder<T>): Decoder<T> {
  return (value, before) => {
    try {
      return quick(value, before);
    } catch (thrown) {
      if (thrown !== ODD) throw thrown;
    }
    return exact(value, before);
  };
}

/** Ignores the problem: the exact decoder, which runs next, makes the error. */
export const invalid = (_problem: string): Error => ODD;

/** Only for well-formed text. */
export const string: Decoder<string> = (value = null) => {
  if (typeof value === "string") return wellFormed(value);
  if (value === null) return "";
  throw ODD;
};

export const boolean: Decoder<boolean> = (value = null) => {
  if (typeof value === "boolean") return value;
  if (value === null) return false;
  throw ODD;
};

/** Only for safe integers except -0. */
export const integer: Decoder<number> = (value = null) => {
  if (typeof value === "number" && Number.isSafeInteger(value) && !Object.is(value, -0)) return value;
  if (value === null) return 0;
  throw ODD;
};

/** Only for finite numbers except -0. */
export const float: Decoder<number> = (value = null) => {
  if (typeof value === "number" && Number.isFinite(value) && !Object.is(value, -0)) return value;
  if (value === null) return 0;
  throw ODD;
};

/** Deeper nesting is not the usual case. */
const MAX_DEPTH = 60;

/** Up to 60 levels deep. */
export const any: Decoder<unknown> = (value) => plain(value, MAX_DEPTH);

/** `sorted`: the members of objects are sorted by their names. */
function plain(value: JsonValue | undefined, depth: number, sorted = false): unknown {
  if (typeof value === "string") return wellFormed(value);
  if (typeof value === "number") return float(value);
  if (value === null || value === undefined || typeof value === "boolean") return value ?? null;
  if (depth === 0) throw ODD;
  const item: Decoder<unknown> = (member) => plain(member, depth - 1, sorted);
  if (Array.isArray(value)) return items(value, item);
  const made = members(value, item);
  return sorted ? Object.fromEntries(sortedMembers(Object.entries(made))) : made;
}

/** Returns the given array itself if no item changes. */
export function list<T>(item: Decoder<T>): Decoder<T[] | null> {
  return (value = null) => {
    if (Array.isArray(value)) return items(value, item);
    if (value === null) return null;
    throw ODD;
  };
}

/** Returns the given object itself if no member changes. */
export function map<T>(item: Decoder<T>): Decoder<Record<string, T> | null> {
  return (value = null) => (value === null ? null : members(value, item));
}

export function pointer<T>(item: Decoder<T>): Decoder<T | null> {
  return (value = null) => (value === null ? null : item(value));
}

/** Returns the given object itself if it has exactly these fields in this order, and none changes. */
export const struct = <S extends Fields>(fields: S) => membersOf(fields, false) as Decoder<Struct<S>>;

/**
 * Returns the given object itself if it has only such fields, in this order, none of them changes, and none has its
 * zero value.
 */
export const lean = <S extends Fields>(fields: S) => membersOf(fields, true) as Decoder<Lean<S>>;

/** `isLean`: members of zero value are omitted; otherwise the result has all fields. */
function membersOf(fields: Fields, isLean: boolean): Decoder<Record<string, unknown>> {
  const names = Object.keys(fields);
  const decoders = Object.values(fields);
  const places = new Map(names.map((name, at) => [name, at]));
  const folded = new Set(names.map(fold));

  return (value = null) => {
    const given = value === null ? {} : asPlain(value);
    const found: unknown[] = new Array(names.length).fill(undefined);
    let isSame = true;
    let last = -1;
    let count = 0;
    for (const name of Object.keys(given)) {
      const at = places.get(name);
      // A member that is not a field is ignored, unless its name differs from a field's only in case.
      if (at === undefined && folded.has(fold(name))) throw ODD;
      const member = given[name];
      const decoded = at === undefined ? undefined : decoders[at]?.(member);
      if (at === undefined || at < last || decoded !== member || (isLean && isZero(decoded))) isSame = false;
      if (at === undefined) continue;
      found[at] = decoded;
      last = at;
      count += 1;
    }
    if (isSame && (isLean || count === names.length)) return given;
    const made: Record<string, unknown> = {};
    for (const [at, name] of names.entries()) {
      const member = isLean ? found[at] : (found[at] ?? decoders[at]?.(undefined));
      if (!isLean || !isZero(member)) made[name] = member;
    }
    return made;
  };
}

/** Like `open` of decode.ts, for a `struct` or `lean` of this module. */
export function open<S extends Fields, T extends object>(fields: S, decode: Decoder<T>): Decoder<T> {
  return (value = null) => {
    const made = decode(value);
    if (value === null) return made;
    const others = Object.entries(asPlain(value)).filter(([name]) => !Object.hasOwn(fields, name));
    if (others.length === 0) return made;
    const sorted = plain(Object.fromEntries(others) as JsonValue, MAX_DEPTH, true);
    return { ...made, ...(sorted as object) };
  };
}

type Plain = { [name: string]: JsonValue | undefined };

/** Throws for `Members` and `Literal`, and for values of stored items that do not exist in JSON. */
function asPlain(value: JsonValue): Plain {
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    throw ODD;
  return value as Plain;
}

function items<T>(given: JsonValue[], item: Decoder<T>): T[] {
  let made: T[] | undefined;
  for (let at = 0; at < given.length; at += 1) {
    const decoded = item(given[at]);
    if (decoded !== given[at]) made ??= given.slice(0, at) as T[];
    made?.push(decoded);
  }
  return made ?? (given as T[]);
}

function members<T>(value: JsonValue, item: Decoder<T>): Record<string, T> {
  const given = asPlain(value);
  let made: Record<string, T> | undefined;
  for (const name of Object.keys(given)) {
    const member = given[name];
    if (member === undefined || !name.isWellFormed()) throw ODD;
    const decoded = item(member);
    // A copy has all members from the start, so each keeps its place, and one called __proto__ is an ordinary member.
    if (decoded !== member) made ??= { ...given } as Record<string, T>;
    if (made) made[name] = decoded;
  }
  return made ?? (given as Record<string, T>);
}

function wellFormed(text: string): string {
  if (text.isWellFormed()) return text;
  throw ODD;
}
