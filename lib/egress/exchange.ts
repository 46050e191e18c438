import type { LookupAddress } from "node:dns";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { Client } from "undici";
import { AppError, errorText } from "../errors.ts";
import { HEADER_BYTES, parseResponseHeaders, type RequestHeaders, toWire } from "./headers.ts";
import { pinnedTo, type Resolve } from "./lookup.ts";
import { type Hop, locationOf } from "./redirect.ts";

/** The dependencies of one request; see `EgressDeps`. */
export interface ExchangeDeps {
  resolve: Resolve;
  connectTimeoutMs: number;
  maxResponseBytes: number;
  /** The number of bytes of the body to read; all if undefined. */
  firstBytes?: number | undefined;
}

/** The answer to one request, before a redirect is followed. */
export interface Answer {
  status: number;
  headers: Map<string, string[]>;
  /** Not read, and so empty, for a redirect that is followed. */
  body: Uint8Array;
  location: string | undefined;
}

const unpack = promisify(gunzip);

/** One request over a connection of its own; throws http-refused, http-failed or http-too-large. */
export async function exchange(hop: Hop, deps: ExchangeDeps, signal: AbortSignal): Promise<Answer> {
  try {
    // Resolved before the client is made, which may connect only to these addresses.
    const addresses = await deps.resolve(hop.target, signal);
    const client = await connectTo(hop, addresses, deps, signal);
    try {
      return await ask(client, hop, deps, signal);
    } finally {
      await client.destroy();
    }
  } catch (error) {
    throw asAppError(error, hop.target.host, deps, signal);
  }
}

/** Unlike fetch and its agents, a Client does not use a proxy from the environment. */
async function connectTo(
  { target }: Hop,
  addresses: LookupAddress[],
  deps: ExchangeDeps,
  signal: AbortSignal,
): Promise<Client> {
  // Loaded with the first request, since most handlers send none.
  const { default: undici } = await import("undici");
  return new undici.Client(target.origin, {
    connect: {
      lookup: pinnedTo(addresses), // net.connect skips it for a literal address, which was checked itself
      timeout: deps.connectTimeoutMs,
      allowH2: false,
      signal, // otherwise a socket that is still connecting would outlive the call
    },
    pipelining: 0, // sends Connection: close
    maxHeaderSize: HEADER_BYTES,
    maxResponseSize: deps.firstBytes === undefined ? deps.maxResponseBytes : -1,
    headersTimeout: 0, // the signal is the deadline
    bodyTimeout: 0,
  });
}

async function ask(client: Client, hop: Hop, deps: ExchangeDeps, signal: AbortSignal): Promise<Answer> {
  const { sent, unpacks } = withDefaults(hop);
  const response = await client.request({
    path: hop.target.path,
    method: hop.method,
    headers: toWire(sent),
    body: hop.body,
    responseHeaders: "raw",
    signal,
  });
  const status = response.statusCode;
  // With `responseHeaders: "raw"` these are alternating names and values, despite the declared type.
  const headers = parseResponseHeaders(response.headers as unknown as string[]);
  const location = locationOf(status, headers);
  if (location !== undefined) {
    response.body.on("error", () => {}); // it is not read, and ends with the client
    return { status, headers, body: new Uint8Array(), location };
  }
  const { firstBytes } = deps;
  const body =
    firstBytes === undefined ? await response.body.bytes() : await beginningOf(response.body, firstBytes);
  const packed =
    firstBytes === undefined &&
    unpacks &&
    body.length > 0 &&
    headers.get("Content-Encoding")?.[0]?.toLowerCase() === "gzip";
  if (!packed) return { status, headers, body, location };
  // As in Go, these two are removed if the client has unpacked the body.
  headers.delete("Content-Encoding");
  headers.delete("Content-Length");
  // Stops at the limit, so that a decompression bomb is never completely in memory.
  return { status, headers, body: await unpack(body, { maxOutputLength: deps.maxResponseBytes }), location };
}

/** The first `most` bytes. Does not close the connection: `exchange` does. */
async function beginningOf(body: AsyncIterable<Uint8Array>, most: number): Promise<Uint8Array> {
  const read: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    read.push(chunk);
    bytes += chunk.length;
    if (bytes >= most) break;
  }
  return Buffer.concat(read).subarray(0, most);
}

/** Adds the headers of Go's client, and tells whether gzip is unpacked: only if this client requested it. */
function withDefaults({ method, target, headers }: Hop): { sent: RequestHeaders; unpacks: boolean } {
  const sent = new Map(headers);
  if (!sent.has("User-Agent")) sent.set("User-Agent", "Go-http-client/1.1");
  if (sent.get("User-Agent") === "") sent.delete("User-Agent");
  const unpacks = !sent.get("Accept-Encoding") && !sent.get("Range") && method !== "HEAD";
  if (unpacks) sent.set("Accept-Encoding", "gzip");
  if (target.authorization !== undefined && !sent.get("Authorization")) {
    sent.set("Authorization", target.authorization);
  }
  return { sent, unpacks };
}

function asAppError(error: unknown, host: string, deps: ExchangeDeps, signal: AbortSignal): AppError {
  if (error instanceof AppError) return error;
  const code = isTooLarge(error) ? "http-too-large" : "http-failed";
  return new AppError(code, `${host}: ${problem(error, deps, signal)}`, { cause: error });
}

function problem(error: unknown, deps: ExchangeDeps, signal: AbortSignal): string {
  if (signal.aborted) return "stopped before the answer was complete";
  if (!(error instanceof Error)) return errorText(error);
  if (error.name === "TimeoutError") return "no answer to the name lookup in time";
  if (isTooLarge(error)) return `the answer is larger than ${deps.maxResponseBytes} bytes`;
  // If several addresses failed, it is an AggregateError with an empty message.
  return error.message || codeOf(error) || error.name;
}

const isTooLarge = (error: unknown) =>
  ["UND_ERR_RES_EXCEEDED_MAX_SIZE", "ERR_BUFFER_TOO_LARGE"].includes(codeOf(error));

const codeOf = (error: unknown) => (error instanceof Error && "code" in error ? String(error.code) : "");
