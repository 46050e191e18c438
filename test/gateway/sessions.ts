import { fullName, orgOf, storedName } from "../../lib/gateway/key-name.ts";
import type { GatewayConfig } from "./config.ts";
import { type Draft, draftOf, printDraft } from "./draft.ts";
import type { Store } from "./store.ts";

/** A session as it was found, a copy to change, with the name by which it was found: its raw key, or its hash. */
export interface Found {
  key: string;
  session: Draft;
}

/** What the gateway holds in memory of a session that a client used. */
export interface Cached extends Found {
  /** Under which name a write-back puts it into the cache again. */
  cacheKey: string;
}

export interface Sessions {
  /** By a raw key, or by a name that the organisation makes one of; `hashed` takes `name` for what is stored. */
  find(orgId: string, name: string, hashed: boolean): Found | undefined;
  /** Overwrites the whole session and drops it from the cache; false when the store is down. */
  save(key: string, session: Draft, lifetime: number, hashed: boolean): boolean;
  remove(orgId: string, key: string, hashed: boolean): boolean;
  /** How often a quota of this scope was used; undefined before the first use. */
  used(key: string, scope: string, hashed: boolean): number | undefined;
  count(key: string, scope: string, lifetime: number): { used: number; until: number };
  resetQuota(key: string, session: Draft, hashed: boolean): void;
  cached(cacheKey: string): Cached | undefined;
  cache(cacheKey: string, cached: Cached): void;
}

const CACHE_MS = 10_000;

export function createSessions(deps: { config: GatewayConfig; store: Store; now: () => number }): Sessions {
  const { config, store, now } = deps;
  const memory = new Map<string, { cached: Cached; until: number }>();

  const nameOf = (key: string, hashed: boolean) => (hashed ? key : storedName(config.hash_keys, key));
  const counterOf = (key: string, scope: string, hashed: boolean) =>
    `quota-${scope && `${scope}-`}${nameOf(key, hashed)}`;

  /** Which raw keys a name may stand for, the likeliest first. */
  function keysFor(orgId: string, name: string): string[] {
    return orgOf(name) === orgId ? [name] : [fullName(config.hash_key_function, orgId, name), name];
  }

  return {
    find(orgId, name, hashed) {
      const keys = hashed ? [name] : keysFor(orgId, name);
      const key = keys.find((candidate) => store.text(nameOf(candidate, hashed)) !== undefined);
      if (key === undefined) return undefined;
      const text = store.text(nameOf(key, hashed)) ?? "";
      return { key, session: draftOf(text) };
    },
    save(key, session, lifetime, hashed) {
      const name = nameOf(key, hashed);
      memory.delete(name);
      return store.write(name, printDraft(session), lifetime);
    },
    remove(orgId, key, hashed) {
      const name = nameOf(key, hashed);
      memory.delete(name);
      const was = store.remove(name);
      if (hashed) return !store.isDown();
      return store.remove(nameOf(fullName(config.hash_key_function, orgId, key), false)) || was;
    },
    used: (key, scope, hashed) => store.counter(counterOf(key, scope, hashed))?.used,
    count: (key, scope, lifetime) => store.count(counterOf(key, scope, false), lifetime),
    resetQuota(key, { access_rights }, hashed) {
      const scopes = Object.values(access_rights ?? {}).map((right) => right.allowance_scope ?? "");
      for (const scope of ["", ...scopes]) store.removeCounter(counterOf(key, scope, hashed));
    },
    cached(cacheKey) {
      if (config.disable_cached_session_state) return undefined;
      const entry = memory.get(cacheKey);
      return entry && entry.until > now() ? structuredClone(entry.cached) : undefined;
    },
    cache(cacheKey, cached) {
      if (config.disable_cached_session_state) return;
      memory.set(cacheKey, { cached: structuredClone(cached), until: now() + CACHE_MS });
    },
  };
}
