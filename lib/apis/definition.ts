import { AppError } from "../errors.ts";
import { any, decodeJson, decodeValue, map, raw, string, struct } from "../go/decode.ts";
import type { JsonValue } from "../go/json.ts";
import { isObject } from "../json.ts";
import { type OwnHandler, withEntries } from "../webhooks/own-handlers.ts";
import { classic, classicHandlers, eventHandlers } from "./classic.ts";
import { secretMember } from "./gateway-config.ts";
import type { HandlerRef, Handlers } from "./handler-ref.ts";
import { inFile, invalidDefinition, type Source } from "./invalid.ts";
import { OAS_EXTENSION, OWN_EXTENSION, oas, oasHandlers, own } from "./oas.ts";

/** The parts of an API definition that gatehook uses. */
export interface Api {
  api_id: string;
  org_id: string;
  name: string;
  /** Per event type, the handlers in the order in which they run. */
  handlers: Record<string, HandlerRef[]>;
  /** Per event type, the webhooks and log handlers that gatehook runs too; missing if an API has none. */
  own?: Record<string, OwnHandler[]>;
  /** Values of the API's author for its scripts. */
  config_data?: Record<string, unknown>;
  /** The lifetime of its keys' sessions in seconds, or as long as they are valid if that is longer. */
  session_lifetime?: number;
  session_lifetime_respects_key_expiration?: boolean;
}

/** The event types for which gatehook runs something. */
export const handledTypes = ({ handlers, own = {} }: Pick<Api, "handlers" | "own">): string[] => [
  ...new Set([...Object.keys(handlers), ...Object.keys(own)]),
];

/** One definition of a file. */
export interface Definition {
  /** Undefined if it is invalid; `error` has the reason. */
  api: Api | undefined;
  error?: AppError;
  /** Its api_id, even if it is invalid; "" if unknown. */
  apiId: string;
  /** Its warnings. */
  warnings: string[];
  /** Its place in the file, and its format. */
  path: (string | number)[];
  isOas: boolean;
}

/** How definitions are read. */
export interface Reading {
  /** gatehook runs all webhooks and log handlers, not only those that are marked for it. */
  runsAll?: boolean | undefined;
}

/** The API id of the gateway's own events; their handlers are in gateway.json. */
export const GATEWAY_API = "gateway";

// Read as the gateway reads them: names are case-insensitive, unknown members are ignored, a wrong type is an error.
// Only the names that distinguish the formats must match exactly.
const oasDocument = struct({ [OAS_EXTENSION]: oas, [OWN_EXTENSION]: own });
const gateway = struct({ event_handlers: eventHandlers });
const members = map(raw);

/**
 * Reads a file of definitions in either format: one definition, a list of them, or an export of the dashboard, which
 * has it in `api_definition`. Throws `definition-invalid` when the file cannot be read at all.
 */
export function parseDefinitions(file: string, text: string, how: Reading = {}): Definition[] {
  const document = inFile(file, "", () => decodeJson(text, raw));
  const found = definitionsIn(document, [], MAX_NESTING);
  if (found.length === 0) throw inFileAlone(file, "is an empty list: there is no definition in it");
  return found.map((each) => readDefinition({ file, ...how }, each));
}

/**
 * The handlers of a document's own extension, which are used in addition to those of the classic file that the gateway
 * made from it, whose webhooks do not list them. Throws `definition-invalid`.
 */
export function parseCarried(file: string, text: string): Pick<Api, "handlers" | "own"> {
  const extension = inFile(file, "", () => decodeJson(text, struct({ [OWN_EXTENSION]: own })))[OWN_EXTENSION];
  return byType(oasHandlers({ file, at: "", warn: () => {} }, null, extension.eventHandlers));
}

/**
 * Reads the gateway's own configuration, of which only `event_handlers` is used. Throws `definition-secret` if it also
 * contains the gateway's secret, and `definition-invalid` if it cannot be read at all.
 */
export function parseGateway(file: string, text: string, how: Reading = {}): Definition {
  const config = inFile(file, "", () => decodeJson(text, map(any))) ?? {};
  const secret = secretMember(config);
  if (secret)
    throw new AppError(
      "definition-secret",
      `${file}: ${secret} is a secret of the gateway: this seems to be its whole configuration, and everybody who may ` +
        "read the bucket would read it. Leave only event_handlers in it; if it was uploaded, change the secret",
    );
  const place = { path: [], isOas: false };
  return reading({ file, ...how }, place, GATEWAY_API, (source) => {
    const { event_handlers } = inFile(file, "", () => decodeJson(text, gateway));
    const handlers = byType(classicHandlers(source, event_handlers));
    return { api_id: GATEWAY_API, org_id: "", name: "the gateway itself", ...handlers };
  });
}

const inFileAlone = (file: string, problem: string) =>
  new AppError("definition-invalid", `${file} ${problem}`, { field: "" });

