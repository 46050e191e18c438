import type { IncomingHttpHeaders } from "node:http";
import { type IsOwn, strangerIn } from "../lib/ingest/stranger.ts";

/** The host names of a server on a loopback port: exactly three, and the allowed ones. */
export function ownHosts(port: number, allowed: string[] = []): IsOwn {
  const exact = new Set(LOOPBACK.flatMap((name) => [`${name}:${port}`, ...(port === 80 ? [name] : [])]));
  const names = new Set(allowed.map((name) => name.toLowerCase()));
  return (host) => exact.has(host) || names.has(host) || names.has(host.replace(/:\d{1,5}$/, ""));
}

const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];

/** The rejection of a request that is not for this server, or comes from a web page; undefined for all others. */
export function rejectionOf(
  headers: IncomingHttpHeaders,
  isOwn: IsOwn,
): { status: 403 | 421; message: string } | undefined {
  const stranger = strangerIn(headers, isOwn);
  if (!stranger) return undefined;
  if (stranger === "Host") return { status: 421, message: "Host is not a name of this server" };
  return { status: 403, message: `${stranger} shows that the request is from a web page of another origin` };
}
