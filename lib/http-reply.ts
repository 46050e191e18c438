import { AppError, errorText } from "./errors.ts";
import type { Log } from "./log.ts";

/** An HTTP answer as it is sent. */
export interface HttpReply {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** `body` as one line of JSON; a 401 and a 405 get the header that HTTP asks for (`WWW-Authenticate`, `Allow`). */
export function jsonReply(status: number, body: unknown): HttpReply {
  const headers = {
    "content-type": "application/json",
    ...(status === 401 && { "www-authenticate": "Bearer" }),
    ...(status === 405 && { allow: "POST, PUT, PATCH" }),
  };
  return { status, headers, body: `${JSON.stringify(body)}\n` };
}

/** A coded error with its status; anything else is a bare 500, whose cause only the log has. */
export function errorReply(error: unknown, log: Log): HttpReply {
  if (error instanceof AppError && error.status < 500) return appErrorReply(error);
  log.error("request failed", { error: errorText(error) });
  return jsonReply(500, { error: { code: "internal", message: "the request failed; the log says why" } });
}

/**
 * The error with its own status as `{"error": {"code", "message", "field"?}}`. Its message is sent to the client as it
 * is.
 */
export function appErrorReply({ status, code, message, field }: AppError): HttpReply {
  return jsonReply(status, { error: { code, message, ...(field && { field }) } });
}