type Place = Pick<Definition, "path" | "isOas">;

interface Found {
  value: JsonValue;
  path: Place["path"];
}

/** The dashboard's list in `apis`, its items, and the content of each item. */
const MAX_NESTING = 3;

function definitionsIn(value: JsonValue, path: Place["path"], nesting: number): Found[] {
  if (nesting === 0) return [{ value, path }];
  if (Array.isArray(value))
    return value.flatMap((item, index) => definitionsIn(item, [...path, index], nesting - 1));
  const own = membersOf(value);
  const inner = ["api_definition", "apis"].find((name) => Object.hasOwn(own, name) && isHolder(own[name]));
  if (inner === undefined || Object.hasOwn(own, "api_id")) return [{ value, path }];
  return definitionsIn(own[inner] ?? null, [...path, inner], nesting - 1);
}

const isHolder = (value: unknown) => typeof value === "object" && value !== null;

/** Empty for anything but an object. */
function membersOf(value: JsonValue): Record<string, JsonValue> {
  try {
    return (isObject(value) && decodeValue(value, members)) || {};
  } catch (thrown) {
    // A number that is printed differently is an object in JavaScript.
    if (thrown instanceof AppError) return {};
    throw thrown;
  }
}

type FileOf = Reading & Pick<Source, "file">;

function readDefinition(from: FileOf, { value, path }: Found): Definition {
  const isOas = Object.hasOwn(membersOf(value), OAS_EXTENSION);
  const read = isOas ? readOas : readClassic;
  return reading(from, { path, isOas }, apiIdOf(value, isOas), (source) => read(source, value));
}

function reading(
  { file, runsAll = false }: FileOf,
  place: Place,
  apiId: string,
  read: (source: Source) => Api,
): Definition {
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);
  try {
    const api = read({ file, runsAll, at: textOf(place.path), warn });
    return { api, apiId: api.api_id, warnings, ...place };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { api: undefined, error, apiId, warnings: [], ...place };
  }
}

/** Such as `apis[2].api_definition`. */
const textOf = (path: Place["path"]) =>
  path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${part}`))
    .join("")
    .replace(/^\./, "");

const classicId = struct({ api_id: string });
const oasId = struct({ [OAS_EXTENSION]: struct({ info: struct({ id: string }) }) });

function apiIdOf(value: JsonValue, isOas: boolean): string {
  try {
    return isOas ? decodeValue(value, oasId)[OAS_EXTENSION].info.id : decodeValue(value, classicId).api_id;
  } catch (thrown) {
    if (thrown instanceof AppError) return "";
    throw thrown;
  }
}

function readClassic(source: Source, value: JsonValue): Api {
  const { event_handlers, config_data, config_data_disabled, ...rest } = inFile(source.file, source.at, () =>
    decodeValue(value, classic),
  );
  const { session_lifetime, session_lifetime_respects_key_expiration, ...api } = rest;
  if (!api.api_id) throw invalidDefinition(source, "api_id", "is missing: events name their API by it");
  return {
    ...api,
    ...byType(classicHandlers(source, event_handlers)),
    ...(config_data && !config_data_disabled && { config_data }),
    ...(session_lifetime > 0 && { session_lifetime }),
    ...(session_lifetime_respects_key_expiration && { session_lifetime_respects_key_expiration }),
  };
}

function readOas(source: Source, value: JsonValue): Api {
  const document = inFile(source.file, source.at, () => decodeValue(value, oasDocument));
  const { info, server, middleware } = document[OAS_EXTENSION];
  if (!info.id)
    throw invalidDefinition(source, `${OAS_EXTENSION}.info.id`, "is missing: events name their API by it");
  const { data } = middleware.global.pluginConfig;
  const lifetime = server.authentication.customKeyLifetime;
  return {
    api_id: info.id,
    org_id: info.orgId,
    name: info.name,
    ...byType(oasHandlers(source, server.eventHandlers, document[OWN_EXTENSION].eventHandlers)),
    ...(data.enabled && data.value && { config_data: data.value }),
    ...(lifetime.enabled && lifetime.value > 0 && { session_lifetime: lifetime.value }),
    ...(lifetime.respectValidity && { session_lifetime_respects_key_expiration: true }),
  };
}

function byType(entries: Handlers): Pick<Api, "handlers" | "own"> {
  const named = entries.map(({ type, own }) => [type, withEntries(own)] as const);
  const own = filled(named);
  return {
    handlers: filled(entries.map(({ type, refs }) => [type, refs] as const)),
    ...(Object.keys(own).length > 0 && { own }),
  };
}

function filled<T>(lists: (readonly [type: string, list: T[]])[]): Record<string, T[]> {
  const members: Record<string, T[]> = {};
  for (const [type, list] of lists) {
    // Defined, not assigned, since an event type may be called __proto__.
    if (list.length > 0) Object.defineProperty(members, type, { value: list, enumerable: true });
  }
  return members;
}
