import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { readRedact } from "../../functions/redact.ts";
import { createRedact } from "../../lib/events/redact.ts";

const redact = createRedact(["X-Api-Key"]);
const eventOf = (Meta: Record<string, unknown>) => ({ Type: "AuthFailure", Meta, TimeStamp: "" });
const base64 = (request: string) => Buffer.from(request, "latin1").toString("base64");

/** The request that is left of one. */
function left(request: string, by = redact): string {
  const { OriginatingRequest } = by(eventOf({ OriginatingRequest: base64(request) })).Meta;
  return Buffer.from(String(OriginatingRequest), "base64").toString("latin1");
}

describe("the credentials of a gateway's client", () => {
  it("are taken out of the request's headers, and nothing else is", () => {
    const request = [
      "POST /orders?x=1 HTTP/1.1",
      "Host: gateway.example",
      "Authorization: Basic dXNlcjpzZWNyZXQ=",
      "authorization:secret",
      "COOKIE: session=secret; theme=dark",
      "Set-Cookie: a=secret",
      "Proxy-Authorization: secret",
      "X-Tyk-Authorization: secret",
      "X-API-Key:\t secret",
      "X-Note: Authorization: not one",
      "Not-A-Cookie: a",
      "",
      "Authorization: part of the body",
      "\xff\x00\r\n\r\nCookie: a",
    ].join("\r\n");
    assert.equal(
      left(request),
      request
        .replace("Basic dXNlcjpzZWNyZXQ=", "[redacted]")
        .replace("authorization:secret", "authorization:[redacted]")
        .replace("session=secret; theme=dark", "[redacted]")
        .replace("a=secret", "[redacted]")
        .replace("Proxy-Authorization: secret", "Proxy-Authorization: [redacted]")
        .replace("X-Tyk-Authorization: secret", "X-Tyk-Authorization: [redacted]")
        .replace("X-API-Key:\t secret", "X-API-Key:\t [redacted]"),
    );
  });

  it("are taken out where a header goes on in the next line, and where lines end in another way", () => {
    assert.equal(
      left("GET / HTTP/1.1\nCookie: a=secret\n  b=secret\nX: y\n z\n\nCookie: body"),
      "GET / HTTP/1.1\nCookie: [redacted]\n  [redacted]\nX: y\n z\n\nCookie: body",
    );
    assert.equal(
      left("GET / HTTP/1.1\r\nCookie: a\rsecret\r\nX: y"),
      "GET / HTTP/1.1\r\nCookie: [redacted]\r\nX: y",
    );
    assert.equal(left("GET / HTTP/1.1\r\nCookie : secret"), "GET / HTTP/1.1\r\nCookie : [redacted]");
  });

  it("are taken out of the query, by the headers' names", () => {
    assert.equal(
      left(
        "GET /a?x=1&x-api-key=secret&Authorization=secret&access_token=secret&y=?&%41uthorization=s HTTP/1.1\r\n\r\n",
      ),
      "GET /a?x=1&x-api-key=[redacted]&Authorization=[redacted]&access_token=[redacted]&y=?&%41uthorization=[redacted] HTTP/1.1\r\n\r\n",
    );
    assert.equal(
      left("GET /a?%=secret&cookies=1 HTTP/1.1\r\n\r\n"),
      "GET /a?%=secret&cookies=1 HTTP/1.1\r\n\r\n",
    );
  });

  it("are taken out of a request that is not Base64", () => {
    const { Meta } = redact(eventOf({ OriginatingRequest: "GET / HTTP/1.1\r\nCookie: secret\r\n\r\n" }));
    assert.equal(Meta.OriginatingRequest, "GET / HTTP/1.1\r\nCookie: [redacted]\r\n\r\n");
  });

  it("leave the user's name of a basic key", () => {
    const keyOf = (Key: string) => redact(eventOf({ Key })).Meta.Key;
    assert.equal(keyOf(`Basic ${base64("ann:pass:word")}`), `Basic ${base64("ann:[redacted]")}`);
    assert.equal(keyOf(`basic  ${base64("j\xc3\xb6:x")}`), `basic  ${base64("j\xc3\xb6:[redacted]")}`);
    assert.equal(keyOf("Basic secret"), "Basic [redacted]");
    assert.equal(keyOf("Basic "), "Basic [redacted]");
    for (const key of ["", "basic", "Basically a key", "eyJhbGciOi", "apilimiter-o1api1"])
      assert.equal(keyOf(key), key);
    const { key } = redact(eventOf({ key: `Basic ${base64("ann:secret")}` })).Meta;
    assert.equal(key, `Basic ${base64("ann:[redacted]")}`);
  });

  it("are taken out of the headers of an uptime check", () => {
    const HostInfo = { Method: "GET", Headers: { Authorization: "secret", Accept: "*/*" } };
    assert.deepEqual(redact(eventOf({ HostInfo })).Meta.HostInfo, {
      Method: "GET",
      Headers: { Authorization: "[redacted]", Accept: "*/*" },
    });
    assert.deepEqual(redact(eventOf({ HostInfo: { Headers: null } })).Meta, { HostInfo: { Headers: null } });
  });
});

