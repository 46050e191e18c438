import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { HASH_FUNCTIONS, hashKey } from "../../lib/gateway/key-hash.ts";
import { storedName } from "../../lib/gateway/key-name.ts";
import { readTranscripts, recordedIn } from "./transcripts.ts";

/** A raw key and the hash that a gateway printed for it. */
interface Pair {
  key: string;
  hash: string;
}

const transcripts = readTranscripts();
const hashing = transcripts.configs.filter(({ hash_keys }) => hash_keys);

function pairsOf(config: string): Pair[] {
  return recordedIn(transcripts, config).flatMap(({ path, answer, events }) => {
    const { key = "", key_hash: hash } = (answer ?? {}) as { key?: string; key_hash?: string };
    // Who posts by a hash is given the name back for one; a basic-auth user's name stands in the event alone.
    if (!hash || path.includes("hashed=")) return [];
    return [{ key: key || String(events?.[0]?.Meta?.Key), hash }];
  });
}

describe("a key's hash is the gateway's", () => {
  for (const config of hashing)
    test(`for every key of the recording ${config.name}`, () => {
      const pairs = pairsOf(config.name);
      assert.ok(pairs.length >= 17, `${pairs.length} pairs`);
      for (const { key, hash } of pairs) assert.equal(storedName(config.hash_keys, key), hash, key);
    });

  test("for texts whose hashes are published", () => {
    const fox = "The quick brown fox jumps over the lazy dog.";
    assert.equal(hashKey("murmur128", ""), "0".repeat(32));
    assert.equal(hashKey("murmur128", "hello"), "cbd8a7b341bd9b025b1e906a48ae1d19");
    assert.equal(hashKey("murmur128", fox), "cd99481f9ee902c9695da1a38987b6e7");
    assert.equal(hashKey("sha256", fox), "ef537f25c895bfa782526529a9b63d97aa631564d5d789c2b765448c8635fb6c");
  });
});

describe("hashes", () => {
  test("have as many digits as their function gives", () => {
    const digits = { murmur32: 8, murmur64: 16, murmur128: 32, sha256: 64 };
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(...HASH_FUNCTIONS), (key, hashFunction) => {
        assert.match(hashKey(hashFunction, key), new RegExp(`^[0-9a-f]{${digits[hashFunction]}}$`));
      }),
    );
  });

  test("of murmur64 are the first half of murmur128", () => {
    fc.assert(
      fc.property(fc.string(), (key) => hashKey("murmur128", key).startsWith(hashKey("murmur64", key))),
    );
  });

  test("of murmur32 do not tell keys apart that differ after their last block of four bytes", () => {
    assert.equal(hashKey("murmur32", "customer-a"), hashKey("murmur32", "customer-b"));
    assert.notEqual(hashKey("murmur32", "customer-01a"), hashKey("murmur32", "customer-01b"));
    const tail = fc.string({ unit: "grapheme-ascii", maxLength: 3 });
    fc.assert(
      fc.property(fc.string({ unit: "grapheme-ascii" }), tail, tail, (start, one, other) => {
        const blocks = start.slice(0, start.length - (start.length % 4));
        assert.equal(hashKey("murmur32", blocks + one), hashKey("murmur32", blocks + other));
      }),
    );
  });
});
