import { createHash } from "node:crypto";
import type { GatewayEvent } from "../events/event.ts";
import { defaultBody, jsonBody } from "./default-body.ts";
import type { Webhook } from "./definition.ts";
import { templateValue } from "./template/event.ts";
import { render, type Template } from "./template/template.ts";

/** The body of a webhook for an event. `template` is the webhook's template. Throws `template-failed`. */
export function bodyOf({ json }: Webhook, event: GatewayEvent, template?: Template): string {
  if (template) return render(template, templateValue(event));
  return json ? jsonBody(event) : defaultBody(event);
}

/** The headers of an attempt: the definition's headers take precedence over ours, except for the signature. */
export function headersOf(
  webhook: Webhook,
  signature: Record<string, string> = {},
): [name: string, value: string][] {
  const { headers, template = "default.json" } = webhook;
  const own = Object.entries({
    "User-Agent": "gatehook",
    // As in the gateway: only the content type of these templates is known.
    ...(template.endsWith(".json") && { "Content-Type": "application/json" }),
  });
  const given = new Set(headers.map(([name]) => name.toLowerCase()));
  return [
    ...own.filter(([name]) => !given.has(name.toLowerCase())),
    ...headers,
    ...Object.entries(signature),
  ];
}

/** For an event about a certificate: the values that make it equal to another one, as in the gateway. */
const CERTIFICATE = ["cert_id", "cert_name", "expires_at", "expired_at", "api_id"];

/**
 * A key that is the same for equal webhooks, of which one is sent within a cool-down: same method, target and body. The
 * body of an event about a certificate counts the days, so the certificate is used instead.
 */
export function equalityKey({ method, target }: Webhook, event: GatewayEvent, body: string): string {
  const { Type, Meta } = event;
  const isCertificate = Type === "CertificateExpiringSoon" || Type === "CertificateExpired";
  const what = isCertificate ? [Type, ...CERTIFICATE.map((name) => Meta[name] ?? null)] : [body];
  return createHash("sha256")
    .update(JSON.stringify([method, target, ...what]))
    .digest("base64url");
}
