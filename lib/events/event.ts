import { AppError } from "../errors.ts";
import { outline } from "../go/json.ts";

/** SQS takes messages of up to 1 MiB, attributes included. */
export const MESSAGE_BYTES = 1024 * 1024;

/** What the gateway says happened. `Meta`'s shape depends on `Type`; some events have members beyond these. */
export interface GatewayEvent {
  Type: string;
  Meta: Record<string, unknown>;
  TimeStamp: string;
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
  const value = parseBody(body);
  const bare = value.event === undefined && MEMBERS.some((name) => writtenAs(value, name) !== undefined);
  const { id, api_id, org_id, ...rest } = value;
  const event = bare ? rest : asEvent(value);
  const apiId = asName(api_id ?? around.apiId, "api_id");
  const orgId = withoutControl(asText(org_id ?? "", "org_id"), "org_id");
  return {
    id: asName(id ?? around.fallbackId, "id"),
    api_id: apiId,
    ...(orgId && { org_id: orgId }),
    event: parseGatewayEvent(event, bare ? "" : "event."),
  };
}

function parseGatewayEvent(event: JsonObject, prefix: string): GatewayEvent {
  for (const name of MEMBERS) {
    const written = writtenAs(event, name);
    // A handler would look for it in vain.
    if (written !== undefined && written !== name)
      throw invalid(`${prefix}${name}`, `is missing (with a capital ${capitalsOf(name)})`);
  }
  return {
    ...event,
    Type: asName(event.Type, `${prefix}Type`),
    Meta: asObject(event.Meta ?? {}, `${prefix}Meta`),
    TimeStamp: asText(event.TimeStamp ?? "", `${prefix}TimeStamp`),
  };
}

type JsonObject = Record<string, unknown>;

const MEMBERS = ["Type", "Meta", "TimeStamp"] as const;

/** The name of a member as it is, or else as it is in other letters; undefined where there is none. */
function writtenAs(object: JsonObject, name: string): string | undefined {
  if (object[name] !== undefined) return name;
  return Object.keys(object).find((written) => written.toLowerCase() === name.toLowerCase());
}

const capitalsOf = (name: string) => name.replaceAll(/[a-z]/g, "").split("").join(" and ");

function asEvent(body: JsonObject): JsonObject {
  if (body.event === undefined)
    throw invalid("event", `is missing${writtenAs(body, "event") ? " (in small letters)" : ""}`);
  return asObject(body.event, "event");
}

/** Deeper than any event of a gateway; far deeper would overflow the stack of whoever walks it. */
const MAX_DEPTH = 200;

function parseBody(body: string): JsonObject {
  if (body.trim() === "") throw invalid("body", "is empty");
  if (outline(body).depth > MAX_DEPTH) throw invalid("body", `is nested more than ${MAX_DEPTH} levels deep`);
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    // The parser's own message quotes the body, which may hold a key.
    throw invalid("body", "is not JSON");
  }
  if (Array.isArray(value)) throw invalid("body", "is a list, but must be one event: send each by itself");
  return asObject(value, "body");
}

function asObject(value: unknown, field: string): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw invalid(field, "must be a JSON object");
}

function asText(value: unknown, field: string): string {
  if (typeof value !== "string") throw invalid(field, "must be a string");
  // No table and no queue could tell one half of a surrogate pair from another.
  if (!value.isWellFormed()) throw invalid(field, "is not Unicode text");
  if (value.length > ID_CHARS) throw invalid(field, `must have at most ${ID_CHARS} characters`);
  return value;
}

function asName(value: unknown, field: string): string {
  if (value === undefined || value === "") throw invalid(field, "is missing");
  return withoutControl(asText(value, field), field);
}

function withoutControl(text: string, field: string): string {
  if (CONTROL.test(text)) throw invalid(field, "has a control character, such as a line break");
  return text;
}

function invalid(field: string, problem: string): AppError {
  return new AppError("event-invalid", `${field} ${problem}`, { field });
}
