import { AppError } from "../errors.ts";
import { any, boolean, decodeJson, decodeValue, list, map, string, struct } from "../go/decode.ts";

/** A JavaScript handler as an API definition names it. */
export interface HandlerRef {
  /** The JavaScript object, an identifier path such as `quotaHandler`. */
  name: string;
  /** Its script, relative to handlers/. */
  path: string;
}

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

// Read as the gateway reads them: names match whatever their case, what is unknown is passed over, a wrong type is
// an error.
const trigger = struct({ handler_name: string, handler_meta: map(any) });
const classic = struct({
  api_id: string,
  org_id: string,
  name: string,
  config_data: map(any),
  event_handlers: struct({ events: map(list(trigger)) }),
});
const dynamicMeta = struct({ disabled: boolean, id: string, name: string, path: string });

type Trigger = ReturnType<typeof trigger>;

/** Handler kinds of the gateway that this project does not run; they are left to the gateway. */
const OTHER_KINDS = new Set(["eh_log_handler", "eh_web_hook_handler", "cp_dynamic_handler"]);

/** Reads a classic API definition. Throws `definition-invalid`, naming the file and the member at fault. */
export function parseDefinition(file: string, text: string): Api {
  const { event_handlers, config_data, ...api } = named(file, "", () => decodeJson(text, classic));
  if (!api.api_id) throw invalid(file, "api_id", "is missing: events name their API by it");
  const handlers: Api["handlers"] = {};
  for (const [type, triggers] of Object.entries(event_handlers.events ?? {})) {
    const refs = (triggers ?? []).flatMap((entry, index) =>
      readTrigger(file, `event_handlers.events.${type}.${index}`, entry),
    );
    // Not by assignment: an event type may be called __proto__.
    if (refs.length > 0) Object.defineProperty(handlers, type, { value: refs, enumerable: true });
  }
  return { ...api, handlers, ...(config_data && { config_data }) };
}

function readTrigger(file: string, at: string, { handler_name, handler_meta }: Trigger): HandlerRef[] {
  if (OTHER_KINDS.has(handler_name)) return [];
  if (handler_name !== "eh_dynamic_handler") {
    throw invalid(file, `${at}.handler_name`, `is "${handler_name}"; eh_dynamic_handler runs a script`);
  }
  const meta = named(file, `${at}.handler_meta`, () => decodeValue(handler_meta ?? {}, dynamicMeta));
  if (meta.disabled) return [];
  for (const member of ["name", "path"] as const) {
    if (!meta[member]) throw invalid(file, `${at}.handler_meta.${member}`, "is missing");
  }
  return [{ name: meta.name, path: meta.path.replace(/^\/+/, "") }];
}

/** Gives an error of the decoder the file and the member that was decoded. */
function named<T>(file: string, at: string, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    throw new AppError("definition-invalid", [`${file}:`, at, cause.message].filter(Boolean).join(" "), {
      cause,
    });
  }
}

function invalid(file: string, member: string, problem: string): AppError {
  return new AppError("definition-invalid", `${file}: ${member} ${problem}`, { field: member });
}
