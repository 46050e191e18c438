import { any, decodeJson, decodeValue, map, struct } from "../go/decode.ts";
import { classic, classicHandlers, eventHandlers } from "./classic.ts";
import type { HandlerRef } from "./handler-ref.ts";
import { inFile, invalidDefinition } from "./invalid.ts";
import { OAS_EXTENSION, oas, oasHandlers } from "./oas.ts";

export type { HandlerRef } from "./handler-ref.ts";

/** What of an API definition matters here. */
export interface Api {
  api_id: string;
  org_id: string;
  name: string;
  /** Per event type, the handlers in the order in which they run. */
  handlers: Record<string, HandlerRef[]>;
  /** What the API's author gives its scripts. */
  config_data?: Record<string, unknown>;
}

/** Per event type, as the definition has them. */
export type Handlers = [type: string, refs: HandlerRef[]][];

/** The API that events of the gateway itself come from; its handlers stand in gateway.json. */
export const GATEWAY_API = "gateway";

// Read as the gateway reads them: names match whatever their case, what is unknown is passed over, a wrong type is
// an error. Only the extension's own name must be exact: it tells the two forms apart.
const oasDocument = struct({ [OAS_EXTENSION]: oas });
const gateway = struct({ event_handlers: eventHandlers });
const members = map(any);

/** Reads a definition of either form. Throws `definition-invalid`, naming the file and the member at fault. */
export function parseDefinition(file: string, text: string): Api {
  // Most definitions are classic, and none of those has this text anywhere; a check of all members would cost more.
  if (text.includes(`"${OAS_EXTENSION}"`)) {
    const document = inFile(file, "", () => decodeJson(text, members));
    if (document && Object.hasOwn(document, OAS_EXTENSION)) return parseOas(file, document);
  }
  const { event_handlers, config_data, config_data_disabled, ...api } = inFile(file, "", () =>
    decodeJson(text, classic),
  );
  if (!api.api_id) throw invalidDefinition(file, "api_id", "is missing: events name their API by it");
  const handlers = byType(classicHandlers(file, event_handlers));
  return { ...api, handlers, ...(config_data && !config_data_disabled && { config_data }) };
}

/** Reads the gateway's own configuration, of which only `event_handlers` counts. */
export function parseGateway(file: string, text: string): Api {
  const { event_handlers } = inFile(file, "", () => decodeJson(text, gateway));
  const handlers = byType(classicHandlers(file, event_handlers));
  return { api_id: GATEWAY_API, org_id: "", name: "the gateway itself", handlers };
}

function parseOas(file: string, document: Record<string, unknown>): Api {
  const { info, server, middleware } = inFile(file, "", () => decodeValue(document, oasDocument))[
    OAS_EXTENSION
  ];
  if (!info.id)
    throw invalidDefinition(file, `${OAS_EXTENSION}.info.id`, "is missing: events name their API by it");
  const { enabled, value } = middleware.global.pluginConfig.data;
  return {
    api_id: info.id,
    org_id: info.orgId,
    name: info.name,
    handlers: byType(oasHandlers(file, server.eventHandlers)),
    ...(enabled && value && { config_data: value }),
  };
}

function byType(entries: Handlers): Api["handlers"] {
  const handlers: Api["handlers"] = {};
  for (const [type, refs] of entries) {
    // Not by assignment: an event type may be called __proto__.
    if (refs.length > 0) Object.defineProperty(handlers, type, { value: refs, enumerable: true });
  }
  return handlers;
}
