import { isObject, type JsonObject } from "../../json.ts";
import { invalidEvent } from "../invalid.ts";
import { isGatewayType } from "./families.ts";
import { type Nested, type Reading, within } from "./form.ts";

// CloudEvents 1.0, where `data` is the event in any format, or otherwise its `Meta`. CONTRIBUTING.md explains why the
// CNCF's own package is not used. https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md

/** Structured mode: the attributes are the object's members. */
export function readCloudEvent(object: JsonObject, nested: Nested): Reading | undefined {
  const { specversion, data, data_base64, ...attributes } = object;
  if (specversion === undefined) return undefined;
  const place = (name: string) => name;
  checkAttributes({ specversion, ...attributes }, place);
  return fromData(attributes, dataOf(data, data_base64, nested), place);
}

/**
 * Throws event-invalid for attributes that are invalid in a CloudEvent; `place` returns the name of one for the error.
 */
export function checkAttributes(attributes: JsonObject, place: (name: string) => string): void {
  const { specversion } = attributes;
  if (specversion !== "1.0")
    throw invalidEvent(place("specversion"), 'must be "1.0", the version of CloudEvents that is taken');
  for (const name of ["id", "source", "type"]) {
    const value = attributes[name];
    if (value === undefined || value === "")
      throw invalidEvent(place(name), "is missing: each CloudEvent has one");
    if (typeof value !== "string") throw invalidEvent(place(name), "must be a string");
  }
}

/** The content of `data`: an event in another format, or an object that is not an event and becomes `Meta`. */
export type Data = Reading | { unknown: JsonObject };

/** `apiid` and `orgid` are extensions: attribute names cannot contain an underscore. */
export function fromData(attributes: JsonObject, data: Data, place: (name: string) => string): Reading {
  const { id, type, time, apiid, orgid } = attributes;
  const names = { form: "cloudevents", id, idPlace: place("id"), api_id: apiid, org_id: orgid } as const;
  if (!("unknown" in data)) return { ...within(data, { ...names, at: "data" }), id, idPlace: place("id") };
  const PLACES = { Type: place("type"), Meta: "data", TimeStamp: place("time") };
  const event = { Type: eventType(String(type)), Meta: data.unknown, TimeStamp: time ?? "" };
  return { ...names, event, place: (member) => PLACES[member] };
}

/** CloudEvents recommends a prefix, as in `com.example.gateway.KeyExpired`. */
export function eventType(type: string): string {
  const last = type.slice(type.lastIndexOf(".") + 1);
  return isGatewayType(last) ? last : type;
}

function dataOf(data: unknown, base64: unknown, nested: Nested): Data {
  if (typeof base64 === "string") return nested.text(Buffer.from(base64, "base64").toString(), "data_base64");
  if (data === undefined || data === null) return { unknown: {} };
  if (typeof data === "string") return nested.text(data, "data");
  if (!isObject(data)) throw invalidEvent("data", "must be a JSON object");
  return nested.object(data) ?? { unknown: data };
}
