import { createHash } from "node:crypto";
import { murmur32, murmur128 } from "./murmur.ts";

/** The hash functions of a gateway: the values of `hash_key_function`, and murmur32 for none. */
export const HASH_FUNCTIONS = ["murmur32", "murmur64", "murmur128", "sha256"] as const;

/** A value of `HASH_KEYS`. */
export type HashFunction = (typeof HASH_FUNCTIONS)[number];

/** Exact: case and spaces matter. */
export const isHashFunction = (name: string): name is HashFunction =>
  (HASH_FUNCTIONS as readonly string[]).includes(name);

/**
 * The hash of a raw key as a gateway prints and lists it, in lower-case hex: 8, 16, 32 or 64 digits. Keys that differ
 * only in their last one to three bytes may have the same murmur32 hash.
 */
export function hashKey(hashFunction: HashFunction, rawKey: string): string {
  const bytes = Buffer.from(rawKey);
  switch (hashFunction) {
    case "murmur32":
      return murmur32(bytes);
    case "murmur64":
      return murmur128(bytes).slice(0, 16);
    case "murmur128":
      return murmur128(bytes);
    case "sha256":
      return createHash("sha256").update(bytes).digest("hex");
  }
}
