import { AppError } from "../errors.ts";
import { z } from "../schema.ts";

/** What the gateway says happened. `Meta`'s shape depends on `Type`; some events have members beyond these. */
export interface GatewayEvent {
  Type: string;
  Meta: Record<string, unknown>;
  TimeStamp: string;
}

/** One event on its way: the body of a message on the queue. */
export interface EventEnvelope {
  /** The event's identity, given by the publisher: two messages with one id have one effect. */
  id: string;
  api_id: string;
  org_id?: string;
  event: GatewayEvent;
}

/** Longer ids could not be a DynamoDB key together with our prefix, nor an Idempotency-Key. */
const ID_CHARS = 256;

const name = z.string().check(z.minLength(1), z.maxLength(ID_CHARS));
const gatewayEvent = z.looseObject({
  Type: name,
  Meta: z._default(z.nullable(z.record(z.string(), z.unknown())), {}),
  TimeStamp: z._default(z.string(), ""),
});
const envelope = z.object({
  id: z.optional(name),
  api_id: z.optional(name),
  org_id: z.optional(z.string().check(z.maxLength(ID_CHARS))),
  event: gatewayEvent,
});

/** What the transport knows beside the body: ingest's path, or a message's attributes and id. */
export interface Surroundings {
  apiId: string | undefined;
  /** Serves as the event's id when the publisher gave none. */
  fallbackId: string;
}

/**
 * Takes a body of either form, `{"id","api_id","org_id","event":{...}}` or a bare `{"Type","Meta","TimeStamp"}`.
 * Throws `event-invalid` with the field at fault.
 */
export function parseEvent(body: string, around: Surroundings): EventEnvelope {
  const value = parseObject(body);
  const bare = value.event === undefined && (value.Type !== undefined || value.Meta !== undefined);
  const parsed = z.safeParse(envelope, bare ? { event: value } : value);
  if (!parsed.success) throw invalidField(parsed.error.issues[0], bare ? 1 : 0);
  const { id = around.fallbackId, api_id = around.apiId, org_id, event } = parsed.data;
  if (!api_id) {
    throw new AppError("event-invalid", "api_id is missing: name the API whose handlers are to run", {
      field: "api_id",
    });
  }
  return { id, api_id, ...(org_id && { org_id }), event: { ...event, Meta: event.Meta ?? {} } };
}

function parseObject(body: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (cause) {
    throw new AppError("event-invalid", `the body is no JSON: ${(cause as Error).message}`, {
      cause,
      field: "body",
    });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new AppError("event-invalid", "the body must be one JSON object", { field: "body" });
  }
  return value as Record<string, unknown>;
}

function invalidField(issue: z.core.$ZodIssue | undefined, skip: number): AppError {
  const field = issue?.path.slice(skip).join(".") || "event";
  const want =
    field === "event"
      ? 'is missing: {"Type","Meta","TimeStamp"} belongs there'
      : `is wrong: ${issue?.message}`;
  return new AppError("event-invalid", `${field} ${want}`, { field });
}
