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

/** The types of event that a gateway sends. */
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

/** What nearly every event has. */
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
/** What both certificate events have. */
interface CertificateMeta extends BaseMeta {
  cert_id: string;
  cert_name: string;
  api_id?: string;
  cert_role: "client" | "upstream";
}
/** CertificateExpiringSoon. */
interface CertificateExpiringMeta extends CertificateMeta {
  expires_at: string;
  days_remaining: number;
}
/** CertificateExpired. */
interface CertificateExpiredMeta extends CertificateMeta {
  expired_at: string;
  days_since_expiry: number;
}
/** UpstreamOAuthError. */
interface UpstreamOAuthMeta extends BaseMeta {
  APIID: string;
}
/** TriggerExceeded, of the gateway's monitor. */
interface TriggerMeta extends BaseMeta {
  org_id: string;
  key: string;
  trigger_limit: number;
  usage_percentage: number;
}
/** TokenCreated, TokenUpdated and TokenDeleted. */
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
   * The events that this run stands for, where the definition says `coalesce`: how many, and when the first and the
   * last of them came, in ISO 8601.
   */
  Coalesced?: { Count: number; First: string; Last: string };
  /** The API definition's `config_data`, if it has one. */
  config_data?: Record<string, unknown>;
}

/**
 * What runs for an event. The result is ignored, unless it is a promise: then the run ends when the promise settles. A
 * handler that throws or rejects has failed: its session writes are discarded, and the event is retried.
 */
type HandlerFunction<Meta = AnyMeta> = (
  this: EventHandler,
  event: GatewayEvent<Meta>,
  context: HandlerContext,
) => unknown | Promise<unknown>;

/**
 * The object that an API definition names as its handler: a global variable of the script, or a member of one.
 *
 * @example
 * var quotaHandler = new TykJS.TykEventHandlers.NewEventHandler({});
 *
 * quotaHandler.NewHandler(function (event, context) {
 *   log(event.Type + " for " + event.Meta.Key);
 * });
 */
interface EventHandler {
  NewHandler(handler: HandlerFunction<any>): void;
  Handle: HandlerFunction<any>;
  DoProcessEvent(event: GatewayEvent, context: HandlerContext): void;
}

/** The gateway's own objects. Middleware can be loaded here, but nothing calls it. */
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
/** Each call is one log line of that level; `console.log` is `info`. */
declare const console: Record<"log" | "info" | "debug" | "warn" | "error", (...values: unknown[]) => void>;
/** Underscore 1.13. */
declare const _: any;

/** Base64 of the text's UTF-8 bytes, with padding. */
declare function b64enc(text: string): string;
/** Takes padded and unpadded input. */
declare function b64dec(encoded: string): string | undefined;
/** Base64 of the text's UTF-8 bytes, without padding. */
declare function rawb64enc(text: string): string;
/** Takes unpadded input only. */
declare function rawb64dec(encoded: string): string | undefined;

/** The session as JSON, or `{"status":"error","message":"Key not found"}`. */
declare function TykGetKeyData(key: string, apiId?: string): string;
/** Writes a session; with `1` as the third argument the key's quota is not reset. */
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
/** The JSON `{"Response":…,"SessionMeta":…}`; for middleware, which nothing calls here. */
declare function TykJsResponse(response: unknown, sessionMeta: unknown): string;

// The functions of the storage throw on an error. What they write is there immediately, for every run, also when the
// handler fails later. A key has 1 to 256 bytes.

/** The text, or null when there is none. */
declare function TykStorageGet(key: string): string | null;
/** `value`: at most 65,536 bytes. Without `ttlSeconds`, or with 0 or less, it has no end. */
declare function TykStorageSet(key: string, value: string, ttlSeconds?: number): void;
/** Writes only where nothing is stored: true when this call did. */
declare function TykStorageSetNX(key: string, value: string, ttlSeconds?: number): boolean;
/** Nothing happens for a key that is missing. */
declare function TykStorageDel(key: string): void;
/** Seconds; -1 without an end, -2 when absent. */
declare function TykStorageTTL(key: string): number;
/** Adds 1 and gives the new value, as text; `ttlSeconds` counts when that is 1. Throws where no number is stored. */
declare function TykStorageIncr(key: string, ttlSeconds?: number): string;

/**
 * The argument of TykMakeHttpRequest, as JSON.
 *
 * @example
 * var request = { Method: "GET", Domain: "https://billing.example", Resource: "/keys" };
 * var answer = TykMakeHttpRequest(JSON.stringify(request));
 * if (answer) log(JSON.parse(answer).Code);
 */
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
/** The result of TykMakeHttpRequest, as JSON. Any status is a normal answer. Each member has two names. */
interface HttpResponse {
  Code: number;
  Body: string;
  Headers: Record<string, string[]>;
  code: number;
  body: string;
  headers: Record<string, string[]>;
}
/** The argument of TykBatchRequest, as JSON. At most 10 requests are under way at a time. */
interface BatchRequest {
  requests: { method?: string; headers?: Record<string, string>; body?: string; relative_url: string }[];
  suppress_parallel_execution?: boolean;
}
/** One result of TykBatchRequest; of a request that failed, its members are empty. */
interface BatchUnit {
  relative_url: string;
  code: number;
  headers: Record<string, string[]> | null;
  body: string;
}
