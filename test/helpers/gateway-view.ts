// How a gateway reads the event handlers of a definition, according to observations of one: it knows four kinds,
// matches names case-insensitively, starts each enabled handler once per event, and ignores unknown members.

/** An entry of `event_handlers` in a file that a test made. */
export interface GatewayHandler {
  handler_name: string;
  handler_meta: Record<string, unknown>;
}

/** A handler that a gateway has registered. */
export interface ActiveHandler {
  api: string;
  type: string;
  kind: "script" | "webhook" | "log" | "coprocess";
  webhook?: Webhook;
}

interface Webhook {
  method: string;
  url: string;
  template: string;
  headers: Record<string, string>;
  seconds: number;
}

type Members = Record<string, unknown>;

const KINDS: Record<string, ActiveHandler["kind"]> = {
  eh_dynamic_handler: "script",
  eh_web_hook_handler: "webhook",
  eh_log_handler: "log",
  cp_dynamic_handler: "coprocess",
};

/** The handlers of all definitions in a file, including those exported by the dashboard. */
export function activeHandlers(text: string): ActiveHandler[] {
  return definitionsIn(JSON.parse(text)).flatMap((definition) => {
    const extension = definition["x-tyk-api-gateway"] as Members | undefined;
    return extension ? ofOas(extension) : ofClassic(definition);
  });
}

function definitionsIn(value: unknown): Members[] {
  if (Array.isArray(value)) return value.flatMap(definitionsIn);
  const { api_definition: inner } = value as Members;
  return inner ? definitionsIn(inner) : [value as Members];
}

function ofClassic(definition: Members): ActiveHandler[] {
  const { events } = definition.event_handlers as { events: Record<string, Members[]> };
  return Object.entries(events).flatMap(([type, entries]) =>
    entries.flatMap((entry) => registered(String(definition.api_id), type, lower(entry))),
  );
}

/** The gateway converts these to classic entries, with their known members only. */
function ofOas(extension: Members): ActiveHandler[] {
  const { info, server } = extension as { info: { id: string }; server: { eventHandlers: Members[] } };
  return server.eventHandlers.flatMap((entry) => {
    const names: Record<string, string> = {
      custom: "eh_dynamic_handler",
      webhook: "eh_web_hook_handler",
      log: "eh_log_handler",
    };
    const headers = (entry.headers ?? []) as { name: string; value: string }[];
    const handler_meta = {
      disabled: !entry.enabled,
      method: entry.method,
      target_path: entry.url,
      template_path: entry.bodyTemplate,
      header_map: Object.fromEntries(headers.map(({ name, value }) => [name, value])),
      event_timeout: Number(/^(\d+)s$/.exec(String(entry.cooldownPeriod))?.[1] ?? 0),
      prefix: entry.logPrefix,
    };
    return registered(info.id, String(entry.trigger), {
      handler_name: names[String(entry.type)] ?? "",
      handler_meta,
    });
  });
}

const lower = (members: Members): Members =>
  Object.fromEntries(Object.entries(members).map(([name, value]) => [name.toLowerCase(), value]));

function registered(api: string, type: string, { handler_name, handler_meta }: Members): ActiveHandler[] {
  const kind = KINDS[String(handler_name)];
  const meta = lower((handler_meta ?? {}) as Members);
  if (!kind || meta.disabled === true) return [];
  if (kind !== "webhook") return [{ api, type, kind }];
  const {
    method,
    target_path: url,
    template_path: template,
    header_map: headers,
    event_timeout: seconds,
  } = meta;
  // A wrong type of one of them is an error at load: the webhook would not be registered.
  const isFit =
    [method, url, template].every((each) => typeof each === "string") &&
    Number.isInteger(seconds) &&
    Object.values(headers as Members).every((each) => typeof each === "string");
  return isFit ? [{ api, type, kind, webhook: { method, url, template, headers, seconds } as Webhook }] : [];
}
