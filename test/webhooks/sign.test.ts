import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { AppError } from "../../lib/errors.ts";
import { parseSecrets, signedHeaders, verify, webhookId } from "../../lib/webhooks/sign.ts";

const secretOf = (byte: number, bytes = 24) => `whsec_${Buffer.alloc(bytes, byte).toString("base64")}`;
const [NEW, OLD] = [secretOf(1), secretOf(2)];
const NOW = 1_764_497_000;
const SENT = { id: "msg_1", timestamp: NOW, body: '{"a":"é 😀\u2028"}' };

const received = (headers: Record<string, string>, body = SENT.body) => ({
  headers: new Map(Object.entries(headers)),
  body,
});

describe("the secrets of a setting", () => {
  it("are one or two, between spaces or commas", () => {
    assert.equal(parseSecrets("S", ` ${NEW} `).length, 1);
    assert.equal(parseSecrets("S", `${NEW},${OLD}`).length, 2);
    assert.equal(parseSecrets("S", `${secretOf(1, 64)}\n${OLD}`).length, 2);
  });

  const refused: [text: string, message: RegExp][] = [
    ["", /^S is empty: it is whsec_/],
    [`${NEW} ${OLD} ${NEW}`, /has 3 secrets/],
    ["c2VjcmV0", /does not begin with whsec_/],
    ["whsec_", /of 0 bytes/],
    ["whsec_not base64!", /of \d+ bytes|is not base64/],
    [`${NEW}=`, /is not base64/],
    ["whsec_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_", /is not base64/],
    [secretOf(1, 23), /of 23 bytes, but must be whsec_ and 24 to 64 random bytes/],
    [secretOf(1, 65), /of 65 bytes/],
    [`${NEW} whsec_c2hvcnQ=`, /of 5 bytes/],
  ];
  for (const [text, message] of refused)
    it(`are refused by the rule ${message.source}, and not told`, () => {
      try {
        parseSecrets("S", text);
        assert.fail("taken");
      } catch (error) {
        assert(error instanceof AppError, String(error));
        assert.equal(error.code, "setting-invalid");
        assert.match(error.message, message);
        for (const secret of text.split(/\s+/).filter((part) => part.length > 6))
          assert(!error.message.includes(secret), error.message);
      }
    });
});

describe("a signature", () => {
  it("is that of the published example", () => {
    const secrets = parseSecrets("S", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    const headers = signedHeaders(secrets, {
      id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
      timestamp: 1_614_265_330,
      body: '{"test": 2432232314}',
    });
    assert.equal(headers["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  });

  it("is verified by the library that receivers use", () => {
    const timestamp = Math.floor(Date.now() / 1000);
    const headers = signedHeaders(parseSecrets("S", NEW), { ...SENT, timestamp });
    assert.doesNotThrow(() => new Webhook(NEW).verify(SENT.body, headers));
  });

  it("stands twice while receivers change their secret, and each of them verifies it", () => {
    const headers = signedHeaders(parseSecrets("S", `${NEW} ${OLD}`), SENT);
    assert.match(headers["webhook-signature"] ?? "", /^v1,\S+ v1,\S+$/);
    for (const secret of [NEW, OLD])
      assert.deepEqual(verify(parseSecrets("S", secret), received(headers), NOW), { ok: true, secret: 1 });
    const old = signedHeaders(parseSecrets("S", OLD), SENT);
    assert.deepEqual(verify(parseSecrets("S", `${NEW} ${OLD}`), received(old), NOW), { ok: true, secret: 2 });
  });
});

describe("a webhook that was received", () => {
  const secrets = parseSecrets("S", NEW);
  const headers = signedHeaders(secrets, SENT);
  const reason = (given: Record<string, string>, body?: string, now = NOW) => {
    const result = verify(secrets, received(given, body), now);
    return result.ok ? "verified" : result.reason;
  };

  it("is verified within five minutes of its time stamp", () => {
    assert.equal(reason(headers), "verified");
    assert.equal(reason(headers, SENT.body, NOW + 300), "verified");
    assert.equal(reason(headers, SENT.body, NOW - 300), "verified");
    assert.match(reason(headers, SENT.body, NOW + 301), /signed by secret 1, but 301 seconds ago/);
    assert.match(reason(headers, SENT.body, NOW - 301), /301 seconds ahead/);
  });

  it("is not verified without a header, or with one of another form", () => {
    for (const name of Object.keys(headers))
      assert.equal(reason({ ...headers, [name]: "" }), `missing header: ${name}`);
    assert.match(reason({ ...headers, "webhook-timestamp": "yesterday" }), /not a number of seconds/);
    assert.match(reason({ ...headers, "webhook-signature": "v2,AAAA" }), /no signature of the form v1/);
  });

  it("is not verified when anything that was signed is another", () => {
    assert.match(reason({ ...headers, "webhook-id": "msg_2" }), /no signature fits/);
    assert.match(reason({ ...headers, "webhook-timestamp": String(NOW + 1) }), /no signature fits/);
    assert.match(reason(headers, `${SENT.body} `), /no signature fits/);
    assert.match(reason({ ...headers, "webhook-signature": "v1," }), /no signature fits/);
    fc.assert(
      fc.property(fc.string(), fc.string(), (body, signature) => {
        const result = reason({ ...headers, "webhook-signature": `v1,${signature}` }, body);
        assert.notEqual(result, "verified");
      }),
    );
  });

  it("is verified whatever its body is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const sent = { ...SENT, body: text.toWellFormed() };
        assert.deepEqual(verify(secrets, received(signedHeaders(secrets, sent), sent.body), NOW), {
          ok: true,
          secret: 1,
        });
      }),
    );
  });
});

describe("a webhook's id", () => {
  const parts = { apiId: "a", eventId: "e", entry: "webhook:in.example/1" };

  it("is the same for each attempt, and another for another event, API or entry", () => {
    assert.equal(webhookId(parts), webhookId({ ...parts }));
    const others = [
      { ...parts, apiId: "ae" },
      { ...parts, eventId: "f" },
      { ...parts, entry: "webhook:in.example/1#2" },
    ];
    assert.equal(new Set([parts, ...others].map(webhookId)).size, 4);
    assert.notEqual(
      webhookId({ ...parts, apiId: "a1", eventId: "e" }),
      webhookId({ ...parts, apiId: "a", eventId: "1e" }),
    );
  });

  it("has no point, which separates what is signed", () => {
    assert.match(webhookId(parts), /^msg_[\w-]{27}$/);
  });
});
