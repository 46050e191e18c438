/** The model behind a real HTTP server on loopback, for clients that are to be tested whole. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Answer, createGateway, type Gateway, type GatewayOptions } from "./model.ts";

export interface ServerOptions extends GatewayOptions {
  /** How long each answer takes, beyond what a fault adds. */
  latencyMs?: number;
}

export interface RunningGateway {
  /** An origin, without a path. */
  url: string;
  gateway: Gateway;
  /** Breaks off what is not answered yet. */
  close(): Promise<void>;
}

export async function startGateway({ latencyMs = 0, ...options }: ServerOptions): Promise<RunningGateway> {
  const gateway = createGateway(options);
  const late = new Set<NodeJS.Timeout>();

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url: path = "" } = request;
    const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)]);
    const body = Buffer.concat(await request.toArray()).toString();
    const answer = gateway.request({ method, path, headers: Object.fromEntries(headers), body });
    const delay = latencyMs + answer.tookMs;
    if (delay === 0) return send(answer, response);
    const timer = setTimeout(() => {
      late.delete(timer);
      send(answer, response);
    }, delay);
    late.add(timer);
  }

  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy()); // the client went away
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    gateway,
    async close() {
      for (const timer of late) clearTimeout(timer);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function send({ status, headers, body, cutAfter }: Answer, response: ServerResponse): void {
  if (status === 0) {
    response.destroy();
    return;
  }
  const bytes = Buffer.from(body);
  response.writeHead(status, { ...headers, "content-length": bytes.length });
  if (cutAfter === undefined || cutAfter >= bytes.length) response.end(bytes);
  else response.write(bytes.subarray(0, cutAfter), () => response.destroy());
}
