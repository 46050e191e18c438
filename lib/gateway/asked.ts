import { isStorableKey } from "../sessions/limits.ts";

/**
 * Whether a gateway may be asked for a key, and the table hold it. A basic-auth failure's key has the password in it,
 * a limiter's is the gateway's own, and an empty one would ask for the list of all keys.
 */
export function isAsked(key: string): boolean {
  return isStorableKey(key) && !/^Basic /i.test(key) && !LIMITERS.test(key) && isAddressable(key);
}

const LIMITERS = /^(?:api|rate|org)?limiter-/;

/** Paths below `/tyk/keys` that are no keys, and segments that a path loses. */
const TAKEN = new Set(["create", "preview", "policy", ".", ".."]);

/** Whether a key can stand in the path of the gateway's API, which takes no slash, not even an escaped one. */
export const isAddressable = (key: string) => !key.includes("/") && !TAKEN.has(key);
