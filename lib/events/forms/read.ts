import { outline } from "../../go/json.ts";
import { isObject, type JsonObject } from "../../json.ts";
import { inItem, invalidEvent } from "../invalid.ts";
import { readBusEvent, readNotification } from "./aws.ts";
import { readCloudEvent } from "./cloudevents.ts";
import { readDispatched } from "./dispatcher.ts";
import type { Nested, Reading } from "./form.ts";
import { readFormEncoded } from "./form-encoded.ts";
import { MEMBERS, otherLetters, writtenAs } from "./letters.ts";
import { readPlain, readWhole } from "./plain.ts";
import { readShipped, readShippedObject } from "./shipped.ts";
import { readBackquote, readMembers, readScript } from "./templates.ts";

/** Tried in this order: an unmistakable event, wrappers of an event, and the other formats. */
const TEXT_FORMS = [readScript, readFormEncoded, readShipped];
const OBJECT_FORMS = [
  readMembers,
  readWhole,
  readCloudEvent,
  readNotification,
  readBusEvent,
  readDispatched,
  readBackquote,
  readShippedObject,
  readPlain,
];

/** Deeper than any event of a gateway; a much deeper one would cause a stack overflow in recursive code. */
const MAX_DEPTH = 200;

/** An event of a bus that arrives through a topic is wrapped twice. */
const MAX_WRAPS = 4;

/** The maximum number of events of one array: the limit of one SQS call. */
const MAX_EVENTS = 10;

/** Reads a body of one event. Throws `event-invalid` with the place of the error. */
export function readBody(body: string): Reading {
  const found = recognise(body, "body", 0);
  if ("unknown" in found) throw noEvent(found.unknown);
  return found;
}

/** Reads a body of one event or of an array of them; `many` tells which. */
export function readBodies(body: string): { readings: Reading[]; many: boolean } {
  const text = body.trim();
  if (!text.startsWith("[")) return { readings: [readBody(body)], many: false };
  const items = parseJson(text, "body") as unknown[];
  if (items.length === 0) throw invalidEvent("body", "is an empty array");
  if (items.length > MAX_EVENTS)
    throw invalidEvent("body", `has ${items.length} events, but an array may have ${MAX_EVENTS}`);
  return { readings: items.map((item, index) => inItem(index, () => readItem(item))), many: true };
}

function readItem(item: unknown): Reading {
  if (!isObject(item)) throw invalidEvent("event", "must be a JSON object");
  const found = readObject(item, 0);
  if (!found) throw noEvent(item);
  return found;
}

/** Reads a body that may be only the event's `Meta`, if the other members are known from elsewhere. */
export const readData = (body: string) => recognise(body, "body", 0);

function recognise(body: string, name: string, wraps: number): Reading | { unknown: JsonObject } {
  const text = body.trim();
  if (text === "") throw invalidEvent(name, "is empty");
  const nested = nestedAt(wraps);
  for (const read of TEXT_FORMS) {
    const found = read(text, nested);
    if (found) return found;
  }
  const value = parseJson(text, name);
  if (Array.isArray(value)) throw invalidEvent(name, "is a list, but must be one event: send each by itself");
  if (!isObject(value)) throw invalidEvent(name, "must be a JSON object");
  return readObject(value, wraps) ?? { unknown: value };
}

function readObject(object: JsonObject, wraps: number): Reading | undefined {
  const nested = nestedAt(wraps);
  for (const read of OBJECT_FORMS) {
    const found = read(object, nested);
    if (found) return found;
  }
  return undefined;
}

function nestedAt(wraps: number): Nested {
  const deeper = () => {
    if (wraps === MAX_WRAPS) throw invalidEvent("body", `is wrapped more than ${MAX_WRAPS} times`);
    return wraps + 1;
  };
  return {
    text: (text, name) => recognise(text, name, deeper()),
    object: (value) => readObject(value, deeper()),
  };
}

function parseJson(text: string, name: string): unknown {
  if (outline(text).depth > MAX_DEPTH)
    throw invalidEvent(name, `is nested more than ${MAX_DEPTH} levels deep`);
  try {
    return JSON.parse(text);
  } catch (thrown) {
    throw invalidEvent(name, `is not JSON${placeOf(thrown as SyntaxError)}`);
  }
}

/** The position, if V8 reports it; the rest of its message quotes the text, which may contain a key. */
function placeOf({ message }: SyntaxError): string {
  const [, line, column] = / \(line (\d+) column (\d+)\)$/.exec(message) ?? [];
  return line ? ` at line ${line}, column ${column}` : "";
}

function noEvent(object: JsonObject): Error {
  if (object.event !== undefined) return invalidEvent("event", "must be a JSON object");
  for (const member of MEMBERS) {
    const problem = otherLetters(object, member);
    if (problem) return invalidEvent(member, problem);
  }
  return invalidEvent("event", `is missing${writtenAs(object, "event") ? " (in small letters)" : ""}`);
}
