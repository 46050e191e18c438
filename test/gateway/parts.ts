import type { ApiDefinition, GatewayConfig } from "./config.ts";
import type { Draft } from "./draft.ts";
import type { Fire } from "./events.ts";
import type { Sessions } from "./sessions.ts";
import type { Store } from "./store.ts";

/** What the gateway's handlers share. */
export interface Parts {
  config: GatewayConfig;
  store: Store;
  sessions: Sessions;
  fire: Fire;
  /** Unix ms. */
  now: () => number;
  /** 32 hex digits, for the key that POST makes up. */
  random: () => string;
}

export const secondsOf = (now: () => number) => Math.floor(now() / 1000);

export const apiOf = ({ config }: Parts, id: string): ApiDefinition | undefined =>
  config.apis.find(({ api_id }) => api_id === id);

/** How long the store keeps a session, in seconds; 0 and less for ever. */
export function lifetimeOf(session: Draft, apiLifetime: number, now: () => number): number {
  const { expires = 0, post_expiry_action: action, post_expiry_grace_period: grace = 0 } = session;
  if (action === "delete" || (action === "retain" && grace !== 0)) {
    if (expires <= 0) return 0;
    if (action === "retain" && grace === -1) return -1;
    const left = expires - secondsOf(now) + (action === "retain" ? grace : 0);
    return Math.max(1, left);
  }
  return session.session_lifetime || apiLifetime;
}
