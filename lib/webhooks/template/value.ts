/**
 * A Go value: a bigint is any integer, a number is a float64. Null is an empty interface, undefined is no value, such
 * as that of a missing key in a map: it has no fields, but reading them is not an error.
 */
export type Value =
  | undefined
  | null
  | string
  | boolean
  | bigint
  | number
  | GoList
  | GoMap
  | GoStruct
  | GoTime
  | GoDuration;

/** A Go slice. */
export class GoList {
  readonly items: readonly Value[];
  /** A nil slice: it is empty, and equals nil. */
  readonly isNil: boolean;

  constructor(items: readonly Value[], isNil = false) {
    this.items = items;
    this.isNil = isNil;
  }
}

/** A Go map with strings as keys. */
export class GoMap {
  readonly members: ReadonlyMap<string, Value>;
  /** The value of `index` for a missing key: "" in a map of strings. */
  readonly zero: "" | null;
  readonly isNil: boolean;

  constructor(members: ReadonlyMap<string, Value>, zero: "" | null = null, isNil = false) {
    this.members = members;
    this.zero = zero;
    this.isNil = isNil;
  }
}

/** A Go struct; `type` is its name in Go's errors. */
export class GoStruct {
  readonly type: string;
  /** In the order of their declaration. */
  readonly fields: ReadonlyMap<string, Value>;
  /** The names of embedded structs, whose fields are also fields of this one. */
  readonly embedded: readonly string[];

  constructor(type: string, fields: ReadonlyMap<string, Value>, embedded: readonly string[] = []) {
    this.type = type;
    this.fields = fields;
    this.embedded = embedded;
  }

  /** Undefined if there is no such field; a field never has this value. */
  field(name: string): Exclude<Value, undefined> | undefined {
    const own = this.fields.get(name);
    if (own !== undefined) return own;
    for (const holder of this.embedded) {
      const inner = this.fields.get(holder);
      const found = inner instanceof GoStruct ? inner.field(name) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The names of all fields, with those of embedded structs. */
  names(): string[] {
    return [...this.fields].flatMap(([name, value]) =>
      this.embedded.includes(name) && value instanceof GoStruct ? value.names() : [name],
    );
  }
}

/** Nanoseconds. */
export class GoDuration {
  readonly nanoseconds: bigint;

  constructor(nanoseconds: bigint) {
    this.nanoseconds = nanoseconds;
  }
}

/** A point in time, stored in the parts that are printed. */
export class GoTime {
  /** `2026-09-01` */
  readonly date: string;
  /** `08:30:00` */
  readonly time: string;
  /** The fraction of the second, without trailing zeros. */
  readonly fraction: string;
  /** `+02:00`; "" for UTC. */
  readonly offset: string;

  constructor(date: string, time: string, fraction: string, offset: string) {
    this.date = date;
    this.time = time;
    this.fraction = fraction;
    this.offset = offset;
  }
}

/** Its name in Go's errors. */
export function typeOf(value: Value): string {
  if (value === undefined || value === null) return "nil";
  if (typeof value === "bigint") return "int";
  if (typeof value === "number") return "float64";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "string") return "string";
  if (value instanceof GoList) return "a list";
  if (value instanceof GoMap) return "a map";
  if (value instanceof GoStruct) return value.type;
  return value instanceof GoTime ? "a time" : "a duration";
}

/** The truth value for `if`, `with`, `and`, `or` and `not`. */
export function isTrue(value: Value): boolean {
  if (value instanceof GoList) return value.items.length > 0;
  if (value instanceof GoMap) return value.members.size > 0;
  if (value instanceof GoDuration) return value.nanoseconds !== 0n;
  // NaN is not zero.
  if (typeof value === "number") return value !== 0;
  return Boolean(value);
}

/** In Go a duration is an integer. */
export const asInteger = (value: Value): bigint | undefined =>
  value instanceof GoDuration ? value.nanoseconds : typeof value === "bigint" ? value : undefined;
