// The names of keys in the table, where HASH_KEYS hashes them.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hashFunction, keyName } from "../../functions/key-names.ts";
import type { Write } from "../../lib/commit/commit.ts";
import type { ConsumerStore } from "../../lib/commit/store.ts";
import { renamedConsumerStore } from "../../lib/gateway/hashed-keys.ts";
import { hashKey } from "../../lib/gateway/key-hash.ts";
import { fullName, storedName } from "../../lib/gateway/key-name.ts";
import { runCli } from "../helpers/cli.ts";

const GATEWAY_URL = "http://gateway.internal";
const TOKEN = fullName("sha256", "org1", "mine");

describe("the name of a key in the table", () => {
  it("is the key, unless HASH_KEYS is set", () => {
    for (const HASH_KEYS of [undefined, "", "none"]) {
      assert.equal(keyName({ HASH_KEYS })("k1"), "k1");
      assert.equal(keyName({ HASH_KEYS, GATEWAY_URL })(TOKEN), TOKEN);
    }
  });

  it("is a hash by the function of HASH_KEYS, whatever the key's form", () => {
    for (const HASH_KEYS of ["murmur64", "murmur128", "sha256"] as const)
      for (const key of ["k1", TOKEN]) assert.equal(keyName({ HASH_KEYS })(key), hashKey(HASH_KEYS, key));
  });

  it("tells keys apart that a gateway's 32 bits would not", () => {
    const nameOf = keyName({ HASH_KEYS: "murmur64" });
    assert.equal(hashKey("murmur32", "demo-key-1"), hashKey("murmur32", "demo-key-2"));
    assert.notEqual(nameOf("demo-key-1"), nameOf("demo-key-2"));
  });

  it("is the one that the gateway stores the key under, where that owns the sessions", () => {
    const nameOf = keyName({ HASH_KEYS: "murmur64", GATEWAY_URL });
    assert.equal(nameOf(TOKEN), hashKey("sha256", TOKEN), "a token says by what");
    assert.equal(nameOf("k1"), storedName(true, "k1"));
  });

  it("cannot be had of another function", () => {
    assert.throws(() => hashFunction({ HASH_KEYS: "md5" }), {
      code: "setting-invalid",
      message: /HASH_KEYS is "md5", but must be none or murmur64 or murmur128 or sha256/,
    });
  });

  it("is not asked of GATEWAY_HASHED_KEYS any more, which stops the start", () => {
    for (const value of ["true", "false"])
      assert.throws(() => hashFunction({ GATEWAY_HASHED_KEYS: value }), {
        code: "setting-invalid",
        message: /GATEWAY_HASHED_KEYS is set, and is gone: HASH_KEYS takes its place/,
      });
    assert.equal(hashFunction({ GATEWAY_HASHED_KEYS: "" }), undefined);
  });

  it("is printed by gatehook sessions hash", async () => {
    const env = { HASH_KEYS: "sha256" };
    assert.equal((await runCli(["sessions", "hash", "k1"], { env })).stdout, `${hashKey("sha256", "k1")}\n`);
    const beside = { HASH_KEYS: "murmur64", GATEWAY_URL };
    const { stdout } = await runCli(["sessions", "hash", TOKEN], { env: beside });
    assert.equal(stdout, `${storedName(true, TOKEN)}\n`);
    const none = await runCli(["sessions", "hash", "k1"], { env: { AWS_REGION: "eu-west-1" } });
    assert.deepEqual([none.code, none.stdout], [2, ""]);
    assert.match(none.stderr, /HASH_KEYS is not set/);
  });
});

describe("a store whose items have other names", () => {
  const nameOf = (key: string) => key.slice(0, 1);
  const asked: unknown[] = [];
  const store: ConsumerStore = {
    async read(_, keys) {
      asked.push(keys);
      const sessions = new Map(keys.map((key) => [key, { session: { alias: key }, version: 1 }]));
      return { liveVersion: "v1", ledger: new Map(), sessions };
    },
    async readSession(key) {
      asked.push(key);
      return { session: { alias: key }, version: 1 };
    },
    async commit(writes) {
      asked.push(writes);
      return { conflicts: [] };
    },
    async put(writes) {
      asked.push(writes);
      return writes.map(() => ({ is: "written" }));
    },
    async proveMarks() {},
  };
  const renamed = renamedConsumerStore(store, nameOf);

  it("answers by the keys that it is asked for, and asks for each item once", async () => {
    asked.length = 0;
    const { sessions } = await renamed.read([], ["a1", "b1", "a2"]);
    assert.deepEqual(
      [...sessions].map(([key, { session }]) => [key, session?.alias]),
      [
        ["a1", "a"],
        ["b1", "b"],
        ["a2", "a"],
      ],
    );
    assert.deepEqual((await renamed.readSession("c1")).session, { alias: "c" });
    assert.deepEqual(asked, [["a", "b"], "c"]);
  });

  it("writes sessions by their names, and the ledger as it is", async () => {
    asked.length = 0;
    const entry: Write = { kind: "ledger", identity: "api#e1", done: ["h"], version: 0 };
    const removed = { kind: "session", session: undefined, version: 1 } as const;
    const fence = { kind: "fence", version: 1 } as const;
    await renamed.commit([{ ...removed, key: "a1" }, entry, { ...fence, key: "b1" }]);
    await renamed.put([{ ...removed, key: "c1" }, entry]);
    assert.deepEqual(asked, [
      [{ ...removed, key: "a" }, entry, { ...fence, key: "b" }],
      [{ ...removed, key: "c" }, entry],
    ]);
  });
});
