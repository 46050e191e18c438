import { AppError } from "../lib/errors.ts";
import { hashedName, type KeyName } from "../lib/gateway/hashed-keys.ts";
import type { HashFunction } from "../lib/gateway/key-hash.ts";
import { choice, type Env, isSet } from "./settings.ts";

/** The hash function of keys in the sessions table; undefined if the table has raw keys. */
export function hashFunction(env: Env): HashFunction | undefined {
  if (env.GATEWAY_HASHED_KEYS?.trim()) {
    const message =
      "environment variable GATEWAY_HASHED_KEYS is set, and is gone: HASH_KEYS takes its place, with the " +
      "hash_key_function of the gateway, for example murmur64";
    throw new AppError("setting-invalid", message);
  }
  const chosen = choice(env, "HASH_KEYS");
  return chosen === "none" ? undefined : chosen;
}

/** The name that a raw key has in the sessions table. */
export function keyName(env: Env): KeyName {
  const hashes = hashFunction(env);
  return hashes ? hashedName(hashes, isSet(env, "GATEWAY_URL")) : (key) => key;
}
