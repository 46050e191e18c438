import { AppError } from "../errors.ts";
import { outline } from "../go/json.ts";

// The limits of the sessions table. Every write, by a handler or over HTTP, is checked here first, so that the table
// itself does not reject it: it would reject the other events of a commit too.

/** DynamoDB's limit of a partition key. */
export const KEY_BYTES = 2_048;

/** DynamoDB's limit of an item is 400 KiB; this leaves a margin for the other attributes. */
export const SESSION_BYTES = 380 * 1024;

/** The longest text of a session: parsing a longer one would take too long. */
export const SESSION_CHARS = SESSION_BYTES;

/**
 * The maximum number of members and items of a session, at all levels: each costs the main thread a microsecond or two.
 */
export const SESSION_VALUES = 10_000;

/** DynamoDB allows 32 levels in an item; the session is the second level. */
export const SESSION_DEPTH = 30;

/** DynamoDB's limit of an attribute's name. */
const NAME_BYTES = 65_535;

/** DynamoDB's numbers, from the smallest above zero to the largest. */
const [MIN_NUMBER, MAX_NUMBER] = [1e-130, 9.9e125];

/** Whether DynamoDB accepts it as a key: 1 to 2,048 bytes of UTF-8, without lone surrogates. */
export function isStorableKey(key: string): boolean {
  // A UTF-16 unit has at most three bytes, so the bytes of a giant key are not counted.
  if (key.length > KEY_BYTES) return false;
  const bytes = Buffer.byteLength(key);
  return bytes > 0 && bytes <= KEY_BYTES && key.isWellFormed();
}

/** Returns the key; throws request-invalid if the table cannot hold it. */
export function storableKey(key: string): string {
  if (isStorableKey(key)) return key;
  throw new AppError("request-invalid", `a key has 1 to ${KEY_BYTES} bytes`, { field: "key" });
}

/** Throws session-too-large for a text that would take too long to parse. */
export function checkText(text: string): void {
  if (text.length > SESSION_CHARS)
    throw tooLarge(`a session's text has at most ${SESSION_CHARS} characters; this one has ${text.length}`);
  const { values } = outline(text);
  if (values > SESSION_VALUES)
    throw tooLarge(`a session has at most ${SESSION_VALUES} members and items; this one has ${values}`);
}

/**
 * The size of a session in the table in bytes, as DynamoDB counts it. Throws session-invalid with the member that the
 * table cannot hold, and session-too-large.
 */
export function storableBytes(session: Record<string, unknown> & { org_id?: string }): number {
  const { org_id = "" } = session;
  if (Buffer.byteLength(org_id) > KEY_BYTES)
    throw unfit("org_id", `has more than ${KEY_BYTES} bytes: the table could not find it by that`);
  const bytes = bytesOf(session, "", SESSION_DEPTH);
  if (bytes <= SESSION_BYTES) return bytes;
  throw tooLarge(`a session takes at most ${SESSION_BYTES} bytes in the table; this one takes ${bytes}`);
}

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html */
function bytesOf(value: unknown, member: string, depth: number): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (typeof value === "number") return numberBytes(value, member);
  if (typeof value !== "object" || value === null) return 1;
  if (depth === 0) throw unfit(member, `is nested deeper than ${SESSION_DEPTH} levels, the session included`);
  let bytes = 3;
  if (Array.isArray(value)) {
    // Items of a list get no name, since a list may be very long.
    for (const item of value) bytes += 1 + bytesOf(item, member, depth - 1);
    return bytes;
  }
  for (const [name, inner] of Object.entries(value)) {
    const place = member === "" ? name : member;
    const nameBytes = Buffer.byteLength(name);
    if (nameBytes < 1 || nameBytes > NAME_BYTES)
      throw unfit(place, `has a member whose name has ${nameBytes} bytes; a name has 1 to ${NAME_BYTES}`);
    bytes += 1 + nameBytes + bytesOf(inner, place, depth - 1);
  }
  return bytes;
}

function numberBytes(value: number, member: string): number {
  const size = Math.abs(value);
  if (size > MAX_NUMBER || (size < MIN_NUMBER && size > 0))
    throw unfit(member, `has a number that is out of range: ${MIN_NUMBER} to ${MAX_NUMBER}, or 0`);
  // One byte for two digits, one for the exponent, one for the sign.
  return Math.ceil(String(size).length / 2) + 2;
}

function unfit(member: string, problem: string): AppError {
  return new AppError("session-invalid", `${member} ${problem}`, { field: member });
}

const tooLarge = (message: string) => new AppError("session-too-large", message);
