import type { APIGatewayProxyEventV2 } from "aws-lambda";
import type { HttpRequest } from "../lib/ingest/http.ts";

/** A request of the HTTP API, or of the function's own URL, which has no routes and so no path parameters. */
export function asHttpRequest(request: APIGatewayProxyEventV2): HttpRequest {
  return {
    method: request.requestContext.http.method,
    path: request.rawPath,
    apiId: request.pathParameters?.api_id ?? apiIdIn(request.rawPath),
    headers: request.headers,
    body: Buffer.from(request.body ?? "", request.isBase64Encoded ? "base64" : "utf8").toString(),
  };
}

function apiIdIn(path: string): string | undefined {
  const [, name] = /^\/events\/([^/]+)$/.exec(path) ?? [];
  try {
    return name && decodeURIComponent(name);
  } catch {
    return name;
  }
}
