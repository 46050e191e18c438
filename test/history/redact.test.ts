// What leaves a stage in a record: nothing that says whose it is, or that a client or another host keeps secret.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { AttemptRecord, CallRecord, RunRecord } from "../../lib/history/records.ts";
import { createRedaction, LOG_BYTES } from "../../lib/history/redact.ts";
import { MASK } from "../../lib/history/redact-text.ts";

const CANARY = "canary-4f11e6e3";
const { redact, keyRef } = createRedaction("the stage's secret");

const request = (headers: string, body: string) =>
  Buffer.from(
    `POST /demo/get?api_key=${CANARY} HTTP/1.1\r\nHost: gateway.example\r\n${headers}\r\n\r\n${body}`,
  ).toString("base64");
const session = (secret: string, expires = 100) =>
  JSON.stringify({
    rate: 100,
    expires,
    is_inactive: false,
    date_created: "2026-12-01T00:00:00.123Z",
    last_updated: "1796041776",
    org_id: "o1",
    access_rights: { demo: { api_id: "demo" } },
    basic_auth_data: { password: secret },
    jwt_data: { secret },
    hmac_string: secret,
    oauth_keys: { k: secret },
    certificate: secret,
    meta_data: { note: secret },
    alias: secret,
    odd: [secret],
  });

function attemptWith(key: string, secret: string, over: Partial<RunRecord> = {}): AttemptRecord {
  const calls: CallRecord[] = [
    { i: 0, name: "getKeyData", args: [key, "demo"], answer: session(secret), t: 1, ms: 1 },
    { i: 1, name: "setKeyData", args: [key, session(secret, 200), "1"], t: 1, ms: 1 },
    {
      i: 2,
      name: "makeHttpRequest",
      args: [
        JSON.stringify({
          Method: "POST",
          Domain: "https://hook.example",
          Resource: `/for/${encodeURIComponent(key)}?token=${secret}`,
          Headers: { Authorization: secret },
          Body: JSON.stringify({ secret }),
        }),
      ],
      answer: JSON.stringify({
        Code: 200,
        Body: JSON.stringify({ token: secret }),
        Headers: { "Set-Cookie": [secret] },
      }),
      t: 1,
      ms: 1,
    },
    {
      i: 3,
      name: "storage",
      args: ["set", key, secret, "0"],
      answer: JSON.stringify({ error: null, value: secret }),
      t: 1,
      ms: 1,
    },
    { i: 4, name: "delKeyData", args: [key, "demo"], t: 1, ms: 1 },
  ];
  const run: RunRecord = {
    handler: "h",
    path: "h.js",
    context: {
      APIID: "demo",
      OrgID: "o1",
      EventID: "e1",
      Handler: "h",
      Attempt: 1,
      config_data: { token: secret },
    },
    timeout_ms: 5_000,
    ms: 1,
    outcome: "failed",
    reason: "handler-threw",
    error: `TypeError: ${secret} of ${key}\n    at h.js:1`,
    calls,
    logs: [
      { i: 5, level: "info", text: `the key ${key} has ${secret}` },
      { i: 6, level: "info", text: JSON.stringify({ key, secret }) },
    ],
    writes: [{ i: 7, key, before: session(secret), after: session(secret, 200) }],
    ...over,
  };
  const OriginatingRequest = request(
    `Authorization: ${secret}\r\nX-Own: ${secret}`,
    JSON.stringify({ secret }),
  );
  return {
    id: "e1",
    api_id: "demo",
    n: 1,
    at: "2026-12-01T00:00:00.000Z",
    ms: 1,
    container: "c",
    isolation: "event",
    outcome: "failed",
    reason: "handler-threw",
    error: `TypeError: ${secret} of ${key}`,
    event: {
      Type: "KeyExpired",
      Meta: {
        Message: `of ${key}`,
        OriginatingRequest,
        Path: `/demo/${key}?k=${secret}`,
        Origin: "203.0.113.7",
        Key: key,
        own: secret,
      },
      TimeStamp: "",
    },
    runs: [run],
  };
}

