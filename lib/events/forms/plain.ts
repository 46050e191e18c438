import { isObject, type JsonObject } from "../../json.ts";
import type { Reading } from "./form.ts";

/**
 * `{"id","api_id","org_id","event":{…}}`, or a bare `{"Type","Meta","TimeStamp"}`, possibly with the names as further
 * members.
 */
export function readPlain(object: JsonObject): Reading | undefined {
  const { id, api_id, org_id, ...rest } = object;
  const names = { form: "plain", id, api_id, org_id } as const;
  if (isObject(object.event)) return { ...names, event: object.event, place: (member) => `event.${member}` };
  const isBare = object.event === undefined && (object.Type !== undefined || object.Meta !== undefined);
  return isBare ? { ...names, event: rest, place: (member) => member } : undefined;
}

/** The same, if it cannot be mistaken for another format: then other members do not matter. */
export function readWhole(object: JsonObject): Reading | undefined {
  const isWhole = isObject(object.event) || (typeof object.Type === "string" && isObject(object.Meta));
  return isWhole ? readPlain(object) : undefined;
}
