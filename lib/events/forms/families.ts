import { isObject, type JsonObject, valueIn } from "../../json.ts";

// The members of each type of event of the gateway, and their names in the gateway's own templates.

type Kind = "text" | "number" | "flag" | "any";
interface Shape {
  [member: string]: Kind | Shape;
}

interface Family {
  /** The members that `Meta` always has. */
  meta: Shape;
  /** The places in `Meta` of the members of the gateway's shipped templates; other members keep their names. */
  shipped: Record<string, string>;
  /** Its `Meta` does not have the members that the shipped templates use, which are then written empty. */
  emptyMeansMissing?: true;
}

const BASE = { Message: "text", OriginatingRequest: "text" } as const;
const KEY = { ...BASE, Path: "text", Origin: "text", Key: "text" } as const;
const CERTIFICATE = { ...BASE, cert_id: "text", cert_name: "text", cert_role: "text" } as const;

const ofKeys: Family = { meta: KEY, shipped: { path: "Path", origin: "Origin", key: "Key" } };
const ofBreakers: Family = {
  meta: { ...BASE, Path: "text", APIID: "text", CircuitEvent: "number" },
  shipped: { path: "Path", api_id: "APIID", Status: "CircuitEvent" },
};
const ofHosts: Family = {
  meta: {
    ...BASE,
    HostInfo: {
      CheckURL: "text",
      Protocol: "text",
      Timeout: "number",
      EnableProxyProtocol: "flag",
      Commands: "any",
      Method: "text",
      Headers: "any",
      Body: "text",
      MetaData: { api_id: "text", host_name: "text", target_url: "text" },
      ResponseCode: "number",
      Latency: "number",
      IsTCPError: "flag",
    },
  },
  shipped: {
    url: "HostInfo.CheckURL",
    response_code: "HostInfo.ResponseCode",
    tcp_error: "HostInfo.IsTCPError",
    host: "HostInfo.MetaData.host_name",
    api_id: "HostInfo.MetaData.api_id",
  },
};
const ofTokens: Family = {
  meta: { ...BASE, Org: "text", Key: "text" },
  shipped: { org: "Org", key: "Key" },
};
const ofExchanges: Family = {
  meta: {
    oauth2_api_id: "text",
    oauth2_provider: "text",
    oauth2_exchange_outcome: "text",
    oauth2_exchange_cache_hit: "flag",
  },
  shipped: {},
  emptyMeansMissing: true,
};
/** Other events of plugins. */
const ofPlugins: Family = { meta: BASE, shipped: { path: "Path", origin: "Origin", key: "Key" } };

const FAMILIES = new Map<string, Family>([
  ["AuthFailure", ofKeys],
  ["KeyExpired", ofKeys],
  ["QuotaExceeded", ofKeys],
  ["RatelimitExceeded", ofKeys],
  ["RateLimitSmoothingUp", ofKeys],
  ["RateLimitSmoothingDown", ofKeys],
  ["OrgQuotaExceeded", ofKeys],
  ["OrgRateLimitExceeded", ofKeys],
  ["VersionFailure", { ...ofKeys, meta: { ...KEY, Reason: "text" } }],
  ["BreakerTriggered", ofBreakers],
  ["BreakerTripped", ofBreakers],
  ["BreakerReset", ofBreakers],
  ["HostDown", ofHosts],
  ["HostUp", ofHosts],
  [
    "CertificateExpiringSoon",
    { meta: { ...CERTIFICATE, expires_at: "text", days_remaining: "number" }, shipped: {} },
  ],
  [
    "CertificateExpired",
    { meta: { ...CERTIFICATE, expired_at: "text", days_since_expiry: "number" }, shipped: {} },
  ],
  ["UpstreamOAuthError", { meta: { ...BASE, APIID: "text" }, shipped: { api_id: "APIID" } }],
  [
    "TriggerExceeded",
    {
      meta: { ...BASE, org_id: "text", key: "text", trigger_limit: "number", usage_percentage: "number" },
      shipped: { org: "org_id" },
    },
  ],
  ["TokenCreated", ofTokens],
  ["TokenUpdated", ofTokens],
  ["TokenDeleted", ofTokens],
  [
    "OAuth2ScopeCheckFailed",
    {
      meta: {
        granted_scopes: "any",
        method: "text",
        oauth2_api_id: "text",
        oauth2_subject_azp: "text",
        oauth2_subject_jti: "text",
        path: "text",
        required_alternatives: "any",
        required_scopes: "any",
      },
      shipped: {},
      emptyMeansMissing: true,
    },
  ],
  ["OAuth2ExchangeSucceeded", ofExchanges],
  ["OAuth2ExchangeFailed", ofExchanges],
]);

