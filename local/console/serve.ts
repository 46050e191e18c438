import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import type { IsOwn } from "../../lib/ingest/stranger.ts";
import { ownHosts } from "../own-hosts.ts";
import { createConsoleApp } from "./app.ts";
import type { Backend } from "./backend.ts";
import { loadPage } from "./page.ts";

/** A console without a server of its own. The caller closes it. */
export interface Served {
  listener: RequestListener;
  close(): Promise<void>;
}

/** For a server that already checks the hosts, such as that of `dev`. */
export async function serveConsole(backend: Backend, token: string, isOwn: IsOwn): Promise<Served> {
  const { getRequestListener } = await import("@hono/node-server");
  const { app, close } = await createConsoleApp({ backend, token, isOwn, page: loadPage });
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  return { listener: (request, response) => void listener(request, response), close };
}

/** A server of its own, only on loopback. */
export async function startConsole(
  backend: Backend,
  token: string,
  port: number,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const { port: bound } = server.address() as AddressInfo;
  const served = await serveConsole(backend, token, ownHosts(bound));
  server.on("request", served.listener);
  return {
    url: `http://127.0.0.1:${bound}`,
    async close() {
      await served.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
