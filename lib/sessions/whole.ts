// Sessions including the members of newer gateways. Handlers and the API do not see those; they are kept in the table.
import { AppError } from "../errors.ts";
import * as go from "../go/decode.ts";
import * as quick from "../go/quick.ts";
import { isObject, type JsonObject, valueIn } from "../json.ts";
import { checkText } from "./limits.ts";
import { normal, orInvalid, print, type Session } from "./session.ts";
import { type Kit, sessionShape } from "./shape.ts";

const wholeShape = (kit: Kit & Pick<typeof go, "open">) =>
  sessionShape({
    ...kit,
    lean: (fields) => kit.open(fields, kit.lean(fields)),
    struct: (fields) => kit.open(fields, kit.struct(fields)),
  });

/** A decoder that keeps unknown members. It may return the given value itself, so its result must not be changed. */
export const decodeWhole = quick.usually(wholeShape(quick), wholeShape(go));

/**
 * A session from another system, including unknown members; throws session-invalid, naming the member at fault, and
 * session-too-large.
 */
export function parseWhole(text: string): Session {
  checkText(text);
  return orInvalid(() => go.decodeJson(text, decodeWhole));
}

/** The same for a stored session, or one that is parsed already. */
export const wholeSession = (session: unknown): Session =>
  orInvalid(() => go.decodeValue(session, decodeWhole));

/** The text that `parseWhole` reads: the members of `formatSession`, then the others, each in a fixed order. */
export function formatWhole(session: Session): string {
  return print(wholeSession(session));
}

/** Adds the unknown members of `stored` to a session that was made from the others. */
export function keepUnknown(session: Session, stored: Session | undefined): Session {
  const before = stored && fitOrNothing(stored);
  return before ? (added(session, before.whole, before.known) as Session) : session;
}

/** Undefined for an item that is invalid after a manual edit. */
function fitOrNothing(stored: Session): { whole: JsonObject; known: JsonObject } | undefined {
  try {
    return { whole: wholeSession(stored), known: normal(stored) };
  } catch (thrown) {
    if (thrown instanceof AppError) return undefined;
    throw thrown;
  }
}

/** Members that are in `whole` and not in `known` are unknown. */
function added(made: JsonObject, whole: JsonObject, known: JsonObject): JsonObject {
  let kept = made;
  for (const [name, value] of Object.entries(whole)) {
    const member = valueIn(made, name);
    const isKnown = Object.hasOwn(known, name);
    if (!isKnown && member === undefined) kept = withMember(kept, name, value);
    if (!isObject(member) || !isObject(value)) continue;
    const inner = added(member, value, isKnown && isObject(known[name]) ? known[name] : {});
    if (inner !== member) kept = withMember(kept, name, inner);
  }
  return kept;
}

/** A computed member is defined, not assigned, since it may be called __proto__. */
const withMember = (members: JsonObject, name: string, value: unknown): JsonObject => ({
  ...members,
  [name]: value,
});
