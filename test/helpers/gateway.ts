import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Session } from "../../lib/sessions/session.ts";

/** A request as the gateway got it. */
export interface KeyRequest {
  method: string;
  key: string;
  query: Record<string, string>;
  session: Session | undefined;
  /** What it was answered; 0 for none. */
  status: number;
}

/** A gateway's REST API of keys on loopback, with a hash_key_function and sessions in memory. */
export interface TestGateway {
  url: string;
  secret: string;
  sessions: Map<string, Session>;
  requests: KeyRequest[];
  /** Answers the next requests so; 0 leaves them without an answer. */
  fail(...statuses: number[]): void;
  /** Keys that something before the gateway answers so, whatever is asked of them. */
  spoilt: Map<string, number>;
  close(): Promise<void>;
}

/** The name that a gateway makes of the one it is given. */
export const tokenOf = (org: string, id: string) =>
  Buffer.from(JSON.stringify({ org, id, h: "murmur64" })).toString("base64");

type Reply = [status: number, body: unknown];
const refuse = (status: number, message: string): Reply => [status, { status: "error", message }];

export async function startGateway(secret: string): Promise<TestGateway> {
  const sessions = new Map<string, Session>();
  const requests: KeyRequest[] = [];
  const failures: number[] = [];
  const spoilt = new Map<string, number>();

  const find = (key: string, org = "") => [tokenOf(org, key), key].find((name) => sessions.has(name));

  function answer(method: string, key: string, query: Record<string, string>, body: string): Reply {
    const done = (name: string, action: string): Reply => [200, { key: name, status: "ok", action }];
    if (method === "DELETE") {
      const name = find(key, query.org_id);
      if (!name) return refuse(404, "There is no such key found");
      sessions.delete(name);
      return done(name, "deleted");
    }
    const session = JSON.parse(body) as Session;
    const stored = find(key, session.org_id);
    if (method === "PUT") {
      if (!stored) return refuse(404, "Key is not found");
      if (sessions.get(stored)?.certificate && !session.certificate)
        return refuse(400, `Key ${key} cannot be used without a certificate`);
    } else if (key.length < 3) return refuse(400, "Custom key is too short");
    if (Object.keys(session.access_rights ?? {}).length === 0)
      return refuse(500, "Failed to create key, ensure security settings are correct.");
    const name = method === "PUT" && stored ? stored : tokenOf(session.org_id ?? "", key);
    sessions.set(name, session);
    return done(name, method === "PUT" ? "modified" : "added");
  }

  async function reply(request: IncomingMessage): Promise<Reply | undefined> {
    const { method = "", headers } = request;
    const url = new URL(request.url ?? "", "http://gateway");
    const body = Buffer.concat(await request.toArray()).toString();
    const [, key = ""] = /^\/base\/tyk\/keys\/([^/]+)$/.exec(url.pathname) ?? [];
    const query = Object.fromEntries(url.searchParams);
    const seen = {
      method,
      key: decodeURIComponent(key),
      query,
      session: body ? JSON.parse(body) : undefined,
    };
    const failure = failures.shift() ?? spoilt.get(seen.key);
    const [status, content] =
      failure !== undefined
        ? [failure, "<html>try later</html>"]
        : headers["x-tyk-authorization"] !== secret
          ? refuse(403, "Attempted administrative access with invalid or missing key!")
          : key
            ? answer(method, seen.key, query, body)
            : [404, "404 page not found"];
    requests.push({ ...seen, status });
    return status === 0 ? undefined : [status, content];
  }

  const server = createServer(async (request, response) => {
    const given = await reply(request);
    if (!given) return;
    response.writeHead(given[0], { "content-type": "application/json" }).end(`${JSON.stringify(given[1])}\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/base/`,
    secret,
    sessions,
    requests,
    spoilt,
    fail: (...statuses) => void failures.push(...statuses),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
