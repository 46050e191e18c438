import { GATEWAY_API } from "../apis/definition.ts";
import { OF_THE_GATEWAY } from "../apis/event-types.ts";
import { inFile } from "../apis/invalid.ts";
import { decodeJson, raw } from "../go/decode.ts";
import { objectOf } from "../json.ts";
import { attached, detached } from "./triggers.ts";
import { carriedBy, classicWebhook, type Entry, metaOf, runsScript, type Target } from "./webhook.ts";

/** The parts of a tyk.conf that gatehook uses. */
export interface TykConf {
  events: Record<string, Entry[]>;
  monitor: Record<string, unknown> | undefined;
  appPath: string | undefined;
  templatePath: string | undefined;
  coreScript: string | undefined;
}

/** The members of a tyk.conf for the gateway's own events. */
export interface ConfMembers {
  event_handlers?: { events: Record<string, Entry[]> };
  monitor?: Record<string, unknown>;
}

/** Throws `definition-invalid`, without any of its content. */
export function parseTykConf(file: string, text: string): TykConf {
  // The decoder words the messages for invalid JSON.
  inFile(file, "", () => decodeJson(text, raw));
  const conf = objectOf(JSON.parse(text));
  const textOf = (name: string) => (typeof conf[name] === "string" && conf[name] ? conf[name] : undefined);
  const events = Object.entries(objectOf(objectOf(conf.event_handlers).events));
  return {
    events: Object.fromEntries(
      events.map(([type, entries]) => [type, Array.isArray(entries) ? entries.map(objectOf) : []]),
    ),
    monitor: conf.monitor === undefined ? undefined : objectOf(conf.monitor),
    appPath: textOf("app_path"),
    templatePath: textOf("template_path"),
    coreScript: textOf("tyk_js_path"),
  };
}

/** Events of plugins must be added by hand, since no file lists their names. */
const OF_TOKENS = OF_THE_GATEWAY.filter((type) => type.startsWith("Token"));

/** The tyk.conf that sends the gateway's own events to gatehook; undefined if its monitor has another address. */
export function attachConf({ events, monitor }: TykConf, target: Target): ConfMembers {
  const change = attached(target, GATEWAY_API);
  const webhook = {
    handler_name: "eh_web_hook_handler",
    handler_meta: classicWebhook(target, GATEWAY_API, []),
  };
  const types = new Set([...Object.keys(events), ...OF_TOKENS]);
  const all = [...types].map((type) => {
    const entries = change(events[type] ?? [], type);
    return [type, OF_TOKENS.includes(type) && !entries.some(carriedBy) ? [...entries, webhook] : entries];
  });
  return {
    event_handlers: { events: Object.fromEntries(all) },
    ...(!monitorsElsewhere(monitor) && { monitor: attachedMonitor(monitor, webhook.handler_meta) }),
  };
}

/** A gateway has one address for its monitor. */
function monitorsElsewhere(monitor: TykConf["monitor"]): boolean {
  const configuration = objectOf(monitor?.configuration);
  return Boolean(configuration.target_path) && !("gatehook" in configuration);
}

const attachedMonitor = (monitor: TykConf["monitor"], configuration: object) => ({
  global_trigger_limit: 80,
  monitor_user_keys: true,
  monitor_org_keys: true,
  ...monitor,
  enable_trigger_monitors: true,
  configuration,
});

/** The members without the additions of `attachConf`. */
export function detachConf({ events, monitor }: TykConf): ConfMembers {
  const left = Object.entries(events).flatMap(([type, entries]) => {
    const old = detached(entries);
    return old.length > 0 ? [[type, old] as const] : [];
  });
  const { configuration, ...rest } = monitor ?? {};
  const isOwn = "gatehook" in objectOf(configuration);
  return {
    event_handlers: { events: Object.fromEntries(left) },
    ...(monitor && { monitor: isOwn ? { ...rest, enable_trigger_monitors: false } : monitor }),
  };
}

/** The scripts for the gateway's own events, which only gatehook runs: in the gateway they fail. */
export function gatewayFile({ events }: TykConf): string {
  const scripts = Object.entries(events).flatMap(([type, entries]) => {
    const found = detached(entries).filter(runsScript);
    return found.length > 0
      ? [[type, found.map((entry) => ({ ...entry, handler_meta: metaOf(entry) }))]]
      : [];
  });
  return `${JSON.stringify({ event_handlers: { events: Object.fromEntries(scripts) } }, undefined, 2)}\n`;
}
