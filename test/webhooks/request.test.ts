import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Webhook } from "../../lib/webhooks/definition.ts";
import { bodyOf, equalityKey, headersOf } from "../../lib/webhooks/request.ts";
import { parseTemplate } from "../../lib/webhooks/template/template.ts";
import { wholeEvent } from "../helpers/webhook-bodies.ts";

const WEBHOOK: Webhook = {
  method: "POST",
  target: "https://in.example/",
  headers: [],
  json: false,
  cooldownSeconds: 0,
};
const EVENT = wholeEvent("AuthFailure");
const ODD = { ...EVENT, Meta: { ...EVENT.Meta, Path: "/a\\b" } };

describe("the body of a webhook", () => {
  it("is that of its template, or the gateway's default one, or JSON", () => {
    const template = parseTemplate("templates/a.json", "{{.Type}}");
    assert.equal(bodyOf(WEBHOOK, EVENT, template), "AuthFailure");
    assert.match(bodyOf(WEBHOOK, ODD), /"path": "\/a\\b"/);
    assert.match(bodyOf({ ...WEBHOOK, json: true }, ODD), /"path": "\/a\\\\b"/);
  });
});

describe("the headers of a webhook", () => {
  const names = (webhook: Partial<Webhook>) =>
    headersOf({ ...WEBHOOK, ...webhook }).map((header) => header.join(": "));

  it("say JSON where the template's name or the default body does", () => {
    const ours = ["User-Agent: gatehook", "Content-Type: application/json"];
    assert.deepEqual(names({}), ours);
    assert.deepEqual(names({ template: "a.json" }), ours);
    assert.deepEqual(names({ template: "a.xml" }), ours.slice(0, 1));
  });

  it("are the definition's before ours, whatever the case, and never in place of a signature", () => {
    const headers: Webhook["headers"] = [
      ["content-type", "text/plain"],
      ["USER-AGENT", "me"],
      ["X-A", "1"],
    ];
    assert.deepEqual(headersOf({ ...WEBHOOK, headers }, { "webhook-id": "msg_1" }), [
      ...headers,
      ["webhook-id", "msg_1"],
    ]);
  });
});

describe("equal webhooks", () => {
  it("have one method, one target and one body", () => {
    const key = equalityKey(WEBHOOK, EVENT, "a");
    assert.equal(equalityKey({ ...WEBHOOK }, ODD, "a"), key);
    const others = [
      equalityKey({ ...WEBHOOK, method: "PUT" }, EVENT, "a"),
      equalityKey({ ...WEBHOOK, target: "https://in.example/b" }, EVENT, "a"),
      equalityKey(WEBHOOK, EVENT, "b"),
    ];
    assert.equal(new Set([key, ...others]).size, 4);
  });

  it("are about one certificate, whatever the days that its body counts", () => {
    const of = (Type: string, Meta: object, body: string) =>
      equalityKey(WEBHOOK, { Type, Meta: { cert_id: "c", cert_name: "n", ...Meta }, TimeStamp: "" }, body);
    const soon = of(
      "CertificateExpiringSoon",
      { expires_at: "2026-12-01T00:00:00Z", days_remaining: 3 },
      "3 days",
    );
    assert.equal(
      of("CertificateExpiringSoon", { expires_at: "2026-12-01T00:00:00Z", days_remaining: 2 }, "2 days"),
      soon,
    );
    assert.notEqual(of("CertificateExpiringSoon", { expires_at: "2026-12-02T00:00:00Z" }, "3 days"), soon);
    assert.notEqual(of("CertificateExpired", { expires_at: "2026-12-01T00:00:00Z" }, "3 days"), soon);
    assert.notEqual(
      of("CertificateExpiringSoon", { expires_at: "2026-12-01T00:00:00Z", cert_id: "d" }, ""),
      soon,
    );
  });
});
