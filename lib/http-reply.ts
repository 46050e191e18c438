import { AppError, errorText } from "./errors.ts";
import type { Log } from "./log.ts";

/** An HTTP answer as it is sent. */
export interface HttpReply {
  status: number;
  headers: Record<string, string>;
  body: string;
}

export function jsonReply(status: number, body: unknown): HttpReply {
  const headers = {
    "content-type": "application/json",
    ...(status === 401 && { "www-authenticate": "Bearer" }),
    ...(status === 405 && { allow: "POST, PUT, PATCH" }),
  };
  return { status, headers, body: `${JSON.stringify(body)}\n` };
}

/** A coded error with its status; anything else is a bare 500, told to the log alone. */
export function errorReply(error: unknown, log: Log): HttpReply {
  if (error instanceof AppError && error.status < 500) return refusalReply(error);
  log.error("request failed", { error: errorText(error) });
  return jsonReply(500, { error: { code: "internal", message: "the request failed; the log says why" } });
}

export function refusalReply({ status, code, message, field }: AppError): HttpReply {
  return jsonReply(status, { error: { code, message, ...(field && { field }) } });
}
