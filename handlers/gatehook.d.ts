// What a handler script has, for an editor. In a jsconfig.json, with "checkJs": true: list this file, or, where the
// package is installed, "types": ["gatehook/handlers"] together with "module": "preserve".

/** What the gateway says happened. The older names are those of the gateway's public documentation. */
interface GatewayEvent<Meta = AnyMeta> {
  Type: EventType;
  Meta: Meta;
  /** `2026-08-21 12:39:47.123456789 +0000 UTC`; Date.parse does not read it. */
  TimeStamp: string;
  /** What the event's body left out although the gateway had it, such as `Meta.Key`; not there for a whole event. */
  Partial?: string[];
  EventType: EventType;
  EventMetaData: Meta;
}

type EventType =
  | "AuthFailure"
  | "KeyExpired"
  | "QuotaExceeded"
  | "RatelimitExceeded"
  | "RateLimitSmoothingUp"
  | "RateLimitSmoothingDown"
  | "OrgQuotaExceeded"
  | "OrgRateLimitExceeded"
  | "VersionFailure"
  | "BreakerTriggered"
  | "BreakerTripped"
  | "BreakerReset"
  | "HostDown"
  | "HostUp"
  | "CertificateExpiringSoon"
  | "CertificateExpired"
  | "UpstreamOAuthError"
  | "OAuth2ScopeCheckFailed"
  | "OAuth2ExchangeSucceeded"
  | "OAuth2ExchangeFailed"
  | "TriggerExceeded"
  | "TokenCreated"
  | "TokenUpdated"
  | "TokenDeleted";

interface BaseMeta {
  Message: string;
  /** Base64 of the request in wire form, body included, credentials as `[redacted]`; "" when there is none. */
  OriginatingRequest: string;
}
/** AuthFailure, KeyExpired, QuotaExceeded, the rate limits and the organisation limits. */
interface KeyMeta extends BaseMeta {
  Path: string;
  Origin: string;
  Key: string;
}
/** VersionFailure; `Key` is always "". */
interface VersionMeta extends KeyMeta {
  Reason: string;
}
/** BreakerTriggered, BreakerTripped (0) and BreakerReset (1). */
interface BreakerMeta extends BaseMeta {
  Path: string;
  APIID: string;
  CircuitEvent: number;
}
/** HostDown and HostUp. */
interface HostMeta extends BaseMeta {
  HostInfo: {
    CheckURL: string;
    Protocol: string;
    /** Nanoseconds. */
    Timeout: number;
    EnableProxyProtocol: boolean;
    Commands: { name: string; message: string }[] | null;
    Method: string;
    Headers: Record<string, string> | null;
    Body: string;
    MetaData: { api_id: string; host_name: string; target_url: string };
    ResponseCode: number;
    /** Milliseconds. */
    Latency: number;
    IsTCPError: boolean;
  };
}
interface CertificateMeta extends BaseMeta {
  cert_id: string;
  cert_name: string;
  api_id?: string;
  cert_role: "client" | "upstream";
}
interface CertificateExpiringMeta extends CertificateMeta {
  expires_at: string;
  days_remaining: number;
}
interface CertificateExpiredMeta extends CertificateMeta {
  expired_at: string;
  days_since_expiry: number;
}
interface UpstreamOAuthMeta extends BaseMeta {
  APIID: string;
}
interface TriggerMeta extends BaseMeta {
  org_id: string;
  key: string;
  trigger_limit: number;
  usage_percentage: number;
}
interface TokenMeta extends BaseMeta {
  Org: string;
  Key: string;
}
/** OAuth2ScopeCheckFailed; it has no Message. */
interface ScopeMeta {
  granted_scopes: string[] | null;
  method: string;
  oauth2_api_id: string;
  oauth2_subject_azp: string;
  oauth2_subject_jti: string;
  path: string;
  required_alternatives: string[][];
  required_scopes: string[];
}
/** OAuth2ExchangeSucceeded and OAuth2ExchangeFailed; they have no Message. */
interface ExchangeMeta {
  oauth2_api_id: string;
  oauth2_provider: string;
  oauth2_exchange_outcome: "ok" | "idp_error" | "no_matching_provider";
  oauth2_exchange_cache_hit: boolean;
  trace_id?: string;
  oauth2_subject_azp?: string;
  oauth2_exchanged_azp?: string;
  oauth2_audience?: string;
  oauth2_scopes_requested?: string[];
  oauth2_idp_error?: string;
  oauth2_idp_error_description?: string;
}
/** For a handler that takes more than one type: every member that some event has. */
type AnyMeta = Partial<
  VersionMeta &
    BreakerMeta &
    HostMeta &
    CertificateExpiringMeta &
    CertificateExpiredMeta &
    TriggerMeta &
    TokenMeta &
    ScopeMeta &
    ExchangeMeta
