import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { WRITER_HEADER } from "../lib/sessions/api.ts";
import { type ByWriter, changedByWriter } from "../lib/sessions/item.ts";

/**
 * The caller of an HTTP request, if an IAM authorizer identifies it. The console of a local stack identifies itself;
 * this grants no permissions, since every caller there may make the same changes.
 */
export function callerOf({
  headers,
  requestContext,
}: Pick<APIGatewayProxyEventV2, "headers" | "requestContext">): ByWriter {
  const { authorizer } = requestContext as { authorizer?: { iam?: { userArn?: string | null } | null } };
  const by = headers[WRITER_HEADER] === "console" ? "console" : "api";
  return changedByWriter(by, authorizer?.iam?.userArn ?? "");
}
