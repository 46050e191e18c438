import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  creationName,
  fullName,
  hashFunctionOf,
  isAddressable,
  isNeverAsked,
  orgOf,
  readToken,
  storedName,
} from "../../lib/gateway/key-name.ts";
import { type Recorded, readTranscripts, recordedIn } from "./transcripts.ts";

const transcripts = readTranscripts();
const ORG = "5e9d9544a1dcd60001d0ed20";
const base64 = (text: string) => Buffer.from(text).toString("base64");

describe("the full name of a key is the gateway's", () => {
  for (const { name, hash_key_function } of transcripts.configs)
    test(`for every name that was posted in the recording ${name}`, () => {
      const posts = recordedIn(transcripts, name).filter(isPost);
      assert.ok(posts.length >= 10, `${posts.length} posts`);
      for (const { path, body, events } of posts) {
        const given = decodeURIComponent(path.replace(/\?.*/, "").replace("/tyk/keys/", ""));
        const { org_id } = body as { org_id: string };
        const key = String(events?.[0]?.Meta?.Key);
        assert.equal(fullName(hash_key_function, org_id, given), key);
        assert.equal(
          fullName(hash_key_function, org_id, creationName(hash_key_function, org_id, key) ?? ""),
          key,
        );
      }
    });

  test("with murmur64 for a function that it does not know", () => {
    assert.equal(readToken(fullName("md5", ORG, "a"))?.h, "murmur64");
  });
});

const isPost = ({ method, path, status }: Recorded) =>
  method === "POST" && status === 200 && !/create|preview|policy/.test(path);

describe("the name by which a key is made again", () => {
  test("makes that very key, whatever it was called", () => {
    const hashFunction = fc.constantFrom("", "murmur64", "murmur128", "sha256");
    const name = fc
      .string({ minLength: 1 })
      .filter((text) => isAddressable(text) && !/^(create|preview)$/.test(text));
    fc.assert(
      fc.property(hashFunction, fc.constantFrom(ORG, "demo-org"), name, (hash, org, given) => {
        const key = fullName(hash, org, given);
        assert.equal(fullName(hash, org, creationName(hash, org, key) ?? ""), key);
      }),
    );
  });

  test("is what stands in the token, which would be nested in another one", () => {
    assert.equal(creationName("sha256", ORG, fullName("sha256", ORG, "alice")), "alice");
    assert.equal(creationName("", ORG, `${ORG}alice`), `${ORG}alice`);
  });

  test("does not exist where the gateway would make another key", () => {
    const token = fullName("sha256", ORG, "alice");
    assert.equal(creationName("murmur64", ORG, token), undefined, "hashed otherwise");
    assert.equal(creationName("sha256", "other", token), undefined, "of another organisation");
    assert.equal(creationName("", ORG, "alice"), undefined, "imported without its organisation");
    assert.equal(
      creationName("sha256", ORG, fullName("sha256", ORG, "create")),
      undefined,
      "a path of its own",
    );
    assert.equal(creationName("", "", "a/b"), undefined, "no path at all");
  });
});

describe("a raw key tells", () => {
  test("its organisation, in a token or as the 24 hex digits that it starts with", () => {
    assert.equal(orgOf(fullName("murmur64", "demo-org", "a")), "demo-org");
    assert.equal(orgOf(`${ORG}a`), ORG);
    assert.equal(orgOf(ORG), "");
    assert.equal(orgOf("demo-orgdemo-key"), "");
  });

  test("its hash function, which is murmur32 for all but tokens", () => {
    assert.equal(hashFunctionOf(fullName("sha256", ORG, "a")), "sha256");
    assert.equal(hashFunctionOf(`${ORG}a`), "murmur32");
    assert.equal(hashFunctionOf(base64('{"org":"o","id":"a"}')), "murmur32");
    assert.equal(hashFunctionOf(base64('{"org":"o","id":"a","h":"md5"}')), "murmur32");
  });

  test("as much as can be read of a token that a name has broken", () => {
    assert.deepEqual(readToken(fullName("murmur64", ORG, 'quote"x')), { org: ORG, id: "quote", h: "" });
    assert.deepEqual(readToken(fullName("murmur64", ORG, "back\\slash")), {
      org: ORG,
      id: "back\\slash",
      h: "murmur64",
    });
  });

  test("nothing where it is no token, though it looks like one", () => {
    for (const key of ["eyes", "ey==", base64('["org"]'), base64('{"org":"o"}').replaceAll("=", "")])
      assert.equal(readToken(key)?.org ?? "", "", key);
  });

  test("the name it is stored under: itself, or its hash", () => {
    const key = fullName("murmur64", ORG, "custom-1");
    assert.equal(storedName(true, key), "d7ef909a3365377c");
    assert.equal(storedName(false, key), key);
  });
});

describe("a gateway is never asked", () => {
  const none = [
    "",
    "Basic YWxpY2U6cHcx",
    "basic YWxpY2U6cHcx",
    `apilimiter-${ORG}api1`,
    "[NOT FOUND]",
    "n/a",
    "..",
    "a/b",
  ];
  for (const key of none) test(`for ${JSON.stringify(key)}`, () => assert.ok(isNeverAsked(key)));

  test("for nothing else", () => {
    for (const key of [
      "alice",
      `${ORG}alice`,
      fullName("sha256", ORG, "a"),
      "basic",
      "create",
      "192.0.2.1",
      "...",
    ])
      assert.ok(!isNeverAsked(key), key);
  });
});
