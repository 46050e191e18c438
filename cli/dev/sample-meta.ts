import { valueIn } from "../../lib/json.ts";
import { isStorableKey } from "../../lib/sessions/limits.ts";

/** The caller in the sample event. */
export interface Whom {
  apiId: string;
  orgId: string;
  /** The key of the caller's session. */
  key: string;
}

type Meta = Record<string, unknown>;
type Maker = (whom: Whom) => Meta;

const ORIGIN = "203.0.113.7";
const HOST = "upstream.example:8080";
const SOON_DAYS = 11;
const DAY_MS = 86_400_000;

const listenPath = ({ apiId }: Whom) => `/${encodeURIComponent(apiId)}/get`;

/** The request, as the gateway puts it into the event. */
function wire(whom: Whom): string {
  const lines = [
    `GET ${listenPath(whom)} HTTP/1.1`,
    "Host: gateway.example",
    "User-Agent: curl/8",
    `Authorization: ${whom.key}`,
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`).toString("base64");
}

const ofRequest =
  (Message: string, key: (whom: Whom) => string = (whom) => whom.key): Maker =>
  (whom) => ({
    Message,
    OriginatingRequest: wire(whom),
    Path: listenPath(whom),
    Origin: ORIGIN,
    Key: key(whom),
  });

const ofBreaker =
  (Message: string, CircuitEvent: number): Maker =>
  ({ apiId }) => ({
    Message,
    OriginatingRequest: "",
    Path: "/status/{code}",
    APIID: apiId,
    CircuitEvent,
  });

const ofHost =
  (Message: string, ResponseCode: number): Maker =>
  ({ apiId }) => ({
    Message,
    OriginatingRequest: "",
    HostInfo: {
      CheckURL: `http://${HOST}/health`,
      Protocol: "",
      Timeout: 3_000_000_000,
      EnableProxyProtocol: false,
      Commands: null,
      Method: "GET",
      Headers: null,
      Body: "",
      MetaData: { api_id: apiId, host_name: HOST, target_url: `http://${HOST}/health` },
      ResponseCode,
      Latency: 12.5,
      IsTCPError: false,
    },
  });

const ofToken =
  (Message: string): Maker =>
  ({ orgId, key }) => ({ Message, OriginatingRequest: "", Org: orgId, Key: key });

/** The gateway builds it from a map, so its members are sorted by name. */
const ofExchange =
  (oauth2_exchange_outcome: string, failure: Meta = {}): Maker =>
  ({ apiId }) => ({
    oauth2_api_id: apiId,
    oauth2_exchange_cache_hit: false,
    oauth2_exchange_outcome,
    ...failure,
    oauth2_provider: "sample",
  });

const inDays = (days: number) => new Date(Date.now() + days * DAY_MS).toISOString().replace(/\.\d+Z$/, "Z");

/** The `Meta` of each of the gateway's events. */
const META: Record<string, Maker> = {
  AuthFailure: ofRequest("Auth Failure"),
  KeyExpired: ofRequest("Attempted access from expired key."),
  QuotaExceeded: ofRequest("Key Quota Limit Exceeded"),
  RatelimitExceeded: ofRequest("Rate Limit Exceeded"),
  RateLimitSmoothingUp: ofRequest("Rate limit increased with smoothing"),
  RateLimitSmoothingDown: ofRequest("Rate limit decreased with smoothing"),
  OrgQuotaExceeded: ofRequest("Organisation quota has been exceeded", ({ orgId }) => orgId),
  OrgRateLimitExceeded: ofRequest("Organisation rate limit has been exceeded", ({ orgId }) => orgId),
  VersionFailure: (whom) => ({
    ...ofRequest("Attempted access to disallowed version / path.", () => "")(whom),
    Reason: "Requested endpoint is forbidden",
  }),
  BreakerTriggered: ofBreaker("Breaker Tripped", 0),
  BreakerTripped: ofBreaker("Breaker Tripped", 0),
  BreakerReset: ofBreaker("Breaker Reset", 1),
  HostDown: ofHost("Uptime test failed", 500),
  HostUp: ofHost("Uptime test succeeded", 200),
  CertificateExpiringSoon: ({ apiId, orgId }) => ({
    Message: `Certificate upstream.example is expiring in ${SOON_DAYS} days`,
    OriginatingRequest: "",
    cert_id: `${orgId}${"0123456789abcdef".repeat(4)}`,
    cert_name: "upstream.example",
    expires_at: inDays(SOON_DAYS),
    days_remaining: SOON_DAYS,
    api_id: apiId,
    cert_role: "upstream",
  }),
  CertificateExpired: ({ apiId, orgId }) => ({
    Message: "Certificate upstream.example is expired since 3 days",
    OriginatingRequest: "",
    cert_id: `${orgId}${"0123456789abcdef".repeat(4)}`,
    cert_name: "upstream.example",
    expired_at: inDays(-3),
    days_since_expiry: 3,
    api_id: apiId,
    cert_role: "upstream",
  }),
  UpstreamOAuthError: (whom) => ({
    Message: "the token endpoint answered 503",
    OriginatingRequest: wire(whom),
    APIID: whom.apiId,
  }),
  OAuth2ScopeCheckFailed: (whom) => ({
    granted_scopes: ["read"],
    method: "GET",
    oauth2_api_id: whom.apiId,
    oauth2_subject_azp: "sample-client",
    oauth2_subject_jti: "",
    path: listenPath(whom),
    required_alternatives: [["write"]],
    required_scopes: ["write"],
  }),
  OAuth2ExchangeSucceeded: ofExchange("ok"),
  OAuth2ExchangeFailed: ofExchange("idp_error", { oauth2_idp_error: "invalid_grant" }),
  TriggerExceeded: ({ orgId, key }) => ({
    Message: "Quota trigger reached",
    OriginatingRequest: "",
    org_id: orgId,
    key,
    trigger_limit: 80,
    usage_percentage: 85,
  }),
  TokenCreated: ofToken("Key generated."),
  TokenUpdated: ofToken("Key modified."),
  TokenDeleted: ofToken("Key deleted."),
};

/**
 * The `Meta` of an event of this type, member by member as the gateway sends it; for a plugin's own event, only its
 * message.
 */
export function sampleMeta(type: string, whom: Whom): Meta {
  const make = valueIn(META, type);
  return make?.(whom) ?? { Message: "a sample event", OriginatingRequest: "" };
}

/** The key of an event's session; undefined if it has none. */
export function keyOf({ Key, key }: Meta): string | undefined {
  const name = Key ?? key;
  return typeof name === "string" && isStorableKey(name) ? name : undefined;
}

/** The gateway's timestamps are in Go's format. */
export function gatewayTime(date: Date): string {
  return `${date.toISOString().replace("T", " ").replace("Z", "")} +0000 UTC`;
}
