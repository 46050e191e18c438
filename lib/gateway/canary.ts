import type { Gateway } from "./client.ts";
import type { HashFunction } from "./key-hash.ts";
import { fullName, orgOf, storedName } from "./key-name.ts";
import type { Members } from "./merge.ts";

/** A key of ours that opens nothing: while the gateway shows it, the gateway has its keys. */
export interface Canary {
  /** As it was given. */
  name: string;
  /** Whether this is its key, under the name that it was given or the one that the gateway made of that. */
  isNamed(key: string): boolean;
  isThere(gateway: Pick<Gateway, "get">): Promise<boolean>;
  /** False when the gateway did not take it. */
  make(gateway: Pick<Gateway, "create">): Promise<boolean>;
}

/**
 * `hashKeyFunction`: only where keys are named by their hashes; then the canary is looked for in the way of all keys,
 * so that a gateway which hashes them otherwise is never taken for one that has none of them.
 */
export function createCanary(name: string, hashKeyFunction?: HashFunction): Canary {
  return {
    name,
    isNamed: (key) =>
      hashKeyFunction === undefined
        ? key === name || key === CANARY_ORG + name || orgOf(key) === CANARY_ORG
        : key === canaryHash(name, hashKeyFunction),
    async isThere(gateway) {
      const look =
        hashKeyFunction === undefined
          ? await gateway.get(name, { orgId: CANARY_ORG, hashed: false })
          : await gateway.get(canaryHash(name, hashKeyFunction), { hashed: true });
      return look !== "missing";
    },
    make: async (gateway) => (await gateway.create(name, SESSION)).kind === "done",
  };
}

/** Under which a gateway of this `hash_key_function` stores the canary. */
export const canaryHash = (name: string, hashKeyFunction: string) =>
  storedName(true, fullName(hashKeyFunction, CANARY_ORG, name));

/**
 * The organisation of the canary, and the API that it has rights to: neither is anybody's. The canary's name must not
 * begin with it: a gateway takes that off, and makes up a name where nothing is left.
 */
export const CANARY_ORG = "no-organisation";

const SESSION: Members = {
  org_id: CANARY_ORG,
  is_inactive: true,
  alias: "gatehook looks at this key to know that the gateway has its keys: do not delete it",
  rate: 1,
  per: 60,
  quota_max: -1,
  access_rights: { [CANARY_ORG]: { api_id: CANARY_ORG, versions: ["Default"] } },
};
