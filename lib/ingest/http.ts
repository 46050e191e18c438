import { AppError } from "../errors.ts";
import { checkAttributes, fromData } from "../events/forms/cloudevents.ts";
import type { Reading } from "../events/forms/form.ts";
import { readBodies, readData } from "../events/forms/read.ts";
import { invalidEvent } from "../events/invalid.ts";
import type { JsonObject } from "../json.ts";

/** The parts of an HTTP request that can contain an event. */
export interface HttpRequest {
  method: string;
  /** As requested. */
  path: string;
  /** From the path `/events/{api_id}`; undefined for any other. */
  apiId: string | undefined;
  /** Their names in lower case. */
  headers: Record<string, string | undefined>;
  body: string;
}

const METHODS = ["POST", "PUT", "PATCH"];

/** The API of a request with an event. Throws `path-unknown` and `method-invalid`, with the fix. */
export function apiOf({ method, path, apiId }: Omit<HttpRequest, "body">): string {
  if (apiId === undefined) throw new AppError("path-unknown", `there is nothing here: ${rightPath(path)}`);
  if (METHODS.includes(method)) return apiId;
  const message =
    'send the event by POST, PUT or PATCH. Of a gateway\'s webhook, "method" must be "POST": without it, it is GET';
  throw new AppError("method-invalid", message);
}

function rightPath(path: string): string {
  const [, apiId] = /^\/events\/([^/]{1,256})\/+$/.exec(path) ?? [];
  if (apiId !== undefined) return `send the event to /events/${apiId}, without a slash at the end`;
  if (/^\/events\/*$/.test(path)) return "the path must name the API: POST /events/{api_id}";
  return "events go to POST /events/{api_id}";
}

/** The events of a request. Throws `event-invalid` with the place at fault. */
export function readRequest({ headers, body }: HttpRequest): { readings: Reading[]; many: boolean } {
  const type = (headers["content-type"] ?? "").toLowerCase();
  const isStructured = type.startsWith("application/cloudevents");
  if (headers["ce-specversion"] !== undefined && !isStructured)
    return { readings: [withId(readBinary(headers, body), headers)], many: false };
  if (isStructured && !body.includes('"specversion"'))
    throw invalidEvent("specversion", "is missing: the content type says that this is a CloudEvent");
  const { readings, many } = readBodies(body);
  return {
    readings: many ? withOwnIds(readings, headers) : readings.map((each) => withId(each, headers)),
    many,
  };
}

/**
 * CloudEvents in binary mode: the attributes are headers, and the body is the data.
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
 */
function readBinary(headers: HttpRequest["headers"], body: string): Reading {
  const attributes: JsonObject = {};
  for (const [name, value] of Object.entries(headers))
    if (name.startsWith("ce-") && value !== undefined) attributes[name.slice(3)] = decoded(name, value);
  const place = (name: string) => `ce-${name}`;
  checkAttributes(attributes, place);
  return fromData(attributes, body.trim() === "" ? { unknown: {} } : readData(body), place);
}

/** The value of an attribute: quotes and percent signs are its encoding. */
function decoded(name: string, value: string): string {
  try {
    return decodeURIComponent(unquoted(value));
  } catch {
    throw invalidEvent(name, "is not percent-encoded UTF-8");
  }
}

function unquoted(value: string): string {
  const [, quoted] = /^"((?:[^"\\]|\\.)*)"$/.exec(value.trim()) ?? [];
  return quoted === undefined ? value.trim() : quoted.replace(/\\(.)/g, "$1");
}

/** The headers that identify an event, which take precedence over its body. */
const ID_HEADERS = { "idempotency-key": "Idempotency-Key", "webhook-id": "webhook-id" };

function idHeader(headers: HttpRequest["headers"]): { id: string; idPlace: string } | undefined {
  for (const [name, idPlace] of Object.entries(ID_HEADERS)) {
    const value = headers[name];
    if (value !== undefined) return { id: unquoted(value), idPlace };
  }
  return undefined;
}

function withId(reading: Reading, headers: HttpRequest["headers"]): Reading {
  const known = idHeader(headers);
  if (known) return { ...reading, ...known };
  const ceId = headers["ce-id"];
  if (ceId === undefined || reading.form === "cloudevents") return reading;
  return { ...reading, id: decoded("ce-id", ceId), idPlace: "ce-id" };
}

/** One id for several events would make all but one of them duplicates, if only some are sent again. */
function withOwnIds(readings: Reading[], headers: HttpRequest["headers"]): Reading[] {
  const known = idHeader(headers);
  if (known && readings.some(({ id }) => id === undefined))
    throw invalidEvent(known.idPlace, "names one event: in an array, give each event an id of its own");
  return readings;
}
