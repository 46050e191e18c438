import { any, boolean, type Decoder, list, map, raw, string, struct } from "../go/decode.ts";
import type { Handlers } from "./definition.ts";
import { type HandlerRef, handlerRef } from "./handler-ref.ts";
import { invalidDefinition, memberOf, type Source } from "./invalid.ts";

/** The gateway's own part of an OpenAPI document. */
export const OAS_EXTENSION = "x-tyk-api-gateway";

const handler = struct({
  enabled: boolean,
  trigger: string,
  type: string,
  functionName: string,
  path: string,
  gatehook: raw,
});
type Handler = ReturnType<typeof handler>;

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

/** Whole seconds of a text such as `1h30m`; 0 for one that is no duration, as the gateway has it. */
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

export const oas = struct({
  info: struct({ id: string, orgId: string, name: string }),
  server: struct({
    eventHandlers: list(handler),
    authentication: struct({
      customKeyLifetime: struct({ enabled: boolean, value: duration, respectValidity: boolean }),
    }),
  }),
  middleware: struct({
    global: struct({ pluginConfig: struct({ data: struct({ enabled: boolean, value: map(any) }) }) }),
  }),
});

/** In the order in which they stand; those of one event type together, where the first of them stands. */
export function oasHandlers(source: Source, handlers: Handler[] | null): Handlers {
  const byType = Map.groupBy(
    (handlers ?? []).map((entry, index) => ({ entry, index })),
    ({ entry }) => entry.trigger,
  );
  return [...byType].map(([type, entries]) => [
    type,
    entries.flatMap(({ entry, index }) => readHandler(source, index, entry)),
  ]);
}

function readHandler(source: Source, index: number, entry: Handler): HandlerRef[] {
  const { enabled, trigger, type, functionName, path, gatehook } = entry;
  const at = `${OAS_EXTENSION}.server.eventHandlers[${index}]`;
  const warn = (message: string) => source.warn(`${memberOf(source, at)}${message}`);
  if (!enabled) return [];
  if (type === "webhook" && gatehook !== null)
    warn(
      ".gatehook has no effect: the gateway keeps no members of its own in an OpenAPI document. Write it into " +
        "handler_meta of the classic definition",
    );
  if (type !== "custom") {
    // These two are left to the gateway.
    if (type !== "webhook" && type !== "log")
      warn(
        `.type is "${type}", which is not a kind of handler: this entry runs nothing, and custom would run a script`,
      );
    return [];
  }
  if (!trigger) throw invalidDefinition(source, `${at}.trigger`, "is missing: it is the event's type");
  return [handlerRef({ source, at, members: { name: "functionName", path: "path" } }, functionName, path)];
}
