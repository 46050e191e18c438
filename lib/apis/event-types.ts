import { createNearest } from "./nearest.ts";

/** The events for which a gateway runs the handlers of an API. */
const OF_AN_API = [
  "AuthFailure",
  "KeyExpired",
  "QuotaExceeded",
  "RatelimitExceeded",
  "RateLimitSmoothingUp",
  "RateLimitSmoothingDown",
  "OrgQuotaExceeded",
  "OrgRateLimitExceeded",
  "VersionFailure",
  "BreakerTriggered",
  "BreakerTripped",
  "BreakerReset",
  "HostDown",
  "HostUp",
  "CertificateExpiringSoon",
  "CertificateExpired",
  "UpstreamOAuthError",
  "OAuth2ScopeCheckFailed",
  "OAuth2ExchangeSucceeded",
  "OAuth2ExchangeFailed",
];

/** The events that are the gateway's own and belong to no API. */
export const OF_THE_GATEWAY = ["TokenCreated", "TokenUpdated", "TokenDeleted", "TriggerExceeded"];

/** Every type of event that a gateway fires without a plugin. */
export const EVENT_TYPES = [...OF_AN_API, ...OF_THE_GATEWAY];

const nearestOfTheGateway = createNearest(OF_THE_GATEWAY);
const nearestOfAll = createNearest(EVENT_TYPES);

/** A warning about an event type in an API's definition; undefined if it is correct. */
export function oddApiEvent(type: string): string | undefined {
  if (OF_AN_API.includes(type)) return undefined;
  if (OF_THE_GATEWAY.includes(type))
    return `the gateway fires ${type} for itself, not for an API: name its handlers in gateway.json`;
  return `no gateway fires an event of type ${type}, so its handlers wait for ever${meant(type)}`;
}

/** The same for gateway.json. Plugins may fire events of any name there, so only the events of APIs get a warning. */
export function oddGatewayEvent(type: string): string | undefined {
  if (OF_AN_API.includes(type))
    return `the gateway fires ${type} for the API it happens to: name its handlers in that API's definition`;
  const near = nearestOfTheGateway(type);
  return near && near !== type
    ? `the gateway itself fires no ${type}; if no plugin does, write ${near}`
    : undefined;
}

function meant(type: string): string {
  const near = nearestOfAll(type);
  return near ? `; did you mean ${near}? The name counts exactly` : "";
}

/** The maximum number of letters to compare for one event, since an API may have handlers for any number of types. */
const MEANT_STEPS = 100_000;

/**
 * The type that the sender of an event may have meant, among the types that the API has handlers for and those that
 * gateways fire; undefined for a type that is one of them, and if none is similar.
 */
export function meantType(type: string, handled: string[]): string | undefined {
  if (handled.includes(type) || EVENT_TYPES.includes(type)) return undefined;
  return createNearest([...handled, ...EVENT_TYPES])(type, { steps: MEANT_STEPS });
}
