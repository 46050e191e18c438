import { Client } from "undici";
import { AppError, errorText } from "../errors.ts";
import { creationName } from "./key-name.ts";

export interface GatewayOptions {
  /** Where `/tyk/keys` is found: an origin, perhaps with a path. */
  url: URL;
  secret: string;
  /** For one request, from its connection to its answer's end. */
  timeoutMs: number;
  /** Whether the sessions' keys are hashes, as in a gateway with hash_keys. */
  hashedKeys: boolean;
}

export interface Answer {
  status: number;
  /** What the gateway itself says of an error; empty for another's answer, such as a proxy's page. */
  message: string;
}

/** A gateway's API of keys. Both throw dependency-failed when there is no answer. */
export interface Gateway {
  put(key: string, session: string, orgId: string): Promise<Answer>;
  remove(key: string, orgId: string): Promise<Answer>;
  close(): Promise<void>;
}

const MAX_ANSWER_BYTES = 64 * 1024;
const MESSAGE_CHARS = 500;

/** Without the address policy of scripts: the operator names this address, and it mostly is a private one. */
export function connectGateway({ url, secret, timeoutMs, hashedKeys }: GatewayOptions): Gateway {
  const keys = `${url.pathname.replace(/\/+$/, "")}/tyk/keys`;
  const client = new Client(url.origin, {
    connect: { timeout: timeoutMs },
    maxResponseSize: MAX_ANSWER_BYTES,
    headersTimeout: 0, // the signal is the deadline
    bodyTimeout: 0,
  });

  async function send(method: string, key: string, query: Record<string, string>, body?: string) {
    // Any value of `hashed` means yes, even false.
    const parameters = new URLSearchParams({ ...query, ...(hashedKeys && { hashed: "true" }) });
    try {
      const response = await client.request({
        method,
        path: `${keys}/${encodeURIComponent(key)}?${parameters}`,
        headers: {
          "x-tyk-authorization": secret,
          ...(body !== undefined && { "content-type": "application/json" }),
        },
        body: body ?? null,
        signal: AbortSignal.timeout(timeoutMs),
      });
      const text = await response.body.text();
      return { status: response.statusCode, message: messageOf(text, [secret, key]) };
    } catch (cause) {
      throw new AppError("dependency-failed", `no answer from the gateway: ${errorText(cause)}`, { cause });
    }
  }

  return {
    async put(key, session, orgId) {
      // Else the gateway starts the key's quota anew with each change.
      const keepsQuota = { suppress_reset: "1" };
      const answer = await send("PUT", key, keepsQuota, session);
      // PUT makes no key, and no key is made from a hash.
      if (!isKeyUnknown(answer) || hashedKeys) return answer;
      return send("POST", creationName(key, orgId), keepsQuota, session);
    },
    async remove(key, orgId) {
      const answer = await send("DELETE", key, orgId ? { org_id: orgId } : {});
      return isKeyUnknown(answer) ? { status: 200, message: "" } : answer;
    },
    close: () => client.close(),
  };
}

/** A wrong GATEWAY_URL answers 404 too, but not in the gateway's form. */
const isKeyUnknown = ({ status, message }: Answer) => status === 404 && message !== "";

function messageOf(text: string, hidden: string[]): string {
  try {
    const { status, message } = JSON.parse(text) as { status?: unknown; message?: unknown };
    if (status !== "error" || typeof message !== "string") return "";
    return hidden.reduce((shown, part) => shown.replaceAll(part, "***"), message).slice(0, MESSAGE_CHARS);
  } catch {
    return "";
  }
}
