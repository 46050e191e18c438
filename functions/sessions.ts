import middy from "@middy/core";
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { createSessionsApi } from "../lib/sessions/api.ts";
import { createSessionStore } from "../lib/sessions/store.ts";
import { createDynamo } from "./clients.ts";
import { httpErrors } from "./http-errors.ts";
import { createLog } from "./log.ts";
import { createMetrics, withMetrics } from "./metrics.ts";
import { flag, text } from "./settings.ts";

const { env } = process;
const log = createLog("sessions");
const metrics = createMetrics("sessions");
const chance = { random: Math.random, now: Date.now };
const answer = createSessionsApi({
  store: createSessionStore({ dynamo: createDynamo(), table: text(env, "SESSIONS_TABLE"), ...chance }),
  allowMasterKeys: flag(env, "ALLOW_MASTER_KEYS", false),
  log,
  ...chance,
});

/** The routes of lib/sessions/api.ts. */
export const main = middy<APIGatewayProxyEventV2>()
  .use(withMetrics(metrics))
  .use(httpErrors(log))
  .handler(async (request) => {
    const { status, headers, body } = await answer({
      route: request.routeKey,
      key: request.pathParameters?.key ?? "",
      query: (request.queryStringParameters ?? {}) as Record<string, string>,
      ifMatch: request.headers["if-match"],
      body: Buffer.from(request.body ?? "", request.isBase64Encoded ? "base64" : "utf8").toString(),
    });
    return {
      statusCode: status,
      headers: { "content-type": "application/json", "cache-control": "no-store", ...headers },
      body: `${body}\n`,
    };
  });
