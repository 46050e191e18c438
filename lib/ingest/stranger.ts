import type { IncomingHttpHeaders } from "node:http";

const LOOPBACK = /^(?:127\.0\.0\.1|\[::1\]|(?:[a-z0-9-]+\.)*localhost)(?::\d{1,5})?$/i;

/**
 * The header by which a web page of elsewhere is found out. Browsers reach loopback too: by a name of the page's own
 * that resolves to it, which shows in Host, or straight from the page, which shows in Origin.
 */
export function strangerIn({ host = "", origin }: IncomingHttpHeaders): "Host" | "Origin" | undefined {
  if (!LOOPBACK.test(host)) return "Host";
  return isStrange(origin) ? "Origin" : undefined;
}

/** Whether a request comes from a web page that is not of this machine. */
export function isStrange(origin: string | undefined): boolean {
  const scheme = /^https?:\/\//i;
  return origin !== undefined && !(scheme.test(origin) && LOOPBACK.test(origin.replace(scheme, "")));
}
