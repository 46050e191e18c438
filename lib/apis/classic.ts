import { any, boolean, decodeValue, list, map, string, struct } from "../go/decode.ts";
import type { Handlers } from "./definition.ts";
import { type HandlerRef, handlerRef } from "./handler-ref.ts";
import { inFile, invalidDefinition } from "./invalid.ts";

const trigger = struct({ handler_name: string, handler_meta: map(any) });
type Trigger = ReturnType<typeof trigger>;

/** `event_handlers`, of a classic definition and of the gateway's own configuration. */
export const eventHandlers = struct({ events: map(list(trigger)) });

export const classic = struct({
  api_id: string,
  org_id: string,
  name: string,
  config_data: map(any),
  config_data_disabled: boolean,
  event_handlers: eventHandlers,
});

const dynamicMeta = struct({ disabled: boolean, id: string, name: string, path: string });

/** Handler kinds of the gateway that this project does not run; they are left to the gateway. */
const OTHER_KINDS = new Set(["eh_log_handler", "eh_web_hook_handler", "cp_dynamic_handler"]);

export function classicHandlers(file: string, { events }: ReturnType<typeof eventHandlers>): Handlers {
  return Object.entries(events ?? {}).map(([type, triggers]) => [
    type,
    (triggers ?? []).flatMap((entry, index) =>
      readTrigger(file, `event_handlers.events.${type}.${index}`, entry),
    ),
  ]);
}

function readTrigger(file: string, at: string, { handler_name, handler_meta }: Trigger): HandlerRef[] {
  if (OTHER_KINDS.has(handler_name)) return [];
  if (handler_name !== "eh_dynamic_handler")
    throw invalidDefinition(
      file,
      `${at}.handler_name`,
      `is "${handler_name}"; eh_dynamic_handler runs a script`,
    );
  const place = { file, at: `${at}.handler_meta`, members: { name: "name", path: "path" } };
  const meta = inFile(file, place.at, () => decodeValue(handler_meta ?? {}, dynamicMeta));
  return meta.disabled ? [] : [handlerRef(place, meta.name, meta.path)];
}
