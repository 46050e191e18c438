// A change that is carried by a key's hash, beside clients that use the key: whether the gateway's own cache lets it be.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createGateway as createApi } from "../../lib/gateway/client.ts";
import { fullName, storedName } from "../../lib/gateway/key-name.ts";
import type { Row } from "../../lib/gateway/row.ts";
import { createSettle, type Rejection } from "../../lib/gateway/settle.ts";
import { parseSession, type Session } from "../../lib/sessions/session.ts";
import { createGateway } from "./model.ts";

const SECRET = "secret";
const ORG = "5e9d9544a1dcd60001d0ed20";
const CACHE_MS = 11_000;

/** What becomes of the row when the key is used before and after each write, until nothing is on its way. */
async function carry(
  hash_key_function: string,
  disable_cached_session_state: boolean,
  edit: "tag" | "remove",
) {
  let time = 1_795_000_000_000;
  const model = createGateway({
    now: () => time,
    config: {
      secret: SECRET,
      hash_keys: true,
      hash_key_function,
      enable_hashed_keys_listing: true,
      disable_cached_session_state,
      apis: [{ api_id: "api1", org_id: ORG, session_lifetime: 0, proxy: { listen_path: "/api1/" } }],
      policies: [],
    },
  });
  const api = createApi(
    async ({ method, path, body }) => {
      const headers = { "x-tyk-authorization": SECRET };
      const answer = model.request({ method, path: `/tyk/keys${path}`, headers, ...(body && { body }) });
      return { status: answer.status, text: answer.body };
    },
    { secret: SECRET, hashed: true },
  );
  const rawKey = fullName(hash_key_function, ORG, "mine");
  const hash = storedName(true, rawKey);
  await api.create("mine", {
    org_id: ORG,
    quota_max: 1_000,
    quota_renewal_rate: 3_600,
    access_rights: { api1: { api_id: "api1", versions: ["Default"] } },
  });
  model.use(rawKey);
  const look = await api.get(hash);
  assert.ok(look !== "missing");
  const base = parseSession(look.text);
  const refusals: Rejection[] = [];
  const settle = createSettle({
    absence: async (_, key) => ((await api.get(key)) === "missing" ? "absent" : "there"),
    admit: async () => true,
    reject: async (_, refusal) => void refusals.push(refusal),
    overrule: () => {},
    markReset: async ({ version }) => version + 1,
    pause: async () => {},
    now: () => time,
    cacheMs: CACHE_MS,
    giveUpMs: 0,
    hashed: true,
  });
  const session: Session | undefined = edit === "tag" ? { ...base, tags: ["ours"] } : undefined;
  const created = base.date_created ?? "";
  let row: Row | undefined = {
    key: hash,
    session,
    version: 1,
    gateway: { created, change: { base, since: time } },
  };
  let rounds = 0;
  while (row?.gateway.change && rounds < 20) {
    rounds += 1;
    model.use(rawKey);
    const settled = await settle(row, api);
    model.use(rawKey);
    assert.notEqual(settled.kind, "unknown");
    row = settled.kind === "row" ? { ...row, session: settled.session, gateway: settled.gateway } : undefined;
    time += CACHE_MS + 1;
  }
  const there = await api.get(hash);
  return { there: there === "missing" ? undefined : there.session, row, refusals, rounds };
}

describe("a change by the hash of a key that is in use", () => {
  for (const [hashFunction, isCacheOff] of [
    ["murmur64", false],
    ["murmur64", true],
    ["murmur128", true],
    ["sha256", true],
  ] as const)
    it(`holds with ${hashFunction}, the session cache ${isCacheOff ? "off" : "on"}`, async () => {
      const put = await carry(hashFunction, isCacheOff, "tag");
      assert.deepEqual([put.there?.tags, put.refusals], [["ours"], []]);
      const removed = await carry(hashFunction, isCacheOff, "remove");
      assert.deepEqual([removed.there, removed.refusals], [undefined, []]);
      assert.equal(removed.row?.gateway.gone, true);
    });

  for (const hashFunction of ["murmur128", "sha256"])
    it(`is undone by the session cache with ${hashFunction}: repeated, then refused by name`, async () => {
      const put = await carry(hashFunction, false, "tag");
      assert.equal(put.there?.tags, undefined);
      assert.deepEqual(
        put.refusals.map(({ message }) => message),
        ["the gateway has undone it 4 times: tags"],
      );
      assert.equal(put.row?.session?.tags, undefined, "the row shows what the gateway has");
      const removed = await carry(hashFunction, false, "remove");
      assert.ok(removed.there);
      assert.deepEqual(
        removed.refusals.map(({ message }) => message),
        ["the gateway has brought the key back 4 times"],
      );
      assert.ok(removed.row?.session, "handlers see the key again");
    });
});
