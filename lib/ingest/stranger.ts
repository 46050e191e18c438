import type { IncomingHttpHeaders } from "node:http";

/** Whether a host, with its port if it has one, is a name of the server. */
export type IsOwn = (host: string) => boolean;

/** The header that shows that a request is not for this server, or comes from a web page of another origin. */
export type Strange = "Host" | "Origin" | "Sec-Fetch-Site";

/**
 * A browser can reach loopback too: through a page's host name that resolves to it, which is visible in Host, or
 * directly from a page, which is visible in Origin or Sec-Fetch-Site. Programs such as a gateway send neither of these
 * two.
 */
export function strangerIn(headers: IncomingHttpHeaders, isOwn: IsOwn): Strange | undefined {
  return isOwn((headers.host ?? "").toLowerCase()) ? strangePage(headers, isOwn) : "Host";
}

/** The same for a server that may be reached by any name. */
export function strangePage(headers: IncomingHttpHeaders, isOwn: IsOwn): Strange | undefined {
  const { origin, "sec-fetch-site": site } = headers;
  if (origin !== undefined && !isOwnPage(origin.toLowerCase(), isOwn)) return "Origin";
  return site === undefined || OWN_SITES.includes(String(site)) ? undefined : "Sec-Fetch-Site";
}

/** `none`: the address was typed into the browser. */
const OWN_SITES = ["same-origin", "none"];

function isOwnPage(origin: string, isOwn: IsOwn): boolean {
  const [, host] = /^https?:\/\/(.*)$/.exec(origin) ?? [];
  return host !== undefined && isOwn(host);
}

const LOOPBACK = /^(?:127\.0\.0\.1|\[::1\]|(?:[a-z0-9-]+\.)*localhost)(?::\d{1,5})?$/;

/** A name that always refers to the machine itself, with any port. */
export const isLoopback: IsOwn = (host) => LOOPBACK.test(host);
