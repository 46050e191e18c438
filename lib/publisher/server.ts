import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { AppError } from "../errors.ts";
import { invalidEvent } from "../events/invalid.ts";
import { appErrorReply, errorReply, type HttpReply, jsonReply } from "../http-reply.ts";
import { isLoopback, strangePage, strangerIn } from "../ingest/stranger.ts";
import type { Log } from "../log.ts";
import type { Head, Publisher } from "./publisher.ts";

/** A server that listens; the caller closes it. */
export interface PublisherServer {
  url: string;
  /** The address on which it listens. */
  host: string;
  /** Stops accepting connections; resolves when all requests are answered, or `cut` is aborted. */
  close(cut: AbortSignal): Promise<void>;
}

/** An address, with port 0 for any free one, or the descriptor of a socket that is open already. */
export type Listen = { host: string; port: number } | { fd: number };

/** The publisher to serve, and the address. */
export interface ServerOptions {
  publisher: Pick<Publisher, "take" | "status">;
  at: Listen;
  /** Whether requests may use a host name or an address of another machine. */
  anyHost: boolean;
  log: Log;
}

/** The same limit as the HTTP API in front of ingest. */
export const BODY_BYTES = 10 * 1024 * 1024;
/** The limit for all requests that are being read. */
const BODIES_BYTES = 8 * BODY_BYTES;
const RETRY_SECONDS = 10;
const REQUEST_MS = 30_000;

/** Serves POST /events/{api_id} and GET /healthz. */
export async function startServer({ publisher, at, anyHost, log }: ServerOptions): Promise<PublisherServer> {
  let reading = 0;

  /** Throws `event-too-large` and `spool-full`. */
  async function bodyOf(request: IncomingMessage): Promise<string> {
    if (Number(request.headers["content-length"] ?? 0) > BODY_BYTES) throw tooLarge();
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      // The server discards the unread rest, so that the client sees the answer.
      for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        reading += chunk.length;
        if (bytes > BODY_BYTES) throw tooLarge();
        if (reading > BODIES_BYTES)
          throw new AppError("spool-full", "too many large requests at the same time");
        chunks.push(chunk);
      }
      return Buffer.concat(chunks).toString();
    } catch (thrown) {
      throw thrown instanceof AppError ? thrown : invalidEvent("body", "broke off before its end");
    } finally {
      reading -= bytes;
    }
  }

  async function answer(request: IncomingMessage): Promise<HttpReply> {
    const stranger = (anyHost ? strangePage : strangerIn)(request.headers, isLoopback);
    if (stranger === "Host")
      return jsonReply(403, { message: "Host is not a loopback name of this machine" });
    if (stranger)
      return jsonReply(403, {
        message: `${stranger} shows that the request is from a web page of another origin`,
      });
    const path = request.url ?? "/";
    const pathname = URL.parse(path, "http://localhost")?.pathname ?? path;
    if (pathname === "/healthz" && request.method === "GET") {
      const status = publisher.status();
      return jsonReply(status.status === "ok" ? 200 : 503, status);
    }
    const { status, body } = await publisher.take(headOf(request, pathname), () => bodyOf(request));
    return jsonReply(status, body);
  }

  function replyTo(thrown: unknown): HttpReply {
    if (thrown instanceof URIError) return jsonReply(400, { message: "Bad Request" });
    if (!(thrown instanceof AppError) || thrown.status !== 503) return errorReply(thrown, log);
    const reply = appErrorReply(thrown);
    return { ...reply, headers: { ...reply.headers, "retry-after": String(RETRY_SECONDS) } };
  }

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, headers, body } = await answer(request).catch(replyTo);
    response.writeHead(status, headers).end(body);
  }

  const server = createServer(
    { requestTimeout: REQUEST_MS },
    (request, response) => void respond(request, response),
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(at, resolve);
  });
  const { address, family, port: bound } = server.address() as AddressInfo;
  return {
    host: address,
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${bound}`,
    async close(cut) {
      const closed = new Promise((resolve) => server.close(resolve));
      cut.addEventListener("abort", () => server.closeAllConnections());
      await closed;
    },
  };
}

function headOf(request: IncomingMessage, path: string): Head {
  const [, apiId] = /^\/events\/([^/]+)$/.exec(path) ?? [];
  const headers = Object.entries(request.headers).map(([name, value]) => [name, value && String(value)]);
  return {
    method: request.method ?? "GET",
    path,
    apiId: apiId === undefined ? undefined : decodeURIComponent(apiId),
    headers: Object.fromEntries(headers),
  };
}

const tooLarge = () =>
  new AppError("event-too-large", `the request has more than ${BODY_BYTES} bytes`, { field: "body" });
