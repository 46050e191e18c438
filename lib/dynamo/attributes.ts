import type { AttributeValue } from "@aws-sdk/client-dynamodb";

// The SDK's own conversion reads an object's constructor and assigns its members by name. Scripts may add any members
// to sessions, including `constructor` and `__proto__`, so this conversion uses own members only.

/** An item in the SDK's format: each value with its type. */
export type Attributes = Record<string, AttributeValue>;

/** Converts JSON values to DynamoDB's format; members without a value are omitted. */
export function toAttributes(item: object): Attributes {
  const members: [string, AttributeValue][] = [];
  for (const [name, value] of Object.entries(item))
    if (value !== undefined) members.push([name, toAttribute(value)]);
  return Object.fromEntries(members);
}

function toAttribute(value: unknown): AttributeValue {
  if (typeof value === "string") return { S: value };
  if (typeof value === "number") return { N: String(value) };
  if (typeof value === "boolean") return { BOOL: value };
  if (value === null || value === undefined) return { NULL: true };
  if (Array.isArray(value)) return { L: value.map(toAttribute) };
  if (typeof value === "object") return { M: toAttributes(value) };
  throw new TypeError(`DynamoDB has no ${typeof value}`);
}

/** Converts them back: every number to a double, as in JSON; sets and bytes as in the SDK. */
export function fromAttributes(attributes: Attributes): Record<string, unknown> {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, fromAttribute(value)]));
}

function fromAttribute(value: AttributeValue): unknown {
  if (value.S !== undefined) return value.S;
  if (value.N !== undefined) return Number(value.N);
  if (value.M !== undefined) return fromAttributes(value.M);
  if (value.L !== undefined) return value.L.map(fromAttribute);
  if (value.BOOL !== undefined) return value.BOOL;
  if (value.NULL !== undefined) return null;
  return value.B ?? new Set<unknown>(value.SS ?? value.NS?.map(Number) ?? value.BS);
}
