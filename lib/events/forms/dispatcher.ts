import { isObject, type JsonObject } from "../../json.ts";
import { type Nested, type Reading, within } from "./form.ts";

/**
 * `{"message":{…},"handler_name","spec":{"APIID","OrgID"}}`: the format in which the gateway's `cp_dynamic_handler`
 * passes events to a plugin.
 */
export function readDispatched(object: JsonObject, nested: Nested): Reading | undefined {
  const { message, handler_name, spec } = object;
  if (handler_name === undefined || message === undefined) return undefined;
  const inner = eventIn(message, nested);
  const { APIID, OrgID } = isObject(spec) ? spec : {};
  return (
    inner && within(inner, { form: "dispatcher", at: "message", api_id: APIID || undefined, org_id: OrgID })
  );
}

function eventIn(message: unknown, nested: Nested): Reading | undefined {
  if (isObject(message)) return nested.object(message);
  if (typeof message !== "string") return undefined;
  const inner = nested.text(message, "message");
  return "unknown" in inner ? undefined : inner;
}
