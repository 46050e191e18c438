import { AppError } from "../../errors.ts";
import type { GatewayEvent } from "../../events/event.ts";
import { isObject, objectOf, valueIn } from "../../json.ts";
import { timeOf } from "./times.ts";
import { GoDuration, GoList, GoMap, GoStruct, GoTime, type Value } from "./value.ts";

// The gateway's own structs, since templates name the members of these, not those of the JSON: `.Meta.CertID`.

/** Makes a field's value of a JSON member; the zero value of a missing one. */
type Field = (member: unknown) => Value;
interface Fields {
  [name: string]: Field | [json: string, field: Field];
}

const text: Field = (member) => (typeof member === "string" ? member.toWellFormed() : orAny(member, ""));
const integer: Field = (member) =>
  typeof member === "number" && Number.isInteger(member) ? BigInt(member) : orAny(member, 0n);
const float: Field = (member) => orAny(member, 0);
const flag: Field = (member) => orAny(member, false);
const duration: Field = (member) => {
  const count = integer(member);
  return typeof count === "bigint" ? new GoDuration(count) : count;
};
const YEAR_ONE = new GoTime("0001-01-01", "00:00:00", "", "");
const time: Field = (member) =>
  typeof member === "string" ? (timeOf(member) ?? member) : orAny(member, YEAR_ONE);
const texts: Field = (member) => {
  const value = orAny(member, new GoMap(new Map(), "", true));
  return value instanceof GoMap ? new GoMap(value.members, "", value.isNil) : value;
};
const listOf =
  (item: Field): Field =>
  (member) =>
    Array.isArray(member) ? new GoList(member.map(item)) : orAny(member, new GoList([], true));

/** A member with another type than in the gateway is kept unchanged. */
const orAny = (member: unknown, zero: Value): Value =>
  member === undefined || member === null ? zero : anyOf(member, MAX_DEPTH);

function structOf(type: string, fields: Fields, embedded: readonly string[] = []): Field {
  return (member) => {
    const members = objectOf(member);
    const made = Object.entries(fields).map(([name, given]): [string, Value] => {
      const [json, field] = Array.isArray(given) ? given : [name, given];
      // The members of an embedded struct are members of the outer struct.
      return [name, field(embedded.includes(name) ? members : valueIn(members, json))];
    });
    return new GoStruct(type, new Map(made), embedded);
  };
}

const DEFAULT = "EventMetaDefault";
const base = structOf(DEFAULT, { Message: text, OriginatingRequest: text });
const metaOf = (type: string, fields: Fields) => structOf(type, { [DEFAULT]: base, ...fields }, [DEFAULT]);

const KEY = { Path: text, Origin: text, Key: text };
const certificate = (at: [string, string], days: [string, string]): Fields => ({
  CertID: ["cert_id", text],
  CertName: ["cert_name", text],
  [at[0]]: [at[1], time],
  [days[0]]: [days[1], integer],
  APIID: ["api_id", text],
  CertRole: ["cert_role", text],
});

const hostData = structOf("HostData", {
  CheckURL: text,
  Protocol: text,
  Timeout: duration,
  EnableProxyProtocol: flag,
  Commands: listOf(structOf("CheckCommand", { Name: ["name", text], Message: ["message", text] })),
  Method: text,
  Headers: texts,
  Body: text,
  MetaData: texts,
});
const report = { HostData: hostData, ResponseCode: integer, Latency: float, IsTCPError: flag };

const ofKey = metaOf("EventKeyFailureMeta", KEY);
const ofBreaker = metaOf("EventCurcuitBreakerMeta", { Path: text, APIID: text, CircuitEvent: integer });
const ofHost = metaOf("EventHostStatusMeta", {
  HostInfo: structOf("HostHealthReport", report, ["HostData"]),
});
const ofToken = metaOf("EventTokenMeta", { Org: text, Key: text });

/** Types that are maps in the gateway, not structs; some of their members are lists, even if the JSON has null. */
const LISTS: Record<string, Field> = {
  granted_scopes: listOf(text),
  required_scopes: listOf(text),
  required_alternatives: listOf(listOf(text)),
  oauth2_scopes_requested: listOf(text),
};
const ofMap: Field = (member) => {
  const members = Object.entries(objectOf(member));
  const made = members.map(([name, value]): [string, Value] => {
    const list = valueIn(LISTS, name);
    return [name.toWellFormed(), list ? list(value) : anyOf(value, MAX_DEPTH)];
  });
  return new GoMap(new Map(made));
};

const METAS = new Map<string, Field>([
  ...[
    "AuthFailure",
    "KeyExpired",
    "QuotaExceeded",
    "RatelimitExceeded",
    "RateLimitSmoothingUp",
    "RateLimitSmoothingDown",
    "OrgQuotaExceeded",
    "OrgRateLimitExceeded",
  ].map((type) => [type, ofKey] as const),
  ["VersionFailure", metaOf("EventVersionFailureMeta", { ...KEY, Reason: text })],
  ...["BreakerTriggered", "BreakerTripped", "BreakerReset"].map((type) => [type, ofBreaker] as const),
  ["HostDown", ofHost],
  ["HostUp", ofHost],
  [
    "CertificateExpiringSoon",
    metaOf(
      "EventCertificateExpiringSoonMeta",
      certificate(["ExpiresAt", "expires_at"], ["DaysRemaining", "days_remaining"]),
    ),
  ],
  [
    "CertificateExpired",
    metaOf(
      "EventCertificateExpiredMeta",
      certificate(["ExpiredAt", "expired_at"], ["DaysSinceExpiry", "days_since_expiry"]),
    ),
  ],
  ["UpstreamOAuthError", metaOf("EventUpstreamOAuthMeta", { APIID: text })],
  [
    "TriggerExceeded",
    metaOf("EventTriggerExceededMeta", {
      OrgID: ["org_id", text],
      Key: ["key", text],
      TriggerLimit: ["trigger_limit", integer],
      UsagePercentage: ["usage_percentage", integer],
    }),
  ],
  ...["TokenCreated", "TokenUpdated", "TokenDeleted"].map((type) => [type, ofToken] as const),
]);

/** The maximum nesting of JSON in an event. */
const MAX_DEPTH = 500;

/** As Go decodes JSON into an interface: every number is a float64. */
function anyOf(value: unknown, depth: number): Value {
  if (depth === 0)
    throw new AppError("template-failed", `the event's Meta is nested more than ${MAX_DEPTH} deep`);
  if (typeof value === "string") return value.toWellFormed();
  if (typeof value === "number" || typeof value === "boolean") return value;
  if (Array.isArray(value)) return new GoList(value.map((item) => anyOf(item, depth - 1)));
  if (!isObject(value)) return null;
  return new GoMap(
    new Map(Object.entries(value).map(([name, member]) => [name.toWellFormed(), anyOf(member, depth - 1)])),
  );
}

/**
 * The event as the gateway gives it to a template. For a type that is not the gateway's, `Meta` is a map, so a template
 * may use any member.
 */
export function templateValue({ Type, Meta, TimeStamp }: GatewayEvent): Value {
  const meta = METAS.get(Type) ?? ofMap;
  const fields = { Type: Type.toWellFormed(), Meta: meta(Meta), TimeStamp: TimeStamp.toWellFormed() };
  return new GoStruct("EventMessage", new Map<string, Value>(Object.entries(fields)));
}
