import { createHash } from "node:crypto";
import type { GatewayEvent } from "../events/event.ts";
import { defaultBody, jsonBody } from "./default-body.ts";
import type { Webhook } from "./definition.ts";
import { templateValue } from "./template/event.ts";
import { render, type Template } from "./template/template.ts";

/** The body of a webhook for an event. `template` is that which it names. Throws `template-failed`. */
export function bodyOf({ json }: Webhook, event: GatewayEvent, template?: Template): string {
  if (template) return render(template, templateValue(event));
  return json ? jsonBody(event) : defaultBody(event);
}

/** The headers of an attempt: those of the definition before ours, but for the signature's. */
export function headersOf(
  webhook: Webhook,
  signature: Record<string, string> = {},
): [name: string, value: string][] {
  const { headers, template = "default.json" } = webhook;
  const own = Object.entries({
    "User-Agent": "gatehook",
    // As the gateway has it: no other kind of template says what it writes.
    ...(template.endsWith(".json") && { "Content-Type": "application/json" }),
  });
  const given = new Set(headers.map(([name]) => name.toLowerCase()));
  return [
    ...own.filter(([name]) => !given.has(name.toLowerCase())),
    ...headers,
    ...Object.entries(signature),
  ];
}

/** Of an event about a certificate: what makes it the same as another one, as in the gateway. */
const CERTIFICATE = ["cert_id", "cert_name", "expires_at", "expired_at", "api_id"];

/**
 * The same for webhooks that are equal, of which one is sent within a cool-down: same method, target and body. The body
 * of an event about a certificate counts the days, so there it is the certificate.
 */
export function equalityKey({ method, target }: Webhook, event: GatewayEvent, body: string): string {
  const { Type, Meta } = event;
  const isCertificate = Type === "CertificateExpiringSoon" || Type === "CertificateExpired";
  const what = isCertificate ? [Type, ...CERTIFICATE.map((name) => Meta[name] ?? null)] : [body];
  return createHash("sha256")
    .update(JSON.stringify([method, target, ...what]))
    .digest("base64url");
}
