import { createHash } from "node:crypto";
import type { EventEnvelope, GatewayEvent } from "./event.ts";

/** What an event is known by. */
export interface EventKey {
  /** Two messages of one identity have one effect. */
  identity: string;
  /** The publisher's; unique within its API. */
  id: string;
}

/** An id is valid within its API, so publishers of different APIs need not coordinate. */
export function eventKey({ api_id, id }: Pick<EventEnvelope, "api_id" | "id">): EventKey {
  // The first # ends the API's part, whatever an id may hold.
  return { identity: `${api_id.replace(/[%#]/g, encodeURIComponent)}#${id}`, id };
}

/** Tells the content of two events apart. A short one: it is compared within one identity only. */
export function digestOf(event: GatewayEvent): string {
  return createHash("sha256").update(JSON.stringify(event)).digest("base64url").slice(0, 16);
}
