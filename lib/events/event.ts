import { isObject } from "../json.ts";
import type { Reading } from "./forms/form.ts";
import { MEMBERS, otherLetters } from "./forms/letters.ts";
import { readBody } from "./forms/read.ts";
import { invalidEvent } from "./invalid.ts";

/** SQS accepts messages of up to 1 MiB, including attributes. */
export const MESSAGE_BYTES = 1024 * 1024;

/** An event of the gateway. The shape of `Meta` depends on `Type`; some events have more members. */
export interface GatewayEvent {
  Type: string;
  Meta: Record<string, unknown>;
  TimeStamp: string;
  /** Members of the gateway's event that the body's format omits, such as `Meta.Key`. */
  Partial?: string[];
}

/** An event in the queue: the body of its message. */
export interface EventEnvelope {
  /** Set by the publisher: two messages of one API with the same id take effect once. */
  id: string;
  api_id: string;
  org_id?: string;
  event: GatewayEvent;
}

/** A longer id with its prefix would be too long for a DynamoDB key, and for an Idempotency-Key. */
const ID_CHARS = 256;

/** Names are used in keys, headers and log lines, where a line break or an escape sequence would be dangerous. */
const CONTROL = /\p{Cc}/u;

/** Data from the transport, in addition to the body: ingest's path, or a message's attributes and id. */
export interface Surroundings {
  apiId: string | undefined;
  /** The event's id if the publisher set none. */
  fallbackId: string;
}

/** Parses a body of any format (docs/events.md). Throws `event-invalid` with the invalid field. */
export function parseEvent(body: string, around: Surroundings): EventEnvelope {
  return envelopeOf(readBody(body), around);
}

/** Checks a parsed event. Throws `event-invalid` with the invalid field. */
export function envelopeOf(reading: Reading, around: Surroundings): EventEnvelope {
  const apiId = asName(reading.api_id ?? around.apiId, "api_id");
  const orgId = withoutControl(asText(reading.org_id ?? "", "org_id"), "org_id");
  return {
    id: asName(reading.id ?? around.fallbackId, reading.idPlace ?? "id"),
    api_id: apiId,
    ...(orgId && { org_id: orgId }),
    event: gatewayEvent(reading),
  };
}

function gatewayEvent({ event, place }: Reading): GatewayEvent {
  const { Type, Meta, TimeStamp } = event;
  const meta = Meta ?? {};
  for (const member of MEMBERS) {
    const problem = otherLetters(event, member);
    if (problem) throw invalidEvent(place(member), problem);
  }
  if (!isObject(meta)) throw invalidEvent(place("Meta"), "must be a JSON object");
  return {
    ...event,
    Type: asName(Type, place("Type")),
    Meta: meta,
    TimeStamp: asText(TimeStamp ?? "", place("TimeStamp")),
  };
}

function asText(value: unknown, field: string): string {
  if (typeof value !== "string") throw invalidEvent(field, "must be a string");
  // Tables and queues cannot distinguish lone surrogates.
  if (!value.isWellFormed()) throw invalidEvent(field, "is not Unicode text");
  if (value.length > ID_CHARS) throw invalidEvent(field, `must have at most ${ID_CHARS} characters`);
  return value;
}

function asName(value: unknown, field: string): string {
  if (value === undefined || value === "") throw invalidEvent(field, "is missing");
  return withoutControl(asText(value, field), field);
}

function withoutControl(text: string, field: string): string {
  if (CONTROL.test(text)) throw invalidEvent(field, "has a control character, such as a line break");
  return text;
}
