import { quote } from "../go/text.ts";

/** A reply of the gateway's key API. */
export interface KeysReply {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** `text` is the JSON of it; a gateway's encoder ends it with a line feed. */
export const json = (status: number, text: string): KeysReply => ({
  status,
  headers: { "content-type": "application/json" },
  body: `${text}\n`,
});

/** The gateway's form of an error: `{"status":"error","message":…}`. */
export const problem = (status: number, message: string): KeysReply =>
  json(status, `{"status":"error","message":${quote(message)}}`);

/** The gateway's form of a change that was made; `hash` where the gateway hashes keys. */
export function done(action: "added" | "modified" | "deleted", key: string, hash?: string): KeysReply {
  const keyHash = hash === undefined ? "" : `,"key_hash":${quote(hash)}`;
  return json(200, `{"key":${quote(key)},"status":"ok","action":"${action}"${keyHash}}`);
}

/** The reply of a gateway's router for an unknown path. */
export const noSuchPage: KeysReply = {
  status: 404,
  headers: { "content-type": "text/plain; charset=utf-8" },
  body: "404 page not found\n",
};
