import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { AppError } from "../lib/errors.ts";
import { ownHosts, rejectionOf } from "./own-hosts.ts";

/** The part of API Gateway's HTTP API that the functions need: payload format 2.0. */
export interface HttpApi {
  url: string;
  close(): Promise<void>;
}

type Invoke = (request: APIGatewayProxyEventV2) => Promise<unknown>;

/** The port of the API and its routes, which are tried in their order. */
export interface HttpApiOptions {
  /** 0: any free port. */
  port: number;
  /** Host names that are allowed in requests, in addition to those of loopback with this port. */
  allowHosts?: string[] | undefined;
  /** Such as `POST /events/{api_id}` or `ANY /…`; a `{key+}` also matches slashes, and `$default` everything. */
  routes: Record<string, Invoke>;
  /** Answers the requests below `/console`. */
  console?: RequestListener | undefined;
}

/** Listens only on 127.0.0.1. Throws `local-failed`, for example if the port is in use. */
export async function startHttpApi({ port, allowHosts, routes, console }: HttpApiOptions): Promise<HttpApi> {
  const table = Object.entries(routes).map(([routeKey, invoke]) => ({
    routeKey,
    invoke,
    match: matcher(routeKey),
  }));

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const rejection = rejectionOf(request.headers, isOwn);
    if (rejection) return reply(response, rejection.status, withAdvice(rejection));
    const url = new URL(request.url ?? "/", "http://localhost");
    if (console && /^\/console(\/|$)/.test(url.pathname)) return void console(request, response);
    for (const { routeKey, invoke, match } of table) {
      const pathParameters = match(request.method ?? "GET", url.pathname);
      if (!pathParameters) continue;
      const reply = (await invoke(
        await asRequest(request, url, routeKey, pathParameters),
      )) as APIGatewayProxyStructuredResultV2;
      const headers = Object.entries(reply.headers ?? {}).map(
        ([name, value]) => [name, String(value)] as const,
      );
      response.writeHead(reply.statusCode ?? 200, Object.fromEntries(headers));
      response.end(Buffer.from(reply.body ?? "", reply.isBase64Encoded ? "base64" : "utf8"));
      return;
    }
    reply(response, 404, "Not Found");
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((thrown: unknown) => {
      const [status, message] =
        thrown instanceof URIError
          ? ([400, "Bad Request"] as const)
          : ([502, "Internal Server Error"] as const);
      reply(response, status, message);
    });
  });
  await listen(server, port);
  const { port: bound } = server.address() as AddressInfo;
  const isOwn = ownHosts(bound, allowHosts);
  return {
    url: `http://127.0.0.1:${bound}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The name itself is not repeated, since the caller knows it. */
const withAdvice = ({ status, message }: { status: number; message: string }) =>
  status === 421 ? `${message}: gatehook dev takes further ones by --allow-host NAME` : message;

const reply = (response: ServerResponse, status: number, message: string) =>
  void response
    .writeHead(status, { "content-type": "application/json" })
    .end(`${JSON.stringify({ message })}\n`);

function listen(server: ReturnType<typeof createServer>, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const busy = `port ${port} is in use: stop what listens there, or choose another with --port, for example --port ${port + 1}`;
      reject(new AppError("local-failed", cause.code === "EADDRINUSE" ? busy : cause.message, { cause }));
    });
    server.listen(port, "127.0.0.1", resolve);
  });
}

function matcher(routeKey: string): (method: string, path: string) => Record<string, string> | undefined {
  if (routeKey === "$default") return () => ({});
  const [wanted, pattern = ""] = routeKey.split(" ");
  const source = pattern.replace(/\{(\w+)\}/g, "(?<$1>[^/]+)").replace(/\{(\w+)\+\}/g, "(?<$1>.+)");
  const expression = new RegExp(`^${source}$`);
  return (method, path) => {
    const match = method === wanted || wanted === "ANY" ? expression.exec(path) : undefined;
    if (!match) return undefined;
    const groups = Object.entries(match.groups ?? {});
    return Object.fromEntries(groups.map(([name, value]) => [name, decodeURIComponent(value)]));
  };
}

async function asRequest(
  request: IncomingMessage,
  url: URL,
  routeKey: string,
  pathParameters: Record<string, string>,
): Promise<APIGatewayProxyEventV2> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value ?? "")]);
  return {
    version: "2.0",
    routeKey,
    rawPath: url.pathname,
    rawQueryString: url.search.slice(1),
    headers: Object.fromEntries(headers),
    queryStringParameters: Object.fromEntries(url.searchParams),
    pathParameters,
    // API Gateway encodes every body that is not known to be text; the function must decode it.
    body: Buffer.concat(chunks).toString("base64"),
    isBase64Encoded: true,
    requestContext: {
      http: { method: request.method ?? "GET", path: url.pathname },
    } as APIGatewayProxyEventV2["requestContext"],
  };
}
