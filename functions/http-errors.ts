import type { MiddlewareObj } from "@middy/core";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { AppError, type ErrorCode, errorText } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";

type Reply = APIGatewayProxyStructuredResultV2;

export function reply(statusCode: number, body: unknown): Reply {
  const headers = {
    "content-type": "application/json",
    ...(statusCode === 401 && { "www-authenticate": "Bearer" }),
    ...(statusCode === 405 && { allow: "POST, PUT, PATCH" }),
  };
  return { statusCode, headers, body: `${JSON.stringify(body)}\n` };
}

/**
 * Turns a coded error into its status and a JSON body; anything else is a bare 500, told to the log alone.
 * `refused` is told the code of each.
 */
export function httpErrors(
  log: Log,
  refused: (code: ErrorCode | "internal") => void = () => {},
): MiddlewareObj<APIGatewayProxyEventV2, Reply> {
  return {
    onError: (request) => {
      const { error } = request;
      refused(error instanceof AppError ? error.code : "internal");
      if (error instanceof AppError && error.status < 500) {
        const { code, message, field } = error;
        request.response = reply(error.status, { error: { code, message, ...(field && { field }) } });
        return;
      }
      log.error("request failed", { error: errorText(error) });
      request.response = reply(500, {
        error: { code: "internal", message: "the request failed; the log says why" },
      });
    },
  };
}
