import type { IncomingHttpHeaders } from "node:http";

/** Whether a host, with its port where it has one, is a name by which a server is meant. */
export type IsOwn = (host: string) => boolean;

/** Of a request's headers, the one by which it is not for this server, or comes from a web page of elsewhere. */
export type Strange = "Host" | "Origin" | "Sec-Fetch-Site";

/**
 * A browser reaches loopback too: by a name of a page's own that resolves to it, which shows in Host, or straight from a
 * page, which shows in Origin or Sec-Fetch-Site. Programs such as a gateway send neither of the two.
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

/** A name that leads to the machine itself wherever it is asked for, with any port. */
export const isLoopback: IsOwn = (host) => LOOPBACK.test(host);
