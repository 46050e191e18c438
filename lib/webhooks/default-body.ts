import { AppError } from "../errors.ts";
import type { GatewayEvent } from "../events/event.ts";
import { templateValue } from "./template/event.ts";
import { parseTemplate, render, type Template } from "./template/template.ts";

/** One member of the body: its name, and the action that prints its value. */
interface Member {
  name: string;
  value: Template;
  /** A number, which is printed without quotes. */
  isBare?: true;
  /** Left out if it is empty. */
  isOptional?: true;
}

interface Shape {
  indent: string;
  members: Member[];
  /** The gateway prints a comma after the last member too, so its body is not JSON. */
  hasLastComma?: true;
}

const member = (name: string, value: string, more: Partial<Member> = {}): Member => ({
  name,
  value: parseTemplate("the default body", `{{${value}}}`),
  ...more,
});

const shape = (members: Member[]): Shape => ({
  indent: "    ",
  members: [member("event", ".Type"), member("message", ".Meta.Message"), ...members],
});

const ofBreakers = shape([member("api_id", ".Meta.APIID"), member("path", ".Meta.Path")]);
const ofHosts = shape([
  member("url", ".Meta.HostInfo.CheckURL"),
  member("response_code", ".Meta.HostInfo.ResponseCode"),
  member("tcp_error", ".Meta.HostInfo.IsTCPError"),
  member("host", ".Meta.HostInfo.MetaData.host_name"),
  member("api_id", ".Meta.HostInfo.MetaData.api_id"),
]);
const ofOthers = shape([
  member("path", ".Meta.Path"),
  member("origin", ".Meta.Origin"),
  member("key", ".Meta.Key"),
]);
/** The gateway would use the body of other events, whose members these do not have, and sends none of them. */
const ofTokens = shape([member("org", ".Meta.Org"), member("key", ".Meta.Key")]);
const ofCertificates = (at: Member, days: Member): Shape => ({
  indent: "  ",
  members: [
    member("event", ".Type"),
    member("message", ".Meta.Message"),
    member("cert_id", ".Meta.CertID"),
    member("cert_name", ".Meta.CertName"),
    at,
    days,
    member("cert_role", ".Meta.CertRole"),
    member("api_id", ".Meta.APIID", { isOptional: true }),
    member("timestamp", ".TimeStamp | as_rfc3339_from_string"),
  ],
});

const SHAPES = new Map<string, Shape>([
  ["HostDown", ofHosts],
  ["HostUp", ofHosts],
  [
    "TriggerExceeded",
    shape([
      member("org", ".Meta.OrgID"),
      member("key", ".Meta.Key"),
      member("trigger_limit", ".Meta.TriggerLimit"),
    ]),
  ],
  [
    "BreakerTriggered",
    { ...ofBreakers, members: [...ofBreakers.members, member("Status", ".Meta.CircuitEvent")] },
  ],
  ["BreakerTripped", ofBreakers],
  ["BreakerReset", ofBreakers],
  ["UpstreamOAuthError", { ...shape([member("api_id", ".Meta.APIID")]), hasLastComma: true }],
  [
    "CertificateExpiringSoon",
    ofCertificates(
      member("expires_at", ".Meta.ExpiresAt | as_rfc3339"),
      member("days_remaining", ".Meta.DaysRemaining", { isBare: true }),
    ),
  ],
  [
    "CertificateExpired",
    ofCertificates(
      member("expired_at", ".Meta.ExpiredAt | as_rfc3339"),
      member("days_since_expiry", ".Meta.DaysSinceExpiry", { isBare: true }),
    ),
  ],
  ["TokenCreated", ofTokens],
  ["TokenUpdated", ofTokens],
  ["TokenDeleted", ofTokens],
]);

const shapeOf = (type: string) => SHAPES.get(type) ?? ofOthers;

/** Whether the gateway has a default body for events of this type. */
export const hasDefaultBody = (type: string): boolean => shapeOf(type) !== ofTokens;

/**
 * The gateway's body for a webhook without a template, to the byte. Values are escaped as in HTML, so it is JSON only
 * if none of them has a backslash or a line break. Throws `template-failed` for token events.
 */
export function defaultBody(event: GatewayEvent): string {
  if (!hasDefaultBody(event.Type))
    throw new AppError(
      "template-failed",
      `the gateway's default body names .Meta.Path, which ${event.Type} does not have, so it is not sent: give the ` +
        'webhook a template_path, or "json": true in its gatehook',
    );
  return bodyOf(event, "as the gateway");
}

/** The same body as JSON for every event, with the same values if the default body is JSON too. */
export const jsonBody = (event: GatewayEvent): string => bodyOf(event, "as JSON");

function bodyOf(event: GatewayEvent, written: "as the gateway" | "as JSON"): string {
  const { indent, members, hasLastComma } = shapeOf(event.Type);
  const data = templateValue(event);
  const isJson = written === "as JSON";
  const lines = members.flatMap(({ name, value, isBare, isOptional }) => {
    const printed = render(value, data);
    const text = isJson ? JSON.stringify(printed).slice(1, -1) : printed;
    if (isOptional && text === "") return [];
    return [`${indent}"${name}": ${isBare ? text : `"${text}"`}`];
  });
  return `\n{\n${lines.join(",\n")}${hasLastComma && !isJson ? "," : ""}\n}\n\n\n`;
}
