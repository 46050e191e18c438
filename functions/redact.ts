import { createRedact, type Redact } from "../lib/events/redact.ts";
import { type Env, invalid, list } from "./settings.ts";

/** As the only entry of the list: nothing is removed. */
const NONE = "none";

const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]+$/;

/** What is taken out of events before they are stored. */
export function readRedact(env: Env): Redact {
  const names = list(env, "REDACT_HEADERS");
  if (names.length === 1 && names[0] === NONE) return (event) => event;
  const odd = names.find((name) => !HEADER_NAME.test(name));
  if (odd !== undefined) throw invalid("REDACT_HEADERS", `has "${odd}", which is not the name of a header`);
  return createRedact(names);
}
