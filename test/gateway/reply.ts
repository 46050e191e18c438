import { quote } from "../../lib/go/text.ts";

/** What the gateway says to a request, before any fault of the way. */
export interface Reply {
  status: number;
  headers: Record<string, string>;
  body: string;
}

const JSON_TYPE = { "content-type": "application/json" };

/** `text` is the JSON of it; the gateway's encoder ends it with a line feed. */
export const json = (status: number, text: string): Reply => ({
  status,
  headers: JSON_TYPE,
  body: `${text}\n`,
});

export const problem = (status: number, message: string): Reply =>
  json(status, `{"status":"error","message":${quote(message)}}`);

export function done(
  action: "added" | "modified" | "deleted" | "updated",
  key: string,
  hash?: string,
): Reply {
  const keyHash = hash === undefined ? "" : `,"key_hash":${quote(hash)}`;
  return json(200, `{"key":${quote(key)},"status":"ok","action":"${action}"${keyHash}}`);
}

const TEXT_TYPE = { "content-type": "text/plain; charset=utf-8" };

/** As the router itself says it. */
export const noSuchPage: Reply = { status: 404, headers: TEXT_TYPE, body: "404 page not found\n" };

/** As Go's server says it. */
export const badRequest: Reply = { status: 400, headers: TEXT_TYPE, body: "400 Bad Request" };

/** To a client of an API, from the gateway's template. */
export const refused = (status: number, message: string): Reply => ({
  status,
  headers: JSON_TYPE,
  body: `{\n    "error": "${message}"\n}`,
});
