import { AppError } from "../errors.ts";
import { createAddressPolicy, type HowToAllow } from "./addresses.ts";
import { type ExchangeDeps, exchange } from "./exchange.ts";
import { isToken, parseRequestHeaders } from "./headers.ts";
import { createResolver, type Lookup } from "./lookup.ts";
import { type Hop, nextHop } from "./redirect.ts";
import { parseTarget } from "./url.ts";

/** A request as a script or a webhook wrote it, not yet checked. */
export interface EgressRequest {
  /** Sent as written; empty for GET. */
  method: string;
  url: string;
  headers: [name: string, value: string][];
  /** Empty if there is none. */
  body: string | Uint8Array;
}

/** The answer after all redirects; its body is unpacked if this client requested gzip. */
export interface EgressResponse {
  status: number;
  /** By canonical name. */
  headers: Record<string, string[]>;
  body: Uint8Array;
  /** The URL of the answer, without credentials. */
  url: string;
}

/** `signal` is the only deadline of a request, redirects included. */
export interface SendOptions {
  signal: AbortSignal;
  /** If false, redirects are returned, not followed. True by default. */
  follow?: boolean;
  /** Only this number of bytes of the body is read, without waiting for the rest. */
  firstBytes?: number;
}

/** The HTTP client for outgoing requests. It does not keep connections: each request has its own. */
export interface Egress {
  /** Throws http-invalid, -refused, -failed or -too-large; the messages contain only the host of the request. */
  send(request: EgressRequest, options: SendOptions): Promise<EgressResponse>;
  /** Aborts requests in progress; later ones fail. */
  close(): Promise<void>;
}

/** Sizes in bytes, times in ms; `lookup` replaces DNS in tests. */
export interface EgressDeps {
  /** Allowed destinations in addition to public addresses, see createAddressPolicy. */
  allowHosts: string[];
  /** By default it names the setting. */
  howToAllow?: HowToAllow;
  /** For the name lookup, and again for the connection; 5 s by default. */
  connectTimeoutMs?: number;
  /** The limit of the body, both as it is received and unpacked. */
  maxResponseBytes: number;
  lookup?: Lookup;
}

const MAX_REQUESTS = 10;

/** An HTTP/1.1 client that behaves like Go's and connects only to addresses that the policy allows. */
export function createEgress(deps: EgressDeps): Egress {
  const { connectTimeoutMs = 5_000, maxResponseBytes, lookup } = deps;
  const policy = createAddressPolicy(deps.allowHosts, deps.howToAllow);
  const resolve = createResolver({ policy, timeoutMs: connectTimeoutMs, lookup });
  const closing = new AbortController();
  const underWay = new Set<Promise<unknown>>();

  return {
    async send(request, options) {
      const signal = AbortSignal.any([options.signal, closing.signal]);
      const { follow: follows = true, firstBytes } = options;
      const exchanging = { resolve, connectTimeoutMs, maxResponseBytes, firstBytes };
      const answer = follow(parseRequest(request), exchanging, signal, follows ? MAX_REQUESTS : 1);
      underWay.add(answer);
      try {
        return await answer;
      } finally {
        underWay.delete(answer);
      }
    },
    async close() {
      closing.abort();
      await Promise.allSettled(underWay);
    },
  };
}

function parseRequest({ method, url, headers, body }: EgressRequest): Hop {
  checkMethod(method);
  return {
    method: method || "GET",
    target: parseTarget(url),
    headers: parseRequestHeaders(headers),
    body: Buffer.from(body),
  };
}

/** Throws http-invalid. */
export function checkMethod(method: string): void {
  if (method !== "" && !isToken(method)) throw new AppError("http-invalid", "the method is not valid");
  if (method === "CONNECT")
    throw new AppError("http-invalid", "CONNECT is for proxies, it cannot be requested");
}

async function follow(
  first: Hop,
  deps: ExchangeDeps,
  signal: AbortSignal,
  most: number,
): Promise<EgressResponse> {
  let hop = first;
  for (let sent = 0; sent < most; sent++) {
    const { status, headers, body, location } = await exchange(hop, deps, signal);
    const { url } = hop.target;
    if (location === undefined || most === 1)
      return { status, headers: Object.fromEntries(headers), body, url };
    hop = nextHop(hop, status, location, first.target.host);
  }
  throw new AppError("http-failed", `${first.target.host}: stopped after ${MAX_REQUESTS} redirects`);
}
