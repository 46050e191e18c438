import { AppError } from "../errors.ts";
import { z } from "../schema.ts";

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
}

const trigger = z.object({
  handler_name: z.string(),
  handler_meta: z._default(z.nullable(z.record(z.string(), z.unknown())), {}),
});
const dynamicMeta = z.object({
  disabled: z._default(z.nullable(z.boolean()), false),
  name: z.string().check(z.minLength(1)),
  path: z.string().check(z.minLength(1)),
});
const classic = z.object({
  api_id: z.string().check(z.minLength(1)),
  org_id: z._default(z.string(), ""),
  name: z._default(z.string(), ""),
  event_handlers: z.optional(
    z.nullable(
      z.object({ events: z.optional(z.nullable(z.record(z.string(), z.nullable(z.array(trigger))))) }),
    ),
  ),
});

/** Handler kinds of the gateway that this project does not run; they are left to the gateway. */
const OTHER_KINDS = new Set(["eh_log_handler", "eh_web_hook_handler", "cp_dynamic_handler"]);

/** Reads a classic API definition. Throws `definition-invalid`, naming the file and the member at fault. */
export function parseDefinition(file: string, text: string): Api {
  const { api_id, org_id, name, event_handlers } = check(classic, parseJson(file, text), file, []);
  const handlers: Api["handlers"] = {};
  for (const [type, triggers] of Object.entries(event_handlers?.events ?? {})) {
    const refs = (triggers ?? []).flatMap((entry, index) =>
      readTrigger(file, ["event_handlers", "events", type, index], entry),
    );
    if (refs.length > 0) handlers[type] = refs;
  }
  return { api_id, org_id, name, handlers };
}

function readTrigger(file: string, path: PropertyKey[], entry: z.infer<typeof trigger>): HandlerRef[] {
  if (OTHER_KINDS.has(entry.handler_name)) return [];
  if (entry.handler_name !== "eh_dynamic_handler") {
    const at = [...path, "handler_name"].join(".");
    throw new AppError(
      "definition-invalid",
      `${file}: ${at} is "${entry.handler_name}"; eh_dynamic_handler runs a script`,
    );
  }
  const folded = lowerCaseNames(entry.handler_meta ?? {});
  if (folded.disabled === true) return [];
  const { name, path: script } = check(dynamicMeta, folded, file, [...path, "handler_meta"]);
  return [{ name, path: script.replace(/^\/+/, "") }];
}

/** The gateway matches the members of handler_meta whatever their case. */
function lowerCaseNames(meta: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(meta).map(([key, value]) => [key.toLowerCase(), value]));
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError("definition-invalid", `${file} is no JSON: ${(cause as Error).message}`, { cause });
  }
}

function check<T extends z.core.$ZodType>(
  schema: T,
  value: unknown,
  file: string,
  path: PropertyKey[],
): z.infer<T> {
  const parsed = z.safeParse(schema, value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const at = [...path, ...(issue?.path ?? [])].join(".") || "the definition";
  throw new AppError("definition-invalid", `${file}: ${at} is wrong: ${issue?.message}`);
}