> & { Key: string };

/** The handler's second argument. */
interface HandlerContext {
  APIID: string;
  OrgID: string;
  /** The event's identity: the same at every delivery. */
  EventID: string;
  /** This handler's name. */
  Handler: string;
  /** 1 at the first delivery. */
  Attempt: number;
  /**
   * The events that this run stands for, where the definition says `coalesce`: how many, and when the first and the last
   * of them came, in ISO 8601.
   */
  Coalesced?: { Count: number; First: string; Last: string };
  /** The API definition's `config_data`, if it has one. */
  config_data?: Record<string, unknown>;
}

type HandlerFunction<Meta = AnyMeta> = (
  this: EventHandler,
  event: GatewayEvent<Meta>,
  context: HandlerContext,
) => unknown | Promise<unknown>;

interface EventHandler {
  NewHandler(handler: HandlerFunction<any>): void;
  Handle: HandlerFunction<any>;
  DoProcessEvent(event: GatewayEvent, context: HandlerContext): void;
}

declare const TykJS: {
  TykEventHandlers: {
    NewEventHandler: new (options?: object) => EventHandler;
    EventHandlerComponentMeta: new () => EventHandler;
  };
  TykMiddleware: {
    NewMiddleware: new (options?: object) => any;
    MiddlewareComponentMeta: new () => any;
  };
};

/** A line in the log, with the event's id, the handler and the release. */
declare function log(message: unknown): void;
/** As log, marked as raw. */
declare function rawlog(message: unknown): void;
declare const console: Record<"log" | "info" | "debug" | "warn" | "error", (...values: unknown[]) => void>;
/** Underscore 1.13. */
declare const _: any;

declare function b64enc(text: string): string;
/** Takes padded and unpadded input. */
declare function b64dec(encoded: string): string | undefined;
declare function rawb64enc(text: string): string;
/** Takes unpadded input only. */
declare function rawb64dec(encoded: string): string | undefined;

/** The session as JSON, or `{"status":"error","message":"Key not found"}`. */
declare function TykGetKeyData(key: string, apiId?: string): string;
/** Writes a session; with `1` as the third argument the key's quota is not started anew. */
declare function TykSetKeyData(key: string, sessionJson: string, suppressReset?: 1 | "1" | 0): void;
/**
 * Removes the session of a key, together with everything else that the handler writes; with a gateway, its key too.
 * Nothing happens for a key that is missing. An addition: a gateway's own scripts cannot do this.
 */
declare function TykDelKeyData(key: string, apiId: string): void;
/** Takes the JSON of an HttpRequest; gives the JSON of an HttpResponse, or undefined when it failed. */
declare function TykMakeHttpRequest(requestJson: string): string | undefined;
/** Takes the JSON of a BatchRequest; gives the JSON of a list of BatchUnit, in the order of the requests. */
declare function TykBatchRequest(requestJson: string): string | undefined;
declare function TykJsResponse(response: unknown, sessionMeta: unknown): string;

declare function TykStorageGet(key: string): string | null;
declare function TykStorageSet(key: string, value: string, ttlSeconds?: number): void;
/** True when this call made it. */
declare function TykStorageSetNX(key: string, value: string, ttlSeconds?: number): boolean;
declare function TykStorageDel(key: string): void;
/** Seconds; -1 without an end, -2 when absent. */
declare function TykStorageTTL(key: string): number;
/** The new value, as text. */
declare function TykStorageIncr(key: string, ttlSeconds?: number): string;

interface HttpRequest {
  Method?: string;
  /** Scheme and host, such as `https://billing.example`. */
  Domain: string;
  Resource?: string;
  Headers?: Record<string, string>;
  Body?: string;
  /** Sent as a form when Body is empty. */
  FormData?: Record<string, string>;
}
interface HttpResponse {
  Code: number;
  Body: string;
  Headers: Record<string, string[]>;
  code: number;
  body: string;
  headers: Record<string, string[]>;
}
interface BatchRequest {
  requests: { method?: string; headers?: Record<string, string>; body?: string; relative_url: string }[];
  suppress_parallel_execution?: boolean;
}
interface BatchUnit {
  relative_url: string;
  code: number;
  headers: Record<string, string[]> | null;
  body: string;
}
