import type { APIGatewayProxyEventV2 } from "aws-lambda";
import type { HttpRequest } from "../lib/ingest/http.ts";

/** A request as the HTTP API brings it, or the function's own URL, which knows no routes and so no parameters of a path. */
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
