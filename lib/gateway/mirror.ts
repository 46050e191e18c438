import type { GatewayEvent } from "../events/event.ts";

/** A gateway's events about its keys. */
const MIRRORED = new Set(["TokenCreated", "TokenUpdated", "TokenDeleted"]);

/**
 * Has gateway-sync check the row of a key when the gateway reports a change. The event only triggers a check, and its
 * content is not used: it may be late, and while its store is unavailable a gateway sends false events. It does not
 * create a row.
 */
export function createMirror(deps: {
  doubt: (key: string) => Promise<void>;
  isAsked: (key: string) => boolean;
}): (event: GatewayEvent) => Promise<void> {
  return async ({ Type, Meta: { Key } }) => {
    if (MIRRORED.has(Type) && typeof Key === "string" && deps.isAsked(Key)) await deps.doubt(Key);
  };
}
