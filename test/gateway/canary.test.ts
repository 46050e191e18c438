// The key by which a gateway is known to have its keys, and to hash them as they are named here.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createAbsence } from "../../lib/gateway/absence.ts";
import { createCanary } from "../../lib/gateway/canary.ts";
import { createGateway as createApi } from "../../lib/gateway/client.ts";
import { createHashCheck } from "../../lib/gateway/hash-check.ts";
import type { HashFunction } from "../../lib/gateway/key-hash.ts";
import { fullName, storedName } from "../../lib/gateway/key-name.ts";
import { always } from "./faults.ts";
import { createGateway, type Gateway } from "./model.ts";

const SECRET = "secret";
const NAME = "gatehook-canary";
const ORG = "5e9d9544a1dcd60001d0ed20";

function start(hash_keys: boolean, hash_key_function: string) {
  const config = {
    secret: SECRET,
    hash_keys,
    hash_key_function,
    enable_hashed_keys_listing: true,
    disable_cached_session_state: false,
    apis: [{ api_id: "api1", org_id: ORG, session_lifetime: 0, proxy: { listen_path: "/api1/" } }],
    policies: [],
  };
  return { config, model: createGateway({ config, now: () => 0 }) };
}

const apiOf = (model: Gateway, hashed: boolean) =>
  createApi(
    async ({ method, path, body }) => {
      const headers = { "x-tyk-authorization": SECRET };
      const answer = model.request({ method, path: `/tyk/keys${path}`, headers, ...(body && { body }) });
      return { status: answer.status, text: answer.body };
    },
    { secret: SECRET, hashed },
  );

/** What the functions' containers know together. */
function memory(made = false) {
  const note = { made };
  return {
    note,
    wasCanaryMade: async () => note.made,
    noteCanaryMade: async () => {
      note.made = true;
    },
  };
}

const checkOf = (hashFunction: HashFunction, known = memory()) =>
  createHashCheck({ hashFunction, canaryName: NAME, canary: createCanary(NAME, hashFunction), ...known });

const CONFIGURATIONS = [
  [false, ""],
  [false, "murmur64"],
  [true, "murmur64"],
  [true, "murmur128"],
  [true, "sha256"],
  [true, ""],
] as const;

describe("a canary", () => {
  for (const [hashKeys, hashKeyFunction] of CONFIGURATIONS) {
    it(`is found again once it was made, with ${hashKeys ? "hashed" : "raw"} keys of "${hashKeyFunction}"`, async () => {
      const { model } = start(hashKeys, hashKeyFunction);
      const gateway = apiOf(model, false);
      const canary = createCanary(NAME);
      assert.equal(await canary.isThere(gateway), false);
      assert.equal(await canary.make(gateway), true);
      assert.equal(await canary.isThere(gateway), true);
    });
  }
});

describe("a gateway that is asked by hashes", () => {
  for (const hashFunction of ["murmur64", "murmur128", "sha256"] as const) {
    it(`passes when it hashes with ${hashFunction} too, and is asked no further`, async () => {
      const { model } = start(true, hashFunction);
      const known = memory();
      const check = checkOf(hashFunction, known);
      await Promise.all([check(apiOf(model, true)), check(apiOf(model, true))]);
      assert.equal(model.requests.filter(({ method }) => method === "POST").length, 1, "made once");
      assert.equal(known.note.made, true);
      const asked = model.requests.length;
      await check(apiOf(model, true));
      assert.equal(model.requests.length, asked);
      const next = checkOf(hashFunction, known);
      await next(apiOf(model, true));
      assert.equal(model.requests.length, asked + 1, "another container asks once");
    });
  }

  for (const [hashKeys, hashKeyFunction, seems] of [
    [true, "sha256", /seems to be one that hashes them with sha256/],
    [true, "murmur128", /seems to be one that hashes them with murmur128/],
    [true, "", /seems to be one that hashes them with no function/],
    [false, "murmur64", /seems to be one that does not hash them/],
    [false, "", /seems to be one that does not hash them/],
  ] as const) {
    it(`is refused as murmur64 when it has ${hashKeys ? "hashed" : "raw"} keys of "${hashKeyFunction}"`, async () => {
      const { model } = start(hashKeys, hashKeyFunction);
      const check = checkOf("murmur64");
      for (let nth = 0; nth < 3; nth += 1)
        await assert.rejects(check(apiOf(model, true)), { code: "setting-invalid", message: seems });
      assert.ok(model.requests.filter(({ method }) => method === "POST").length <= 1, "made at most once");
    });
  }

  it("passes when its function was changed since the canary was made", async () => {
    const { config, model } = start(true, "sha256");
    const known = memory();
    await checkOf("sha256", known)(apiOf(model, true));
    config.hash_key_function = "murmur64";
    await checkOf("murmur64", known)(apiOf(model, true));
    await assert.rejects(checkOf("murmur128", known)(apiOf(model, true)), { code: "setting-invalid" });
  });

  it("is neither refused nor given another canary when the one that was made is gone", async () => {
    const { model } = start(true, "murmur64");
    await checkOf("murmur64", memory(true))(apiOf(model, true));
    assert.deepEqual(
      model.requests.filter(({ method }) => method !== "GET"),
      [],
    );
  });

  it("is asked again when it could not be asked", async () => {
    const { model } = start(true, "sha256");
    const check = checkOf("murmur64");
    model.disturb(always({ kind: "wrong-secret" }));
    await assert.rejects(check(apiOf(model, true)), { code: "dependency-failed" });
    model.disturb();
    await assert.rejects(check(apiOf(model, true)), { code: "setting-invalid" });
  });

  it("is never believed to have lost a key that it names by another hash", async () => {
    const { model } = start(true, "sha256");
    const key = fullName("sha256", ORG, "mine");
    const session = { org_id: ORG, access_rights: { api1: { api_id: "api1" } } };
    await apiOf(model, false).create("mine", session);
    await createCanary(NAME).make(apiOf(model, false));
    const absenceBy = (hashFunction: HashFunction) =>
      createAbsence({
        canary: createCanary(NAME, hashFunction),
        quickMs: 1_000,
        ...memory(true),
        onCanaryMissing: () => {},
        now: () => 0,
      });
    assert.equal(await absenceBy("sha256")(apiOf(model, true), storedName(true, key)), "there");
    assert.equal(await absenceBy("murmur64")(apiOf(model, true), "0123456789abcdef"), "unknown");
  });
});
