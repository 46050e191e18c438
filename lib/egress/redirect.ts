import { AppError } from "../errors.ts";
import type { RequestHeaders } from "./headers.ts";
import { parseTarget, type Target } from "./url.ts";

/** One of the HTTP requests of a call. */
export interface Hop {
  method: string;
  target: Target;
  headers: RequestHeaders;
  body: Uint8Array;
}

const EMPTY = new Uint8Array();
const CREDENTIALS = [
  "Authorization",
  "Www-Authenticate",
  "Cookie",
  "Cookie2",
  "Proxy-Authorization",
  "Proxy-Authenticate",
];
const ABOUT_THE_BODY = ["Content-Encoding", "Content-Language", "Content-Location", "Content-Type"];

/** The Location to follow, as in Go's client: a redirect status without a Location is a normal answer. */
export function locationOf(status: number, headers: Map<string, string[]>): string | undefined {
  if (![301, 302, 303, 307, 308].includes(status)) return undefined;
  return headers.get("Location")?.[0] || undefined;
}

/**
 * The next request, as Go's client makes it. Credentials are sent only if every host so far was `firstHost` or a
 * subdomain of it. Unlike in Go, no Referer is added: it would reveal our query string to the other host.
 */
export function nextHop(hop: Hop, status: number, location: string, firstHost: string): Hop {
  const target = resolve(hop.target, location);
  const keepsBody = status === 307 || status === 308;
  const headers = new Map(hop.headers);
  if (!isSameOrBelow(target.host, firstHost)) remove(headers, CREDENTIALS);
  if (!keepsBody) remove(headers, ABOUT_THE_BODY);
  return {
    method: keepsBody || hop.method === "HEAD" ? hop.method : "GET",
    target,
    headers,
    body: keepsBody ? hop.body : EMPTY,
  };
}

function resolve(base: Target, location: string): Target {
  try {
    return parseTarget(new URL(location, base.href).href);
  } catch (cause) {
    throw new AppError("http-failed", `${base.host} redirects to a URL that is not http or https`, { cause });
  }
}

function isSameOrBelow(host: string, parent: string): boolean {
  return host === parent || (!host.includes(":") && host.endsWith(`.${parent}`));
}

function remove(headers: Map<string, string>, names: string[]): void {
  for (const name of names) headers.delete(name);
}
