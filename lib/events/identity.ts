import { createHash } from "node:crypto";
import type { EventEnvelope, GatewayEvent } from "./event.ts";

/** The names of an event. */
export interface EventKey {
  /** Two messages with the same identity take effect once. */
  identity: string;
  /** The publisher's id, unique within its API. */
  id: string;
}

/** An id is valid within its API, so publishers of different APIs need not coordinate. */
export function eventKey({ api_id, id }: Pick<EventEnvelope, "api_id" | "id">): EventKey {
  // The first # ends the API's part, even if the id contains another.
  return { identity: `${api_id.replace(/[%#]/g, encodeURIComponent)}#${id}`, id };
}

/** Distinguishes the content of two events. It is short, since it is compared only within one identity. */
export function digestOf(event: GatewayEvent): string {
  return createHash("sha256").update(JSON.stringify(event)).digest("base64url").slice(0, 16);
}
