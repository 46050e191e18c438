/** What the recordings do not hold: events whole, clients' requests, and what is wrong for a while. */
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { always, flapping } from "./faults.ts";
import { createGateway, type Gateway } from "./model.ts";
import { configNamed, readTranscripts, SECRET } from "./transcripts.ts";

const ORG = "5e9d9544a1dcd60001d0ed20";
const KEY = `${ORG}alice`;
const config = configNamed(readTranscripts(), "plain");
const headers = { "x-tyk-authorization": SECRET };
const DOWN = always({ kind: "store-down" });

let time: number;
let gateway: Gateway;

function ask(method: string, path: string, body?: object) {
  return gateway.request({ method, path, headers, ...(body && { body: JSON.stringify(body) }) });
}

const post = (members: object) =>
  ask("POST", "/tyk/keys/alice", {
    org_id: ORG,
    quota_max: 2,
    quota_renewal_rate: 60,
    access_rights: { api1: { api_id: "api1", versions: ["Default"] } },
    ...members,
  });

const get = () => ask("GET", `/tyk/keys/${KEY}`);
const errorOf = ({ body }: { body: string }) => JSON.parse(body).error;

beforeEach(() => {
  time = Date.UTC(2026, 10, 26, 1, 2, 3, 40);
  gateway = createGateway({ config, now: () => time });
  assert.equal(post({}).status, 200);
});

describe("a client", () => {
  test("is refused with an event once its quota is used up, until that renews", () => {
    assert.deepEqual([gateway.use(KEY).status, gateway.use(KEY).status], [200, 200]);
    const refusal = gateway.use(KEY);
    assert.deepEqual([refusal.status, errorOf(refusal)], [403, "Quota exceeded"]);
    const [event] = refusal.events;
    assert.deepEqual(
      { ...event, Meta: { ...event?.Meta, OriginatingRequest: "" } },
      {
        api: "api1",
        Type: "QuotaExceeded",
        Meta: {
          Message: "Key Quota Limit Exceeded",
          OriginatingRequest: "",
          Path: "/api1/x",
          Origin: "127.0.0.1",
          Key: KEY,
        },
        TimeStamp: "2026-11-26 01:02:03.04 +0000 UTC",
      },
    );
    const original = Buffer.from(String(event?.Meta.OriginatingRequest), "base64").toString();
    assert.match(original, /^GET \/api1\/x HTTP\/1\.1\r\nHost: .*\r\nAuthorization: \w+\r\n\r\n$/s);
    time += 60_000;
    assert.equal(gateway.use(KEY).status, 200);
  });

  test("is refused without an event by an API that its key has no right to, and without a key", () => {
    for (const [key, api, status] of [
      [KEY, "life1", 403],
      ["", "api1", 401],
    ] as const) {
      const refusal = gateway.use(key, api);
      assert.deepEqual([refusal.status, refusal.events], [status, []]);
    }
  });

  test("is refused with AuthFailure for a wrong password", () => {
    const user = { basic_auth_data: { password: "right" }, access_rights: { basic1: { api_id: "basic1" } } };
    post(user);
    const basic = (password: string) => `Basic ${Buffer.from(`alice:${password}`).toString("base64")}`;
    assert.equal(gateway.use(basic("right"), "basic1").status, 200);
    const { status, events } = gateway.use(basic("wrong"), "basic1");
    assert.deepEqual([status, events[0]?.Type, events[0]?.Meta.Key], [401, "AuthFailure", basic("wrong")]);
  });
});

