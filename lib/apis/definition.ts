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

/** What of an API definition matters here. */
export interface Api {
  api_id: string;
  org_id: string;
  name: string;
  /** Per event type, the handlers in the order in which they run. */
  handlers: Record<string, HandlerRef[]>;
  /** Per event type, the webhooks and log handlers that gatehook runs too; missing if an API has none. */
  own?: Record<string, OwnHandler[]>;
  /** What the API's author gives its scripts. */
  config_data?: Record<string, unknown>;
  /** How long the sessions of its keys are kept, in seconds; for as long as they are valid when that is longer. */
  session_lifetime?: number;
  session_lifetime_respects_key_expiration?: boolean;
}

/** The types of events that something is done for here. */
export const handledTypes = ({ handlers, own = {} }: Pick<Api, "handlers" | "own">): string[] => [
  ...new Set([...Object.keys(handlers), ...Object.keys(own)]),
];

/** One definition of a file. */
export interface Definition {
  /** Undefined when it is wrong; `error` says why. */
  api: Api | undefined;
  error?: AppError;
  /** Its api_id, also of a wrong one; "" where it cannot be told. */
  apiId: string;
  /** What is odd about it. */
  warnings: string[];
  /** Where it stands in its file, and in which form. */
  path: (string | number)[];
  isOas: boolean;
}

/** How definitions are read. */
export interface Reading {
  /** All webhooks and log handlers run here, not only those that say so. */
  runsAll?: boolean | undefined;
}

/** The API that events of the gateway itself come from; its handlers stand in gateway.json. */
export const GATEWAY_API = "gateway";

// Read as the gateway reads them: names match whatever their case, what is unknown is passed over, a wrong type is
// an error. Only the names that tell the forms apart must be exact.
const oasDocument = struct({ [OAS_EXTENSION]: oas, [OWN_EXTENSION]: own });
const gateway = struct({ event_handlers: eventHandlers });
const members = map(raw);

/**
 * Reads a file of definitions in either form: one, a list of them, or what the dashboard exports, which has it in
 * `api_definition`. Throws `definition-invalid` when the file cannot be read at all.
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
 * Reads the gateway's own configuration, of which only `event_handlers` counts. Throws `definition-secret` when it
 * holds the gateway's secret too, and `definition-invalid` when it cannot be read at all.
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

/** The dashboard's list in `apis`, its items, and what is in each of them. */
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
    // A number that prints otherwise is an object to JavaScript.
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
    // Not by assignment: an event type may be called __proto__.
    if (list.length > 0) Object.defineProperty(members, type, { value: list, enumerable: true });
  }
  return members;
}
