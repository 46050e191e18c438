import type { Gateway } from "./client.ts";
import type { HashFunction } from "./key-hash.ts";
import { fullName, orgOf, storedName } from "./key-name.ts";
import type { Members } from "./merge.ts";

/** A key of ours without any rights: if the gateway has it, the gateway has its keys. */
export interface Canary {
  /** The configured name. */
  name: string;
  /** Whether this is its key, by the configured name or by the name that the gateway made from it. */
  isNamed(key: string): boolean;
  isThere(gateway: Pick<Gateway, "get">): Promise<boolean>;
  /** False if the gateway rejected it. */
  make(gateway: Pick<Gateway, "create">): Promise<boolean>;
}

/**
 * `hashKeyFunction`: only if keys are named by their hashes; then the canary is looked up in the same way as all keys,
 * so that a gateway with another hash function is not mistaken for one without keys.
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

/** The name under which a gateway with this `hash_key_function` stores the canary. */
export const canaryHash = (name: string, hashKeyFunction: string) =>
  storedName(true, fullName(hashKeyFunction, CANARY_ORG, name));

/**
 * The organisation of the canary, and its API: neither exists. The canary's name must not begin with it: a gateway
 * removes this prefix, and generates a name if nothing is left.
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
