import { isObject } from "../json.ts";
import type { GatewayEvent } from "./event.ts";

/** The replacement of removed text. */
const REDACTED = "[redacted]";

/** Always removed, in addition to the configured names. The last one has the gateway's own secret. */
const ALWAYS = ["authorization", "proxy-authorization", "cookie", "set-cookie", "x-tyk-authorization"];

/** Query parameters that contain a token. https://www.rfc-editor.org/rfc/rfc6750#section-2.3 */
const PARAMETERS = ["access_token"];

/** Removes the credentials of a gateway's client from an event. */
export type Redact = (event: GatewayEvent) => GatewayEvent;

/** `further`: names of headers, which also apply to query parameters. */
export function createRedact(further: string[]): Redact {
  const headers = new Set([...ALWAYS, ...further.map((name) => name.toLowerCase())]);
  const parameters = new Set([...headers, ...PARAMETERS]);

  function inRequest(request: string): string {
    const end = /\r?\n\r?\n/.exec(request)?.index ?? request.length;
    const [first = "", ...lines] = request.slice(0, end).split("\n");
    return [inRequestLine(first, parameters), ...inHeaders(lines, headers)].join("\n") + request.slice(end);
  }

  return (event) => {
    const Meta = Object.entries(event.Meta).map(([name, value]) => {
      if (name === "OriginatingRequest" && typeof value === "string")
        return [name, inEncoded(value, inRequest)];
      if (name === "HostInfo" && isObject(value)) return [name, inHostInfo(value, headers)];
      if (name.toLowerCase() === "key" && typeof value === "string") return [name, inKey(value)];
      return [name, value];
    });
    return { ...event, Meta: Object.fromEntries(Meta) };
  };
}

/**
 * Base64, as the gateway writes it; any other text is treated as the request itself. Unchanged, byte for byte, if
 * nothing is removed.
 */
function inEncoded(text: string, redact: (request: string) => string): string {
  if (!/^[\w+/=\s-]*$/.test(text)) return redact(text);
  // Each byte as one character: the request may be in any encoding.
  const request = Buffer.from(text, "base64").toString("latin1");
  const redacted = redact(request);
  return redacted === request ? text : Buffer.from(redacted, "latin1").toString("base64");
}

function inRequestLine(line: string, names: Set<string>): string {
  return line.replace(/([?&;])([^?=&;\s]*)=([^&;\s]*)/g, (whole, mark: string, name: string) =>
    names.has(decoded(name).toLowerCase()) ? `${mark}${name}=${REDACTED}` : whole,
  );
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function inHeaders(lines: string[], names: Set<string>): string[] {
  let isHidden = false;
  return lines.map((line) => {
    const [, start = "", name] = /^([ \t]+|([^\s:]+)\s*:[ \t]*)/.exec(line) ?? [];
    // A line that begins with a space continues the previous header.
    if (name !== undefined || start === "") isHidden = name !== undefined && names.has(name.toLowerCase());
    return isHidden ? start + REDACTED + (line.endsWith("\r") ? "\r" : "") : line;
  });
}

/** The data of a gateway's uptime check. */
function inHostInfo(info: Record<string, unknown>, names: Set<string>): Record<string, unknown> {
  if (!isObject(info.Headers)) return info;
  const Headers = Object.entries(info.Headers).map(([name, value]) => [
    name,
    names.has(name.toLowerCase()) ? REDACTED : value,
  ]);
  return { ...info, Headers: Object.fromEntries(Headers) };
}

/** The key of a failed basic authentication is the header's value: the password is removed, the user name is kept. */
function inKey(key: string): string {
  const [, start = "", credentials = ""] = /^(\s*Basic\s+)(.*)$/is.exec(key) ?? [];
  if (!start) return key;
  const text = Buffer.from(credentials, "base64").toString("latin1");
  const colon = text.indexOf(":");
  if (colon < 0) return start + REDACTED;
  return start + Buffer.from(`${text.slice(0, colon)}:${REDACTED}`, "latin1").toString("base64");
}
