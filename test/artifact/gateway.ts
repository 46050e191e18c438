import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** As much of a gateway's REST API as gateway-sync's calls need: it takes every key but `refused` and the spoilt ones. */
export interface Gateway {
  url: string;
  /** Keys that something before the gateway answers 502. */
  spoilt: Set<string>;
  requests: { method: string; path: string; secret: string }[];
  close(): Promise<void>;
}

export async function startGateway(): Promise<Gateway> {
  const requests: Gateway["requests"] = [];
  const spoilt = new Set<string>();
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const secret = String(request.headers["x-tyk-authorization"] ?? "");
    requests.push({ method: request.method ?? "", path: pathname, secret });
    request.resume().on("end", () => {
      const key = pathname.slice(pathname.lastIndexOf("/") + 1);
      if (spoilt.has(key)) return response.writeHead(502).end();
      const refused = key === "refused";
      const answer = refused ? { status: "error", message: "not this one" } : { status: "ok" };
      response.writeHead(refused ? 400 : 200, { "content-type": "application/json" });
      response.end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    spoilt,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
