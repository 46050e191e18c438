import { any, boolean, list, map, string, struct } from "../go/decode.ts";
import type { Handlers } from "./definition.ts";
import { handlerRef } from "./handler-ref.ts";
import { invalidDefinition } from "./invalid.ts";

/** The gateway's own part of an OpenAPI document. */
export const OAS_EXTENSION = "x-tyk-api-gateway";

const handler = struct({
  enabled: boolean,
  trigger: string,
  type: string,
  functionName: string,
  path: string,
});
type Handler = ReturnType<typeof handler>;

export const oas = struct({
  info: struct({ id: string, orgId: string, name: string }),
  server: struct({ eventHandlers: list(handler) }),
  middleware: struct({
    global: struct({ pluginConfig: struct({ data: struct({ enabled: boolean, value: map(any) }) }) }),
  }),
});

/** Kinds that are left to the gateway. */
const OTHER_KINDS = new Set(["webhook", "log"]);

/** In the order in which they stand; those of one event type together, where the first of them stands. */
export function oasHandlers(file: string, handlers: Handler[] | null): Handlers {
  const byType = Map.groupBy(
    (handlers ?? []).map((entry, index) => ({ entry, index })),
    ({ entry }) => entry.trigger,
  );
  return [...byType].map(([type, entries]) => [
    type,
    entries.flatMap(({ entry, index }) => readHandler(file, index, entry)),
  ]);
}

function readHandler(file: string, index: number, { enabled, trigger, type, functionName, path }: Handler) {
  if (OTHER_KINDS.has(type)) return [];
  const at = `${OAS_EXTENSION}.server.eventHandlers[${index}]`;
  if (type !== "custom") throw invalidDefinition(file, `${at}.type`, `is "${type}"; custom runs a script`);
  if (!enabled) return [];
  if (!trigger) throw invalidDefinition(file, `${at}.trigger`, "is missing: it is the event's type");
  return [handlerRef({ file, at, members: { name: "functionName", path: "path" } }, functionName, path)];
}
