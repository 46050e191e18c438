import { AppError } from "../errors.ts";
import type { Entry } from "../sessions/forms.ts";
import { isStorableKey, KEY_BYTES } from "../sessions/limits.ts";
import type { KeyName } from "./hashed-keys.ts";
import type { HashFunction } from "./key-hash.ts";

/** How the session table of this stage names its rows. */
export interface EntryNameDeps {
  /** The hash function of the table's keys; undefined for raw keys. */
  hashFunction: HashFunction | undefined;
  hasGateway: boolean;
  nameOf: KeyName;
  /** Whether the keys are hashes, if the source does not say so. */
  areHashes: boolean;
}

const DIGITS: Record<HashFunction, number> = { murmur32: 8, murmur64: 16, murmur128: 32, sha256: 64 };

/** The name of a session's row. Throws request-invalid for a key that cannot be found by it. */
export function createEntryName({ hashFunction, hasGateway, nameOf, areHashes }: EntryNameDeps) {
  return ({ key, hashed }: Entry): string => {
    const isHash = hashed === undefined ? areHashes : hashed !== "";
    if (!isHash) {
      if (isStorableKey(key)) return nameOf(key);
      throw invalid(`a key has 1 to ${KEY_BYTES} bytes`);
    }
    if (hashFunction === undefined)
      throw invalid("its key is a hash, but the table has raw keys: set HASH_KEYS before the first session");
    if (hashed && hashed !== hashFunction)
      throw invalid(`its key is hashed with ${hashed}, but HASH_KEYS is ${hashFunction}`);
    // A gateway hashes keys that are not tokens with 32 bits, whatever its hash function.
    const lengths = [DIGITS[hashFunction], ...(hasGateway ? [DIGITS.murmur32] : [])];
    if (/^[0-9a-f]+$/.test(key) && lengths.includes(key.length)) return key;
    throw invalid(`its key must be a hash of ${lengths.join(" or ")} digits, as HASH_KEYS makes it`);
  };
}

const invalid = (message: string) => new AppError("request-invalid", message, { field: "key" });