/** Whether the gateway itself fires events of this type; plugins fire others. */
export const isGatewayType = (type: string) => FAMILIES.has(type);

const familyOf = (type: unknown) => FAMILIES.get(String(type)) ?? ofPlugins;

/** One member of a format that has only texts: its name and its value. */
export type Flat = [name: string, value: unknown];

/** Builds `Meta` from the members that one of the gateway's shipped templates writes. */
export function metaOfShipped(type: unknown, members: Flat[]): JsonObject {
  const { shipped, emptyMeansMissing } = familyOf(type);
  const there = emptyMeansMissing ? members.filter(([, value]) => value !== "") : members;
  const nameOf = (name: string) =>
    name === "message" ? "Message" : Object.hasOwn(shipped, name) ? (shipped[name] as string) : name;
  return metaOf(
    type,
    there.map(([name, value]) => [nameOf(name), value]),
  );
}

/** Builds `Meta` from members with its own names, with a dot for each level. */
export function metaOf(type: unknown, members: Flat[]): JsonObject {
  const { meta } = familyOf(type);
  // A Map, since a name may be __proto__.
  const made = new Map<string, unknown>();
  for (const [name, value] of members) {
    const kind = kindAt(meta, name);
    if (kind === undefined) made.set(name, value);
    else put(made, name.split("."), typed(value, kind));
  }
  return objectOf(made);
}

function kindAt(shape: Shape, path: string): Kind | undefined {
  let at: Kind | Shape | undefined = shape;
  for (const name of path.split(".")) at = typeof at === "object" ? valueIn(at, name) : undefined;
  return typeof at === "string" ? at : undefined;
}

type Made = Map<string, unknown>;

function put(made: Made, [name = "", ...rest]: string[], value: unknown): void {
  if (rest.length === 0) return void made.set(name, value);
  const inner = made.get(name);
  const level: Made = inner instanceof Map ? inner : new Map();
  made.set(name, level);
  put(level, rest, value);
}

const objectOf = (made: Made): JsonObject =>
  Object.fromEntries(
    Array.from(made, ([name, value]) => [name, value instanceof Map ? objectOf(value) : value]),
  );

/** A text converted to its type in the gateway's event, if possible. */
function typed(value: unknown, kind: Kind): unknown {
  if (typeof value !== "string") return value;
  if (kind === "number" && /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(value)) return Number(value);
  if (kind === "flag" && (value === "true" || value === "false")) return value === "true";
  return value;
}

/** The event with the names of the members that its format omits; unchanged if none is missing. */
export function withPartial(event: JsonObject): JsonObject {
  const { Type, Meta, TimeStamp } = event;
  const missing = [
    ...(TimeStamp === undefined || TimeStamp === "" ? ["TimeStamp"] : []),
    ...missingIn(isObject(Meta) ? Meta : {}, familyOf(Type).meta, "Meta"),
  ];
  return missing.length > 0 ? { ...event, Partial: missing } : event;
}

function missingIn(value: JsonObject, shape: Shape, place: string): string[] {
  return Object.entries(shape).flatMap(([name, inner]) => {
    const member = valueIn(value, name);
    if (member === undefined) return [`${place}.${name}`];
    return typeof inner === "object" && isObject(member) ? missingIn(member, inner, `${place}.${name}`) : [];
  });
}
