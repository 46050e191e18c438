import {
  any,
  boolean,
  type Decoder,
  decodeValue,
  integer,
  list,
  map,
  raw,
  string,
  struct,
} from "../go/decode.ts";
import { isOwn, parseLogHandler, parseScriptOptions, parseWebhook } from "../webhooks/definition.ts";
import type { NamedHandler } from "../webhooks/own-handlers.ts";
import type { Handlers } from "./handler-ref.ts";
import { type HandlerRef, handlerRef } from "./handler-ref.ts";
import { inFile, memberOf, type Source } from "./invalid.ts";

const trigger = struct({ handler_name: string, handler_meta: map(raw) });
type Trigger = ReturnType<typeof trigger>;

/** `event_handlers` of a classic definition or of the gateway's own configuration. */
export const eventHandlers = struct({ events: map(list(trigger)) });

/** The members of a classic API definition that are read here. Others may have any value. */
export const classic = struct({
  api_id: string,
  org_id: string,
  name: string,
  config_data: map(any),
  config_data_disabled: boolean,
  session_lifetime: integer,
  session_lifetime_respects_key_expiration: boolean,
  event_handlers: eventHandlers,
});

/** `handler_name` of an entry that runs a script. */
export const SCRIPT_KIND = "eh_dynamic_handler";
/** `handler_name` of an entry that sends the event to an address. */
export const WEBHOOK_KIND = "eh_web_hook_handler";
const LOG_KIND = "eh_log_handler";
const PLUGIN_KIND = "cp_dynamic_handler";
/** Handler kinds of the gateway that this project runs no script for; they are left to the gateway. */
const OTHER_KINDS = new Set([WEBHOOK_KIND, LOG_KIND, PLUGIN_KIND]);

const switched = struct({ disabled: boolean });
const named = struct({ name: string, path: string, gatehook: raw });
const calledBy = struct({ name: string });
/** One handler, or a list of them. */
const brought: Decoder<ReturnType<typeof named>[]> = (value = null) => {
  if (Array.isArray(value)) return list(named)(value) ?? [];
  return value === null ? [] : [named(value)];
};
const webhook = struct({ disabled: boolean, gatehook: brought });

/** The handlers of each event type. */
export function classicHandlers(source: Source, { events }: ReturnType<typeof eventHandlers>): Handlers {
  return Object.entries(events ?? {}).map(([type, triggers]) => {
    const entries = (triggers ?? []).flatMap((entry, index) =>
      readTrigger(source, `event_handlers.events.${type}.${index}`, entry),
    );
    return { type, refs: onceEach(entries), own: entries.flatMap(({ own = [] }) => own) };
  });
}

interface Entry {
  refs: HandlerRef[];
  /** Whether the handler is listed in the webhook that sends the event here, rather than in a script entry. */
  byWebhook: boolean;
  own?: NamedHandler[];
}

function readTrigger(source: Source, at: string, { handler_name, handler_meta }: Trigger): Entry[] {
  const meta = handler_meta ?? {};
  const place = { source, at: `${at}.handler_meta` };
  if (handler_name === SCRIPT_KIND) {
    if (decodeMeta(source, at, meta, switched).disabled) return [];
    const { name, path, gatehook } = decodeMeta(source, at, meta, named);
    const ref = { ...refOf(source, place.at, name, path), ...parseScriptOptions(place, gatehook) };
    return [{ refs: [ref], byWebhook: false }];
  }
  if ((handler_name === WEBHOOK_KIND || handler_name === LOG_KIND) && isRunHere(source, meta)) {
    if (decodeMeta(source, at, meta, switched).disabled) return [];
    return [{ refs: [], byWebhook: false, own: [readOwn(source, at, handler_name, meta)] }];
  }
  if (handler_name === WEBHOOK_KIND && Object.hasOwn(meta, "gatehook") && meta.gatehook !== false) {
    const { disabled, gatehook } = decodeMeta(source, at, meta, webhook);
    if (disabled) return [];
    const placeOf = (index: number) =>
      Array.isArray(meta.gatehook) ? `${place.at}.gatehook[${index}]` : `${place.at}.gatehook`;
    const refs = gatehook.map(({ name, path, gatehook: options }, index) => ({
      ...refOf(source, placeOf(index), name, path),
      ...parseScriptOptions({ source, at: placeOf(index) }, options),
    }));
    return [{ refs, byWebhook: true }];
  }
  if (handler_name === PLUGIN_KIND && meta.disabled !== true)
    source.warn(
      `${memberOf(source, at)}.handler_name is "${PLUGIN_KIND}", a plugin of the gateway: it stays there, and gatehook ` +
        "does not run it",
    );
  if (!OTHER_KINDS.has(handler_name) && meta.disabled !== true)
    source.warn(
      `${memberOf(source, at)}.handler_name is "${handler_name}", which is not a kind of handler: this entry runs ` +
        `nothing, and ${SCRIPT_KIND} would run a script`,
    );
  return [];
}

/** A webhook that sends events to gatehook has a `gatehook` member, and always runs in the gateway. */
const isRunHere = ({ runsAll = false }: Source, { gatehook = null }: Record<string, unknown>) =>
  isOwn(gatehook) || (runsAll && gatehook === null);

/** Throws `definition-invalid` for an entry that gatehook cannot run. */
function readOwn(source: Source, at: string, kind: string, meta: Record<string, unknown>): NamedHandler {
  const place = { source, at: `${at}.handler_meta` };
  const { name } = decodeMeta(source, at, meta, calledBy);
  if (kind === WEBHOOK_KIND) return { kind: "webhook", name, ...parseWebhook(place, meta) };
  return { kind: "log", name, ...parseLogHandler(place, meta) };
}

const decodeMeta = <T>(
  source: Source,
  at: string,
  meta: Record<string, unknown>,
  decoder: Parameters<typeof decodeValue<T>>[1],
) => inFile(source.file, memberOf(source, `${at}.handler_meta`), () => decodeValue(meta, decoder));

const refOf = (source: Source, at: string, name: string, path: string) =>
  handlerRef({ source, at, members: { name: "name", path: "path" } }, name, path);

/** The gateway runs a handler twice if it is listed twice; but a handler that a webhook lists too is the same run. */
function onceEach(entries: Entry[]): HandlerRef[] {
  const keyOf = ({ name, path }: HandlerRef) => `${name} ${path}`;
  const seen = new Set(entries.flatMap(({ refs, byWebhook }) => (byWebhook ? [] : refs.map(keyOf))));
  return entries.flatMap(({ refs, byWebhook }) => {
    const others = byWebhook ? refs.filter((ref) => !seen.has(keyOf(ref))) : refs;
    for (const ref of others) seen.add(keyOf(ref));
    return others;
  });
}
