/**
 * A value as Go has it: a bigint is any of its integers, a number a float64. Null is an interface that holds nothing,
 * undefined no value at all, such as that of a key which a map does not have: it has no fields either, but asking for
 * them is not an error.
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
  /** One that was never made: it is empty, and equals nil. */
  readonly isNil: boolean;

  constructor(items: readonly Value[], isNil = false) {
    this.items = items;
    this.isNil = isNil;
  }
}

/** A Go map with strings as keys. */
export class GoMap {
  readonly members: ReadonlyMap<string, Value>;
  /** What `index` gives for a key that is not there: "" in a map of strings. */
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
  /** Those of the fields that are structs whose fields count as this one's own. */
  readonly embedded: readonly string[];

  constructor(type: string, fields: ReadonlyMap<string, Value>, embedded: readonly string[] = []) {
    this.type = type;
    this.fields = fields;
    this.embedded = embedded;
  }

  /** Undefined for a name that is not a field; no field has that value. */
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

  /** Those that a template may name. */
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

/** A point in time, kept in the parts that it is printed by. */
export class GoTime {
  /** `2026-09-01` */
  readonly date: string;
  /** `08:30:00` */
  readonly time: string;
  /** Of the second, without zeros at the end. */
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

/** As Go's errors call it. */
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

/** What `if`, `with`, `and`, `or` and `not` ask. */
export function isTrue(value: Value): boolean {
  if (value instanceof GoList) return value.items.length > 0;
  if (value instanceof GoMap) return value.members.size > 0;
  if (value instanceof GoDuration) return value.nanoseconds !== 0n;
  // NaN is not zero.
  if (typeof value === "number") return value !== 0;
  return Boolean(value);
}

/** Go counts a duration among its integers. */
export const asInteger = (value: Value): bigint | undefined =>
  value instanceof GoDuration ? value.nanoseconds : typeof value === "bigint" ? value : undefined;
