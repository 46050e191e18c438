import type { GatewayEvent } from "../events/event.ts";

/** What a gateway says of its keys. */
const MIRRORED = new Set(["TokenCreated", "TokenUpdated", "TokenDeleted"]);

/**
 * Has gateway-sync look at the row of a key when the gateway says that it changed. An event is a reason to look, not
 * what is written: it may be late, and while its store is away a gateway sends false ones. A key without a row gets
 * none.
 */
export function createMirror(deps: {
  doubt: (key: string) => Promise<void>;
  isAsked: (key: string) => boolean;
}): (event: GatewayEvent) => Promise<void> {
  return async ({ Type, Meta: { Key } }) => {
    if (MIRRORED.has(Type) && typeof Key === "string" && deps.isAsked(Key)) await deps.doubt(Key);
  };
}
