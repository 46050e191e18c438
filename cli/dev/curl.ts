import type { Stack } from "../../local/stack.ts";
import type { Handled } from "./sample-choice.ts";
import { eventsUrl, sampleOf } from "./sample-event.ts";

/** The command that sends an event of this type, for a shell. */
export function curlLine(stack: Stack, handled: Handled): string {
  const { Type, Meta } = sampleOf(handled);
  // The rest of a request's event would fill the screen.
  const { Message, Key } = Meta;
  const event = { event: { Type, Meta: Key === undefined ? Meta : { Message, Key } } };
  const url = eventsUrl(stack, handled.api.api_id);
  const token = stack.env.INGEST_AUTH === "token" ? ` -H "authorization: Bearer $INGEST_TOKEN"` : "";
  return `curl ${/^[\w:/.%-]+$/.test(url) ? url : quoted(url)}${token} -d ${quoted(JSON.stringify(event))}`;
}

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