describe("while its store is down", () => {
  test("a key that is there is not found, in the words for one that never was", () => {
    const words = () => [get(), ask("PUT", `/tyk/keys/${KEY}`, {}), ask("DELETE", `/tyk/keys/${KEY}`)];
    const missing = [
      ask("GET", "/tyk/keys/x-y"),
      ask("PUT", "/tyk/keys/x-y", {}),
      ask("DELETE", "/tyk/keys/x-y"),
    ];
    gateway.disturb(DOWN);
    assert.deepEqual(words(), missing);
    assert.deepEqual(
      missing.map(({ status }) => status),
      [404, 404, 404],
    );
    assert.equal(ask("GET", "/tyk/keys").body, '{"keys":[]}\n');
    assert.equal(post({}).status, 500);
    gateway.disturb();
    assert.equal(get().status, 200);
  });

  test("clients are refused with false events", () => {
    gateway.use(KEY);
    gateway.disturb(DOWN);
    const typesOf = () => gateway.use(KEY).events.map(({ Type }) => Type);
    assert.deepEqual(typesOf(), ["QuotaExceeded"], "the session is cached, but nothing can be counted");
    time += 10_000;
    assert.deepEqual(typesOf(), ["AuthFailure"], "nor is the session found");
  });

  test("its health says so up to ten seconds later, and up to ten seconds too long", () => {
    const health = () => [JSON.parse(ask("GET", "/hello").body).status, ask("GET", "/ready").status];
    gateway.disturb(DOWN);
    time += 9_999;
    assert.deepEqual(health(), ["pass", 200]);
    time += 1;
    assert.deepEqual(health(), ["fail", 503]);
    gateway.disturb();
    time += 9_999;
    assert.deepEqual(health(), ["fail", 503]);
    time += 1;
    assert.deepEqual(health(), ["pass", 200]);
  });

  test("what it held is gone if it comes back empty", () => {
    gateway.disturb(DOWN);
    gateway.wipe();
    gateway.disturb();
    assert.equal(get().status, 404);
    assert.equal(gateway.use(KEY).status, 403);
  });
});

describe("a fault on the way", () => {
  test("that keeps a request from the gateway keeps it from taking effect", () => {
    for (const fault of [
      { kind: "unreachable" },
      { kind: "redirect", to: "https://login.test/" },
      { kind: "html", status: 502 },
    ] as const) {
      gateway.disturb(always(fault));
      const answer = ask("DELETE", `/tyk/keys/${KEY}?org_id=${ORG}`);
      assert.deepEqual(answer.events, [], fault.kind);
      gateway.disturb();
      assert.equal(get().status, 200, fault.kind);
    }
    assert.deepEqual(
      gateway.requests.filter(({ method }) => method === "DELETE").map(({ status }) => status),
      [0, 301, 502],
    );
  });

  test("that spoils the answer alone does not", () => {
    for (const fault of [
      { kind: "slow", ms: 5000 },
      { kind: "cut", bytes: 3 },
    ] as const) {
      post({});
      gateway.disturb(always(fault));
      const { status, tookMs, cutAfter } = ask("DELETE", `/tyk/keys/${KEY}?org_id=${ORG}`);
      assert.deepEqual(
        [status, tookMs, cutAfter],
        [200, "ms" in fault ? 5000 : 0, "bytes" in fault ? 3 : undefined],
      );
      gateway.disturb();
      assert.equal(get().status, 404, fault.kind);
    }
  });

  test("may be two at a time", () => {
    gateway.disturb(always({ kind: "store-down" }, { kind: "slow", ms: 2100 }));
    const { status, tookMs } = get();
    assert.deepEqual([status, tookMs], [404, 2100]);
  });

  test("comes and goes with the clock", () => {
    gateway.disturb(flapping(time, 1000, { kind: "store-down" }));
    const seen = [0, 500, 999, 1000, 1999, 2000, 3000].map((after) => {
      time = Date.UTC(2026, 10, 26, 1, 2, 3, 40) + after;
      return get().status;
    });
    assert.deepEqual(seen, [404, 404, 404, 200, 200, 404, 200]);
  });

  test("is a secret that is not the gateway's any more", () => {
    gateway.disturb(always({ kind: "wrong-secret" }));
    assert.equal(get().status, 403);
    assert.equal(gateway.use(KEY).status, 200);
  });
});
