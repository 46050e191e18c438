import { AppError } from "../errors.ts";
import type { RequestHeaders } from "./headers.ts";
import { parseTarget, type Target } from "./url.ts";

/** One request on the wire, of the one or more that a call makes. */
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

/** The Location to go to, if Go's client would: a redirect status without one is an answer like any other. */
export function locationOf(status: number, headers: Map<string, string[]>): string | undefined {
  if (![301, 302, 303, 307, 308].includes(status)) return undefined;
  return headers.get("Location")?.[0] || undefined;
}

/**
 * The next request, as Go's client makes it. Credentials go along only while every host so far was `firstHost` or
 * below it. No Referer is added, unlike Go: it would tell the other host our query string.
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
