/**
 * What a gateway's own write-back does to changes: each course of write-back.json was recorded, for clients that
 * present a key by its full name or by the bare one, with a quota and without. Times are left out there.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import type { GatewayConfig } from "./config.ts";
import { createGateway } from "./model.ts";
import { readTranscripts, SECRET } from "./transcripts.ts";

type Course = Record<string, unknown>;

const recorded: Record<string, Record<string, Course>> = JSON.parse(
  readFileSync(new URL("write-back.json", import.meta.url), "utf8"),
);
const { apis, policies } = readTranscripts();
const ORG = "5e9d9544a1dcd60001d0ed20";

for (const [name, courses] of Object.entries(recorded))
  describe(`${name}: the write-back goes as it was recorded`, () => {
    for (const [title, expected] of Object.entries(courses))
      test(title, () => {
        const [form, quota] = title.split(", quota_max ");
        assert.deepEqual(run(configFor(name), form === "full", Number(quota)), expected);
      });
  });

test("a request that was under way during a PUT undoes it, even where the cache is told in time", () => {
  const { gateway, make, put, get } = setUp(configFor("plain"), 1000);
  const key = make("key-put");
  const underWay = gateway.begin(key);
  put(key);
  assert.equal(underWay.finish().status, 200);
  assert.deepEqual(get(key), [200, { alias: "al", is_inactive: null, quota_remaining: 999 }]);
});

test("a key that is used again and again stays as it was in the cache for longer than its ten seconds", () => {
  const { gateway, make, put, get, wait } = setUp(configFor("plain"), 1000);
  const key = make("key-put");
  gateway.use("key-put");
  put(key);
  for (let times = 0; times < 5; times += 1) {
    wait(9000);
    assert.equal(gateway.use("key-put").status, 200);
  }
  assert.deepEqual(get(key), [200, { alias: "al", is_inactive: null, quota_remaining: 994 }]);
});

function configFor(name: string): GatewayConfig {
  const [config = "", ...switches] = name.split(", ");
  const hashFunction = config.replace(/^plain$|^hash-legacy$|^hash-/, "");
  return {
    secret: SECRET,
    apis,
    policies,
    hash_keys: config !== "plain",
    hash_key_function: hashFunction,
    enable_hashed_keys_listing: true,
    disable_cached_session_state: switches.includes("disable_cached_session_state"),
  };
}

/** The names differ in their last three bytes only, so without a hash function they have one hash. */
function run(config: GatewayConfig, isFull: boolean, quotaMax: number): Course {
  const { gateway, make, put, remove, get, wait } = setUp(config, quotaMax);
  const use = (key: string, name: string) => gateway.use(isFull ? key : name).status;

  const changed = make("key-put");
  const course: Course = { request: [use(changed, "key-put"), use(changed, "key-put")] };
  course["PUT is_inactive"] = put(changed);
  course["GET after PUT"] = get(changed);
  course["request right after PUT"] = use(changed, "key-put");
  course["GET after that request"] = get(changed);

  const deleted = make("key-del");
  use(deleted, "key-del");
  course.DELETE = remove(deleted);
  course["GET after DELETE"] = get(deleted);
  course["request right after DELETE"] = use(deleted, "key-del");
  course["GET after DELETE and that request"] = get(deleted);

  wait(16_000);
  course["16 s later: request, GET (put)"] = [use(changed, "key-put"), get(changed)];
  course["16 s later: request, GET (deleted)"] = [use(deleted, "key-del"), get(deleted)];
  return course;
}

function setUp(config: GatewayConfig, quotaMax: number) {
  let time = Date.UTC(2026, 10, 26);
  const gateway = createGateway({ config, now: () => time });
  const session = {
    org_id: ORG,
    quota_max: quotaMax,
    quota_remaining: 1000,
    quota_renewal_rate: 3600,
    access_rights: { api1: { api_id: "api1", versions: ["Default"] } },
    alias: "al",
  };

  function ask(method: string, name: string, query = "", body?: object) {
    const path = `/tyk/keys/${encodeURIComponent(name)}${query}`;
    const headers = { "x-tyk-authorization": SECRET };
    const answer = gateway.request({
      method,
      path,
      headers,
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: JSON.parse(answer.body) };
  }

  return {
    gateway,
    make: (name: string): string => ask("POST", name, "", session).body.key,
    put: (key: string) =>
      ask("PUT", key, "?suppress_reset=1", { ...session, alias: "NEW", is_inactive: true }).status,
    remove: (key: string) => ask("DELETE", key, `?org_id=${ORG}`).status,
    get(key: string) {
      const { status, body } = ask("GET", key);
      if (status !== 200) return [status, body.message];
      const { alias, is_inactive = null, quota_remaining } = body;
      return [status, { alias, is_inactive, quota_remaining }];
    },
    wait: (ms: number) => {
      time += ms;
    },
  };
}
