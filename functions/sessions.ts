import middy from "@middy/core";
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { httpErrors } from "./http-errors.ts";
import { createLog } from "./log.ts";
import { createMetrics, withMetrics } from "./metrics.ts";
import { openSessionsApi } from "./sessions-api.ts";

const log = createLog("sessions");
const metrics = createMetrics("sessions");
const { answer, end } = openSessionsApi(process.env, { log, metrics });

/** The routes of lib/sessions/api.ts. */
export const main = middy<APIGatewayProxyEventV2>()
  .use(withMetrics(metrics))
  .use(httpErrors(log))
  .handler(async (request) => {
    try {
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
    } finally {
      await end();
    }
  });
