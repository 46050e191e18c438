import type { JsonObject } from "../../json.ts";
import { type Flat, metaOfShipped, withPartial } from "./families.ts";
import type { Form, Reading } from "./form.ts";

// The gateway's shipped templates: default_webhook.json, breaker_webhook.json and monitor_template.json. They write
// each value between quotes with HTML escapes and without JSON escapes, so the text may not be JSON, or may be JSON
// with another meaning: in a key, \n is two characters. But a value never contains a quote, so the next quote is the
// end of the value.

const MEMBER = /\s*"([^"]*)"\s*:\s*(?:"([^"]*)"|(-?\d+(?:\.\d+)?|true|false|null)(?=[\s,}]))\s*(,|(?=\}))/y;
/** One template has a comma after the last member. */
const END = /\s*\}$/y;

/** Undefined for a text that was not written by one of these templates. */
export function readShipped(text: string): Reading | undefined {
  const members = membersOf(text);
  return members && fromMembers(members);
}

/** The same members in JSON of another writer. */
export function readShippedObject(object: JsonObject): Reading | undefined {
  return fromMembers(Object.entries(object));
}

function membersOf(text: string): Flat[] | undefined {
  if (!text.startsWith("{")) return undefined;
  const members: Flat[] = [];
  let at = 1;
  for (;;) {
    END.lastIndex = at;
    if (END.test(text)) return members;
    MEMBER.lastIndex = at;
    const match = MEMBER.exec(text);
    if (!match) return undefined;
    at = MEMBER.lastIndex;
    const [, name = "", quoted, literal = "null"] = match;
    members.push([name, quoted === undefined ? JSON.parse(literal) : unescaped(quoted)]);
  }
}

/** All characters that Go's html/template escapes in a text. */
const ESCAPES: Record<string, string> = {
  "&#34;": '"',
  "&#39;": "'",
  "&#43;": "+",
  "&lt;": "<",
  "&gt;": ">",
  "&amp;": "&",
};

const unescaped = (text: string) =>
  text.replace(/&(?:#34|#39|#43|lt|gt|amp);/g, (found) => ESCAPES[found] ?? found);

function fromMembers(members: Flat[]): Reading | undefined {
  const all = new Map(members);
  const { event: Type, message, id, timestamp, api_id } = Object.fromEntries(all);
  if (typeof Type !== "string" || typeof message !== "string") return undefined;
  const told = [...all].filter(([name]) => !BESIDE.has(name));
  const event = { Type, Meta: metaOfShipped(Type, told), TimeStamp: timestamp ?? "" };
  return {
    form: formOf(all),
    id,
    api_id: api_id || undefined,
    event: withPartial(event),
    place: (member) => PLACES[member],
  };
}

const BESIDE = new Set(["event", "id", "timestamp"]);
const PLACES = { Type: "event", Meta: "message", TimeStamp: "timestamp" };

function formOf(members: Map<string, unknown>): Form {
  if (members.has("url") || members.has("response_code")) return "host-check";
  if (members.has("trigger_limit")) return "monitor";
  if (members.has("api_id") && members.has("path")) return "breaker";
  return "default";
}
