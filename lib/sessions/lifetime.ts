import type { Session } from "./session.ts";

/** An API's settings for the sessions of its keys. */
export interface ApiLifetime {
  /** In seconds. */
  session_lifetime?: number;
  /** Whether a session is kept until its key expires, if that is later. */
  session_lifetime_respects_key_expiration?: boolean;
}

/** The lifetime settings of the APIs of a release. */
export interface ApiLifetimes {
  apis: readonly ApiLifetime[];
  api(id: string): ApiLifetime | undefined;
}

/** When the store itself deletes a session, in unix seconds; 0 means never. */
export type SessionEnd = (session: Session, now: number) => number;

/** A number of seconds that means "never": the session is kept, whatever other APIs say. */
const FOR_EVER = -1;

/**
 * As in a gateway: the longest lifetime of the session's APIs. APIs that are not in the release are ignored; if none of
 * them is, the session's own lifetime is used.
 */
export function sessionEnd(session: Session, { apis, api }: ApiLifetimes, now: number): number {
  const ids = Object.keys(session.access_rights ?? {});
  const known = ids.length > 0 ? ids.flatMap((id) => api(id) ?? []) : apis;
  const seconds = (known.length > 0 ? known : [{}]).map((one) => secondsLeft(session, one, now));
  const longest = Math.max(...seconds);
  return longest <= 0 || seconds.includes(FOR_EVER) ? 0 : now + longest;
}

function secondsLeft(session: Session, api: ApiLifetime, now: number): number {
  const { expires = 0, post_expiry_action: action, post_expiry_grace_period: grace = 0 } = session;
  if (action === "delete" || (action === "retain" && grace !== 0)) {
    if (expires <= 0) return 0;
    if (action === "retain" && grace === FOR_EVER) return FOR_EVER;
    return Math.max(1, expires - now + (action === "retain" ? grace : 0));
  }
  const { session_lifetime: own = 0 } = session;
  const lifetime = own > 0 ? own : (api.session_lifetime ?? 0);
  if (lifetime <= 0 || !api.session_lifetime_respects_key_expiration) return lifetime;
  return expires <= 0 ? expires : Math.max(lifetime, expires - now);
}