describe("for whatever event", () => {
  const value = fc.oneof(fc.jsonValue(), fc.string({ unit: "binary" }), fc.string().map(base64));
  const meta = fc.dictionary(
    fc.constantFrom("OriginatingRequest", "Key", "key", "HostInfo", "__proto__", "Path"),
    value,
  );

  it("what is redacted once stays as it is, and members are neither lost nor made", () => {
    fc.assert(
      fc.property(meta, (Meta) => {
        const once = redact(eventOf(Meta));
        assert.deepEqual(redact(once), once);
        assert.deepEqual(Object.keys(once.Meta), Object.keys(Meta));
      }),
      { numRuns: 2_000 },
    );
  });

  it("a request without credentials is kept to the byte, however its Base64 is written", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.constantFrom("base64", "base64url"), (bytes, encoding) => {
        const OriginatingRequest = Buffer.from(
          `GET / HTTP/1.1\r\n\r\n${Buffer.from(bytes).toString("latin1")}`,
          "latin1",
        ).toString(encoding as "base64");
        assert.deepEqual(redact(eventOf({ OriginatingRequest })).Meta, { OriginatingRequest });
      }),
    );
  });

  it("no value of a named header is left, whatever stands around it", () => {
    const name = fc.constantFrom("Authorization", "cookie", "X-API-KEY", "set-cookie");
    const text = fc.string({ unit: fc.constantFrom("a", " ", ":", ";", "=", "\t", "é", "\r") });
    fc.assert(
      fc.property(name, text, text, (header, before, after) => {
        const head = left(
          `GET / HTTP/1.1\r\nX: y\r\n${header}: ${before}secret-key-text${after}\r\n\r\nbody`,
        );
        assert.ok(!head.includes("secret-key-text"), JSON.stringify(head));
        assert.ok(head.endsWith("\r\n\r\nbody"));
      }),
    );
  });

  it("its time grows with its length only", () => {
    const started = performance.now();
    for (const part of ["?", "&", "a:", "\n", " ", "\r", "Cookie: a\r\n", "%"]) left(part.repeat(1_000_000));
    assert.ok(performance.now() - started < 20_000);
  });
});

describe("REDACT_HEADERS", () => {
  const request = "GET / HTTP/1.1\r\nAuthorization: a\r\nX-Api-Key: b\r\nX-Session: c\r\n\r\n";
  const by = (value: string | undefined) => left(request, readRedact({ REDACT_HEADERS: value }));

  it("names headers beside those that are always taken out", () => {
    const redacted = (text: string) => text.replace(": a", ": [redacted]");
    assert.equal(by(undefined), redacted(request).replace(": b", ": [redacted]"));
    assert.equal(by("x-session"), redacted(request).replace(": c", ": [redacted]"));
    assert.equal(
      by(" X-SESSION , x-api-key"),
      redacted(request).replace(": b", ": [redacted]").replace(": c", ": [redacted]"),
    );
  });

  it("takes nothing out when it is none", () => {
    assert.equal(by("none"), request);
    const event = eventOf({ Key: `Basic ${base64("ann:secret")}` });
    assert.deepEqual(readRedact({ REDACT_HEADERS: "none" })(event), event);
  });

  it("stops the start when it has what is not a header's name", () => {
    for (const value of ["x session", "x:y", "none,é"])
      assert.throws(
        () => readRedact({ REDACT_HEADERS: value }),
        /REDACT_HEADERS has ".+", which is not the name of a header/,
      );
  });
});
