import { any, boolean, type Decoder, decodeValue, list, map, raw, string, struct } from "../go/decode.ts";
import { parseLogHandler, parseOasWebhook, parseScriptOptions } from "../webhooks/definition.ts";
import type { NamedHandler } from "../webhooks/own-handlers.ts";
import type { Handlers } from "./handler-ref.ts";
import { type HandlerRef, handlerRef } from "./handler-ref.ts";
import { inFile, invalidDefinition, memberOf, type Source } from "./invalid.ts";

/** The gateway's own part of an OpenAPI document. */
export const OAS_EXTENSION = "x-tyk-api-gateway";
/** gatehook's own extension: the gateway keeps a document's extensions, but not unknown members of an event handler. */
export const OWN_EXTENSION = "x-gatehook";
/** The types of a handler that runs a script, and of one that sends the event to an address. */
export const [CUSTOM_TYPE, WEBHOOK_TYPE] = ["custom", "webhook"] as const;
const LOG_TYPE = "log";

const SECONDS: Record<string, number> = {
  h: 3_600,
  m: 60,
  s: 1,
  ms: 1e-3,
  us: 1e-6,
  µs: 1e-6,
  μs: 1e-6,
  ns: 1e-9,
};
const DURATION = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:h|ms|m|s|us|µs|μs|ns))+$/;

/** The whole seconds of a text such as `1h30m`; 0 for a text that is not a duration, as in the gateway. */
const duration: Decoder<number> = (value) => {
  const text = string(value);
  if (!DURATION.test(text)) return 0;
  const parts = text.matchAll(/([\d.]+)(h|ms|m|s|us|µs|μs|ns)/g);
  const seconds = [...parts].reduce(
    (sum, [, number, unit = ""]) => sum + Number(number) * (SECONDS[unit] ?? 0),
    0,
  );
  return Math.floor(text.startsWith("-") ? -seconds : seconds);
};

const HANDLER = {
  enabled: boolean,
  trigger: string,
  type: string,
  functionName: string,
  path: string,
  gatehook: raw,
};
const handler = struct(HANDLER);
/** For a handler that the gateway runs, only these members are read; the others only if gatehook runs it too. */
const gatewaysHandler: Decoder<Handler> = (value) => ({ ...handler(value), whole: value });
type Handler = ReturnType<typeof handler> & { whole?: Parameters<typeof handler>[0] };

const ownHandler = struct({
  ...HANDLER,
  name: string,
  url: string,
  method: string,
  headers: list(struct({ name: string, value: string })),
  bodyTemplate: string,
  cooldownPeriod: duration,
  logPrefix: string,
});
type OwnHandler = ReturnType<typeof ownHandler>;

/** The members of `x-tyk-api-gateway` that are read here, with the gateway's own names. */
export const oas = struct({
  info: struct({ id: string, orgId: string, name: string }),
  server: struct({
    eventHandlers: list(gatewaysHandler),
    authentication: struct({
      customKeyLifetime: struct({ enabled: boolean, value: duration, respectValidity: boolean }),
    }),
  }),
  middleware: struct({
    global: struct({ pluginConfig: struct({ data: struct({ enabled: boolean, value: map(any) }) }) }),
  }),
});

/**
 * The handlers that gatehook runs instead of the gateway, in the gateway's format: scripts, webhooks and log handlers.
 */
export const own = struct({ eventHandlers: list(ownHandler) });

/** In the order of the document; those of one event type together, at the place of the first one. */
export function oasHandlers(
  source: Source,
  handlers: Handler[] | null,
  brought: OwnHandler[] | null,
): Handlers {
  const read = (holder: string, entries: (Handler | OwnHandler)[] | null) =>
    (entries ?? []).map((entry, index) => readHandler(source, `${holder}.eventHandlers[${index}]`, entry));
  const run = read(`${OAS_EXTENSION}.server`, handlers);
  // A handler that the gateway runs too is the same run.
  const keyOf = (type: string, { name, path }: HandlerRef) => `${type} ${name} ${path}`;
  const seen = new Set(run.flatMap(({ type, refs }) => refs.map((ref) => keyOf(type, ref))));
  const others = read(OWN_EXTENSION, brought).map(({ type, refs, own }) => ({
    type,
    own,
    refs: refs.filter((ref) => !seen.has(keyOf(type, ref))),
  }));
  const byType = Map.groupBy([...run, ...others], ({ type }) => type);
  return [...byType].map(([type, entries]) => ({
    type,
    refs: entries.flatMap(({ refs }) => refs),
    own: entries.flatMap(({ own }) => own),
  }));
}

function readHandler(source: Source, at: string, entry: Handler | OwnHandler): Handlers[number] {
  const { enabled, trigger, type, gatehook } = entry;
  const nothing = { type: trigger, refs: [], own: [] };
  const isOurs = at.startsWith(OWN_EXTENSION);
  const warn = (message: string) => source.warn(`${memberOf(source, at)}${message}`);
  if (!enabled) return nothing;
  if (gatehook !== null && !isOurs)
    warn(
      `.gatehook has no effect: the gateway keeps no such member here. Write the handler into ${OWN_EXTENSION}, ` +
        `beside ${OAS_EXTENSION}`,
    );
  if (type === WEBHOOK_TYPE || type === LOG_TYPE) {
    if (!isOurs && !source.runsAll) return nothing;
    if (!trigger) throw noTrigger(source, at);
    return { ...nothing, own: [readOwn(source, at, "url" in entry ? entry : wholeOf(source, at, entry))] };
  }
  if (type !== CUSTOM_TYPE) {
    warn(
      `.type is "${type}", which is not a kind of handler: this entry runs nothing, and custom would run a script`,
    );
    return nothing;
  }
  if (!trigger) throw noTrigger(source, at);
  const { functionName, path } = entry;
  const ref = handlerRef({ source, at, members: { name: "functionName", path: "path" } }, functionName, path);
  return { ...nothing, refs: [{ ...ref, ...(isOurs && parseScriptOptions({ source, at }, gatehook)) }] };
}

const wholeOf = (source: Source, at: string, { whole = null }: Handler): OwnHandler => ({
  ...inFile(source.file, memberOf(source, at), () => decodeValue(whole, ownHandler)),
  gatehook: null,
});

/** Throws `definition-invalid` for a webhook or a log handler that gatehook cannot run. */
function readOwn(source: Source, at: string, entry: OwnHandler): NamedHandler {
  const { type, name, logPrefix: prefix, gatehook } = entry;
  const place = { source, at };
  if (type === WEBHOOK_TYPE) return { kind: "webhook", name, ...parseOasWebhook(place, entry) };
  return { kind: "log", name, ...parseLogHandler(place, { prefix, gatehook }) };
}

const noTrigger = (source: Source, at: string) =>
  invalidDefinition(source, `${at}.trigger`, "is missing: it is the event's type");
