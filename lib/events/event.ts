import { isObject } from "../json.ts";
import type { Reading } from "./forms/form.ts";
import { MEMBERS, otherLetters } from "./forms/letters.ts";
import { readBody } from "./forms/read.ts";
import { invalidEvent } from "./invalid.ts";

/** SQS takes messages of up to 1 MiB, attributes included. */
export const MESSAGE_BYTES = 1024 * 1024;

/** What the gateway says happened. `Meta`'s shape depends on `Type`; some events have members beyond these. */
export interface GatewayEvent {
  Type: string;
  Meta: Record<string, unknown>;
  TimeStamp: string;
  /** Members that the gateway had but the body's form leaves out, such as `Meta.Key`. */
  Partial?: string[];
}

/** One event on its way: the body of a message on the queue. */
export interface EventEnvelope {
  /** Given by the publisher: two messages for one API with one id have one effect. */
  id: string;
  api_id: string;
  org_id?: string;
  event: GatewayEvent;
}

/** Longer ids could not be a DynamoDB key together with our prefix, nor an Idempotency-Key. */
const ID_CHARS = 256;

/** Names go into keys, headers and log lines, where a line end or an escape sequence would be more than a name. */
const CONTROL = /\p{Cc}/u;

/** Data from the transport, in addition to the body: ingest's path, or a message's attributes and id. */
export interface Surroundings {
  apiId: string | undefined;
  /** Serves as the event's id when the publisher gave none. */
  fallbackId: string;
}

/** Takes a body of any form (docs/events.md). Throws `event-invalid` with the field at fault. */
export function parseEvent(body: string, around: Surroundings): EventEnvelope {
  return envelopeOf(readBody(body), around);
}

/** Checks what was read. Throws `event-invalid` with the field at fault. */
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