const runOf = ({ runs: [run] }: AttemptRecord) => run ?? assert.fail("there is a run");

describe("a redacted record", () => {
  it("has the canary nowhere: not as a key, nor in a header, a body, a session, a log or an answer", () => {
    const text = JSON.stringify(redact(attemptWith(`key-${CANARY}`, `secret-${CANARY}`)));
    assert.ok(!text.includes(CANARY), text);
    assert.ok(!text.includes(Buffer.from(CANARY).toString("base64").slice(0, 12)));
  });

  it("has no key that a script gives in the place of an API, and no text of a publisher as a member's name", () => {
    const key = `key-${CANARY}`;
    const calls = [
      { i: 0, name: "getKeyData", args: ["demo", key], t: 1, ms: 1 },
      { i: 1, name: "delKeyData", args: ["demo", key], t: 1, ms: 1 },
      { i: 2, name: "setKeyData", args: ["demo", "{}", key], t: 1, ms: 1 },
    ] satisfies CallRecord[];
    const attempt = attemptWith(key, "s", { calls });
    const given = ["Meta.Key", { of: CANARY }, `a text with ${CANARY}`] as string[];
    const { event, runs } = redact({ ...attempt, event: { ...attempt.event, Partial: given } });
    assert.deepEqual(
      runs[0]?.calls.map(({ args }) => args.at(-1)),
      [keyRef(key), keyRef(key), keyRef(key)],
    );
    assert.deepEqual(event.Partial, ["Meta.Key"]);
  });

  it("has it nowhere, whatever keys and secrets look like", () => {
    const part = fc.string({ unit: "binary", maxLength: 12 });
    fc.assert(
      fc.property(part, part, (a, b) => {
        const text = JSON.stringify(redact(attemptWith(`${a}${CANARY}${b}`, `${b}${CANARY}SECRET${a}`)));
        assert.ok(!text.includes(CANARY), text);
      }),
      { numRuns: 300 },
    );
  });

  it("finds the key that somebody has in hand, and no other stage's", () => {
    const { event, runs } = redact(attemptWith("demo-key", "s"));
    const ref = keyRef("demo-key");
    assert.match(ref, /^[0-9a-f]{16}$/);
    assert.equal(event.Meta.Key, ref);
    assert.equal(runs[0]?.writes[0]?.key, ref);
    assert.equal(runs[0]?.calls[0]?.args[0], ref);
    assert.match(runs[0]?.logs[0]?.text ?? "", new RegExp(`^the key ${ref} has`));
    assert.notEqual(createRedaction("another").keyRef("demo-key"), ref);
  });

  it("keeps what is worth looking at: numbers, times, flags, rights, and that a secret changed", () => {
    const { writes } = runOf(redact(attemptWith("k1", "secret-1")));
    const before = JSON.parse(writes[0]?.before ?? "");
    assert.deepEqual(
      [before.rate, before.expires, before.is_inactive, before.org_id, before.access_rights],
      [100, 100, false, "o1", { demo: { api_id: "demo" } }],
    );
    assert.deepEqual([before.date_created, before.last_updated], ["2026-12-01T00:00:00.123Z", "1796041776"]);
    assert.deepEqual(Object.keys(before.meta_data), ["type", "length", "hmac8"]);
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.nat().map(String)), fc.string(), (a, b) => {
        const hmac = (secret: string) =>
          JSON.parse(
            runOf(
              redact(
                attemptWith("k1", "x", {
                  writes: [{ i: 0, key: "k1", before: session(secret), after: null }],
                }),
              ),
            ).writes[0]?.before ?? "",
          ).certificate.hmac8;
        assert.equal(hmac(a) === hmac(b), a === b);
      }),
      { numRuns: 200 },
    );
  });

  it("keeps of requests their method, host, path, status, sizes and the names of headers", () => {
    const { calls } = runOf(redact(attemptWith("k 1", "secret-1")));
    const http = calls[2];
    assert.deepEqual(JSON.parse(http?.args[0] ?? ""), {
      Method: "POST",
      Domain: "https://hook.example",
      Resource: `/for/${keyRef("k 1")}`,
      Headers: ["Authorization"],
      body_bytes: 21,
    });
    assert.deepEqual(JSON.parse(http?.answer ?? ""), { Code: 200, body_bytes: 20, Headers: ["Set-Cookie"] });
    const { OriginatingRequest: given } = redact(attemptWith("k", "secret-1")).event.Meta as {
      OriginatingRequest: { method: string; path: string; headers: object; body: { length: number } };
    };
    assert.deepEqual(
      [given.method, given.path, given.headers, given.body.length],
      ["POST", "/demo/get", { Host: "gateway.example", Authorization: null, "X-Own": null }, 21],
    );
  });

  it("masks what an address has besides its host and path, also where a script logs it", () => {
    const [user, password, token] = ["someone", "p@ss:w0rd-1", "q/w+e r-t0ken"];
    const request = (Domain: string, Resource: string): CallRecord => ({
      i: 0,
      name: "makeHttpRequest",
      args: [JSON.stringify({ Method: "GET", Domain, Resource })],
      t: 1,
      ms: 1,
    });
    const [encoded, query] = [
      `${user}:${encodeURIComponent(password)}`,
      `?a=1&token=${encodeURIComponent(token)}`,
    ];
    for (const [domain, shown] of [
      [`https://${user}:${password}@hook.example`, "https://hook.example"],
      [`https://${encoded}@hook.example`, "https://hook.example"],
      [`${user}:${password}@hook.example`, "hook.example"],
      [`//${user}:${password}@hook.example`, "//hook.example"],
    ] as const) {
      const logs = [
        { i: 1, level: "info" as const, text: `sends to ${domain}/for/@all${query}` },
        { i: 2, level: "info" as const, text: `by ${password} and ${token}` },
      ];
      const run = runOf(
        redact(attemptWith("a-key-of-it", "x", { logs, calls: [request(domain, `/for/@all${query}`)] })),
      );
      assert.deepEqual(JSON.parse(run.calls[0]?.args[0] ?? ""), {
        Method: "GET",
        Domain: shown,
        Resource: "/for/@all",
      });
      const text = JSON.stringify(run);
      for (const secret of [
        password,
        token,
        encodeURIComponent(password),
        encodeURIComponent(token),
        "w0rd-1",
      ])
        assert.ok(!text.includes(secret), `${secret} in ${text}`);
    }
    const of = attemptWith("a-key-of-it", "x", {
      logs: [{ i: 1, level: "info", text: "asked with a-token-0f-query" }],
    });
    const OriginatingRequest = Buffer.from(
      "GET /demo?api_key=a-token-0f-query HTTP/1.1\r\nHost: gateway.example\r\n\r\n",
    ).toString("base64");
    const Meta = { ...of.event.Meta, OriginatingRequest };
    const { logs } = runOf(redact({ ...of, event: { ...of.event, Meta } }));
    assert.equal(logs[0]?.text, `asked with ${MASK}`);
  });

  it("masks what looks like a credential wherever it stands, and keeps 4 KB of a run's lines", () => {
    for (const secret of ["Bearer abc.def-123", "eyJhbGciOi.eyJzdWIiOi.c2ln", "AKIAIOSFODNN7EXAMPLE"]) {
      const { logs } = runOf(
        redact(attemptWith("k", "x", { logs: [{ i: 0, level: "info", text: `got ${secret}!` }] })),
      );
      assert.equal(logs[0]?.text, `got ${MASK}!`);
    }
    const lines = Array.from({ length: 100 }, (_, i) => ({
      i,
      level: "info" as const,
      text: "é".repeat(100),
    }));
    const { logs } = runOf(redact(attemptWith("k", "x", { logs: lines })));
    const bytes = logs.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
    assert.ok(bytes <= LOG_BYTES && bytes > LOG_BYTES - 10, String(bytes));
  });

  it("masks a JWT wherever it begins, and nothing that only begins like one", () => {
    for (const [text, redacted] of [
      ["token-eyJhbGciOi.eyJzdWIiOi.c2ln", `token-${MASK}`],
      ["a.b.eyJhbGciOi.eyJzdWIiOi.c2ln.d", `a.b.${MASK}.d`],
      ["eyJhbGciOi.eyJzdWIiOi.c2ln.eyJhbGciOi.eyJzdWIiOi.", `${MASK}.${MASK}`],
      ["Bearer eyJhbGciOi.eyJzdWIiOi.c2ln", MASK],
      ["keyJhbGciOi.eyJzdWIiOi.c2ln", "keyJhbGciOi.eyJzdWIiOi.c2ln"],
      ["eyJhbGciOi.eyJ.c2ln", "eyJhbGciOi.eyJ.c2ln"],
    ]) {
      const logs = [{ i: 0, level: "info" as const, text: text ?? "" }];
      assert.equal(runOf(redact(attemptWith("a-key-of-it", "x", { logs }))).logs[0]?.text, redacted);
    }
  });

  it("takes a time that grows with the length of what a client sent, whatever that is", () => {
    // Any of these would take minutes if it grew with the square.
    const messageOf = (Message: string, body: string) => {
      const attempt = attemptWith("key-1", "secret-1");
      const Meta = { ...attempt.event.Meta, Message, OriginatingRequest: request("Accept: */*", body) };
      return redact({ ...attempt, event: { ...attempt.event, Meta } }).event.Meta.Message;
    };
    const starts = "eyJ-".repeat(200_000);
    assert.equal(messageOf(starts, ""), starts);
    const texts = Array.from({ length: 50_000 }, (_, at) => `x${at}`.padEnd(12, "y"));
    assert.equal(messageOf("no secret ".repeat(20_000), JSON.stringify(texts)), "no secret ".repeat(20_000));
    const alike = texts.map((text) => `aaaaaaaa${text}`);
    assert.equal(messageOf("a".repeat(500_000), JSON.stringify(alike)), "a".repeat(500_000));
    const longer = Array.from({ length: 1_000 }, (_, at) => `${"a".repeat(at + 8)}b`);
    assert.equal(messageOf("a".repeat(300_000), JSON.stringify(longer)), MASK);
    assert.equal(messageOf("a".repeat(300_000), `${"a".repeat(200_000)}b`), MASK);
  });

  it("takes any record: texts that were cut, bodies that are not JSON, events of plugins", () => {
    const text = fc.oneof(fc.string({ unit: "binary" }), fc.json());
    fc.assert(
      fc.property(text, text, fc.jsonValue(), (a, b, value) => {
        const attempt = attemptWith("k", "x", {
          calls: [
            { i: 0, name: "getKeyData", args: [a], answer: b, t: 0, ms: 0 },
            { i: 1, name: "setKeyData", args: [a, b], t: 0, ms: 0 },
            { i: 2, name: "makeHttpRequest", args: [a], answer: b, t: 0, ms: 0 },
            { i: 3, name: "batchRequest", args: [], t: 0, ms: 0 },
            { i: 4, name: "storage", args: [a], answer: b, t: 0, ms: 0 },
          ],
        });
        const event = {
          ...attempt.event,
          Meta: { OriginatingRequest: a, HostInfo: value, [b]: value, Key: a },
        };
        const redacted = redact({ ...attempt, event });
        assert.deepEqual(JSON.parse(JSON.stringify(redacted)).runs.length, 1);
      }),
    );
  });
});
