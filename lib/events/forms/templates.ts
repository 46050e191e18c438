import { isObject, type JsonObject } from "../../json.ts";
import { invalidEvent } from "../invalid.ts";
import { withPartial } from "./families.ts";
import type { Nested, Reading } from "./form.ts";
import { readPlain } from "./plain.ts";

// The formats of templates that send a whole event. The gateway's template language writes a value as JSON only inside
// a script element.

const [OPENING, CLOSING] = ["<script>", "</script>"];

/** `<script>{{.}}</script>` */
export function readScript(text: string, { text: read }: Nested): Reading | undefined {
  if (!text.startsWith(OPENING) || !text.endsWith(CLOSING) || text.length < OPENING.length + CLOSING.length)
    return undefined;
  const inner = read(text.slice(OPENING.length, -CLOSING.length), "body");
  if ("unknown" in inner) throw invalidEvent("Type", "is missing");
  return { ...inner, form: "script" };
}

/** The text around the event in the next two formats: it opens a script element for the template language. */
const isOpened = ({ _s, _e }: JsonObject) =>
  typeof _s === "string" && typeof _e === "string" && _s.startsWith(OPENING) && _e.endsWith(CLOSING);

/** ``{"_s":"<script>`","w":{"${\"":{{.}}},"_e":"`</script>"}`` */
export function readBackquote(object: JsonObject): Reading | undefined {
  const name = '${"';
  const whole = isOpened(object) && isObject(object.w) ? object.w[name] : undefined;
  if (!isObject(whole)) return undefined;
  return { form: "backquote", event: whole, place: (member) => `w.${member}` };
}

/** `{"_s":"<script>'","Type":"{{.Type}}",…,"_e":"'</script>"}` */
export function readMembers(object: JsonObject): Reading | undefined {
  if (!isOpened(object)) return undefined;
  const { _s, _e, ...members } = object;
  const plain = readPlain(members);
  return plain && { ...plain, form: "members", event: withPartial(plain.event) };
}
