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
import { isOwn, parseLogHandler, parseWebhook } from "../webhooks/definition.ts";
import type { Handlers } from "./definition.ts";
import { type HandlerRef, handlerRef } from "./handler-ref.ts";
import { inFile, memberOf, type Source } from "./invalid.ts";

const trigger = struct({ handler_name: string, handler_meta: map(raw) });
type Trigger = ReturnType<typeof trigger>;

/** `event_handlers`, of a classic definition and of the gateway's own configuration. */
export const eventHandlers = struct({ events: map(list(trigger)) });

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

export const SCRIPT_KIND = "eh_dynamic_handler";
export const WEBHOOK_KIND = "eh_web_hook_handler";
const LOG_KIND = "eh_log_handler";
const PLUGIN_KIND = "cp_dynamic_handler";
/** Handler kinds of the gateway that this project runs no script for; they are left to the gateway. */
const OTHER_KINDS = new Set([WEBHOOK_KIND, LOG_KIND, PLUGIN_KIND]);

const switched = struct({ disabled: boolean });
const named = struct({ name: string, path: string });
/** One handler, or a list of them. */
const brought: Decoder<ReturnType<typeof named>[]> = (value = null) => {
  if (Array.isArray(value)) return list(named)(value) ?? [];
  return value === null ? [] : [named(value)];
};
const webhook = struct({ disabled: boolean, gatehook: brought });

/** Per event type, what its entries name. */
export function classicHandlers(source: Source, { events }: ReturnType<typeof eventHandlers>): Handlers {
  return Object.entries(events ?? {}).map(([type, triggers]) => [
    type,
    onceEach(
      (triggers ?? []).flatMap((entry, index) =>
        readTrigger(source, `event_handlers.events.${type}.${index}`, entry),
      ),
    ),
  ]);
}

interface Entry {
  refs: HandlerRef[];
  /** Named by the webhook that brings the event here, not by an entry that the gateway runs as a script. */
  byWebhook: boolean;
}

function readTrigger(source: Source, at: string, { handler_name, handler_meta }: Trigger): Entry[] {
  const meta = handler_meta ?? {};
  if (handler_name === SCRIPT_KIND) {
    if (decodeMeta(source, at, meta, switched).disabled) return [];
    const { name, path } = decodeMeta(source, at, meta, named);
    return [{ refs: [refOf(source, `${at}.handler_meta`, name, path)], byWebhook: false }];
  }
  if ((handler_name === WEBHOOK_KIND || handler_name === LOG_KIND) && isOwn(meta.gatehook)) {
    checkOwn(source, at, handler_name, meta);
    return [];
  }
  if (handler_name === WEBHOOK_KIND && Object.hasOwn(meta, "gatehook") && meta.gatehook !== false) {
    const { disabled, gatehook } = decodeMeta(source, at, meta, webhook);
    if (disabled) return [];
    const place = `${at}.handler_meta.gatehook`;
    const placeOf = (index: number) => (Array.isArray(meta.gatehook) ? `${place}[${index}]` : place);
    const refs = gatehook.map(({ name, path }, index) => refOf(source, placeOf(index), name, path));
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

/** Throws `definition-invalid` for one that could not be run here. */
function checkOwn(source: Source, at: string, kind: string, meta: Record<string, unknown>): void {
  if (decodeMeta(source, at, meta, switched).disabled) return;
  const place = { source, at: `${at}.handler_meta` };
  if (kind === WEBHOOK_KIND) parseWebhook(place, meta);
  else parseLogHandler(place, meta);
  source.warn(
    `${memberOf(source, place.at)}.gatehook is checked, but this version runs no ${kind}: leave the entry in the ` +
      "gateway's own definition",
  );
}

const decodeMeta = <T>(
  source: Source,
  at: string,
  meta: Record<string, unknown>,
  decoder: Parameters<typeof decodeValue<T>>[1],
) => inFile(source.file, memberOf(source, `${at}.handler_meta`), () => decodeValue(meta, decoder));

const refOf = (source: Source, at: string, name: string, path: string) =>
  handlerRef({ source, at, members: { name: "name", path: "path" } }, name, path);

/** The gateway runs what is named twice twice; but what a webhook names too is the same run, not another. */
function onceEach(entries: Entry[]): HandlerRef[] {
  const keyOf = ({ name, path }: HandlerRef) => `${name} ${path}`;
  const seen = new Set(entries.flatMap(({ refs, byWebhook }) => (byWebhook ? [] : refs.map(keyOf))));
  return entries.flatMap(({ refs, byWebhook }) => {
    const others = byWebhook ? refs.filter((ref) => !seen.has(keyOf(ref))) : refs;
    for (const ref of others) seen.add(keyOf(ref));
    return others;
  });
}
