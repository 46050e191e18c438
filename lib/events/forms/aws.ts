import { isObject, type JsonObject } from "../../json.ts";
import { invalidEvent } from "../invalid.ts";
import { eventType } from "./cloudevents.ts";
import { type Nested, type Reading, within } from "./form.ts";

/**
 * The message of SNS to a queue that is subscribed without raw delivery. The topic's message id is the same at each
 * delivery. https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
 */
export function readNotification(object: JsonObject, nested: Nested): Reading | undefined {
  const { Type, TopicArn, MessageId, Message, MessageAttributes } = object;
  if (typeof TopicArn !== "string" || typeof Message !== "string") return undefined;
  if (Type !== "Notification")
    throw invalidEvent("Type", "must be Notification: of what SNS sends, only that holds an event");
  const inner = nested.text(Message, "Message");
  if ("unknown" in inner) throw invalidEvent("Message", "is not an event in any form");
  const attribute = (name: string) => {
    const given = isObject(MessageAttributes) ? MessageAttributes[name] : undefined;
    return isObject(given) ? given.Value : undefined;
  };
  return within(inner, {
    form: "sns",
    at: "Message",
    id: attribute("id") ?? MessageId,
    api_id: attribute("api_id"),
    org_id: attribute("org_id"),
  });
}

/**
 * The message of an EventBridge rule: `detail` is the event in any format, or otherwise its `Meta`.
 * https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
 */
export function readBusEvent(object: JsonObject, nested: Nested): Reading | undefined {
  const { "detail-type": type, detail, id, time } = object;
  if (typeof type !== "string" || !isObject(detail)) return undefined;
  const inner = nested.object(detail);
  if (inner) return within(inner, { form: "eventbridge", at: "detail", id });
  const PLACES = { Type: "detail-type", Meta: "detail", TimeStamp: "time" };
  const { api_id, org_id, ...Meta } = detail;
  const event = { Type: eventType(type), Meta, TimeStamp: time ?? "" };
  return { form: "eventbridge", id, api_id, org_id, event, place: (member) => PLACES[member] };
}
