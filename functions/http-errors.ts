import type { MiddlewareObj } from "@middy/core";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { AppError, type ErrorCode } from "../lib/errors.ts";
import { errorReply, type HttpReply, jsonReply } from "../lib/http-reply.ts";
import type { Log } from "../lib/log.ts";

type Reply = APIGatewayProxyStructuredResultV2;

const asReply = ({ status, headers, body }: HttpReply): Reply => ({ statusCode: status, headers, body });

/** An answer with a JSON body. */
export const reply = (status: number, body: unknown): Reply => asReply(jsonReply(status, body));

/** Converts an error to its answer; `refused` is called with the code of each. */
export function httpErrors(
  log: Log,
  refused: (code: ErrorCode | "internal") => void = () => {},
): MiddlewareObj<APIGatewayProxyEventV2, Reply> {
  return {
    onError: (request) => {
      const { error } = request;
      refused(error instanceof AppError ? error.code : "internal");
      request.response = asReply(errorReply(error, log));
    },
  };
}
