import middy from "@middy/core";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { KEYS_ROUTE } from "../lib/keys/api.ts";
import { noSuchPage } from "../lib/keys/reply.ts";
import { callerOf } from "./caller.ts";
import { httpErrors } from "./http-errors.ts";
import { openKeysApi } from "./keys-api.ts";
import { createLog } from "./log.ts";
import { createMetrics, withMetrics } from "./metrics.ts";
import { openSessionsApi } from "./sessions-api.ts";

const log = createLog();
const metrics = createMetrics("sessions");
const sessions = openSessionsApi(process.env, { log, metrics });
const keys = openKeysApi(process.env, { ...sessions, log });

/** The routes of lib/sessions/api.ts, and the gateway's key API of lib/keys/api.ts. */
export const main = middy<APIGatewayProxyEventV2>()
  .use(withMetrics(metrics))
  .use(httpErrors(log))
  .handler((request) =>
    request.routeKey === KEYS_ROUTE ? answerOfKeys(request) : answerOfSessions(request),
  );

async function answerOfSessions(request: APIGatewayProxyEventV2): Promise<APIGatewayProxyStructuredResultV2> {
  try {
    const { status, headers, body } = await sessions.answer({
      route: request.routeKey,
      key: request.pathParameters?.key ?? "",
      query: queryOf(request),
      ifMatch: request.headers["if-match"],
      ifNoneMatch: request.headers["if-none-match"],
      body: bodyOf(request),
      changedBy: callerOf(request),
    });
    return {
      statusCode: status,
      headers: { "content-type": "application/json", ...NOT_KEPT, ...headers },
      body: `${body}\n`,
    };
  } finally {
    await sessions.end();
  }
}

async function answerOfKeys(request: APIGatewayProxyEventV2): Promise<APIGatewayProxyStructuredResultV2> {
  const reply = await keys?.({
    method: request.requestContext.http.method,
    path: `/tyk/${request.pathParameters?.path ?? ""}`,
    query: queryOf(request),
    secret: request.headers["x-tyk-authorization"],
    body: bodyOf(request),
  });
  const { status, headers, body } = reply ?? noSuchPage;
  return { statusCode: status, headers: { ...headers, ...NOT_KEPT }, body };
}

const NOT_KEPT = { "cache-control": "no-store" };

const queryOf = ({ queryStringParameters = {} }: APIGatewayProxyEventV2) =>
  queryStringParameters as Record<string, string>;

const bodyOf = ({ body = "", isBase64Encoded }: APIGatewayProxyEventV2) =>
  Buffer.from(body, isBase64Encoded ? "base64" : "utf8").toString();
