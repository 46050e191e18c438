import type { Pool } from "undici";
import { AppError, errorText } from "../errors.ts";
import { isObject, parsedJson } from "../json.ts";
import { textOfMembers } from "../sessions/session.ts";
import type { Members } from "./merge.ts";

/** `timeoutMs` in ms; 16 connections by default. */
export interface GatewayOptions {
  /** The base URL of `/tyk/keys`: an origin, optionally with a path. */
  url: URL;
  secret: string;
  /** For one request, from its connection to the end of its response. */
  timeoutMs: number;
  /** Whether keys are named by their hashes: `HASH_KEYS` is set. */
  hashed: boolean;
  /** Concurrent requests. */
  connections?: number;
}

/** The gateway's session of a key. `text` is the session as the gateway printed it. */
export type Look = { text: string; session: Members } | "missing";

/**
 * The gateway's answer to a change. `message` is the gateway's own message; empty if something else answered, such as a
 * proxy.
 */
export type Answer =
  | { kind: "done" }
  | { kind: "missing" }
  /** It will never accept this change. */
  | { kind: "refused"; status: number; message: string }
  /**
   * A 500 with its own message: its store is unavailable, or it cannot store this session; only time distinguishes
   * them.
   */
  | { kind: "failed"; status: number; message: string };

/**
 * A gateway's key API. All methods throw dependency-failed if there is no answer, or an answer that is about the
 * secret, the address or the load, not about the key.
 */
export interface Gateway {
  /** With `apiId`, as TykGetKeyData of that API: custom names are resolved. */
  get(key: string, query?: { apiId?: string; orgId?: string; hashed?: boolean }): Promise<Look>;
  /** `reset`: the quota is reset, with `quota_remaining` of this session. */
  put(key: string, session: Members, options: { reset: boolean }): Promise<Answer>;
  /** Creates the key with this name. It would overwrite an existing one. */
  create(name: string, session: Members): Promise<Answer>;
  remove(key: string, orgId: string): Promise<Answer>;
  /** All keys that it lists: raw keys, or hashes if it stores hashes. */
  list(): Promise<string[]>;
  close(): Promise<void>;
}

/** A session in a row has at most 380 KiB; the gateway's own may be a little larger. */
const MAX_ANSWER_BYTES = 1024 * 1024;
const MAX_LIST_BYTES = 64 * 1024 * 1024;
const MESSAGE_CHARS = 500;
const CONNECTIONS = 16;

interface Raw {
  status: number;
  text: string;
}

/** One request to the gateway, below `/tyk/keys`; throws dependency-failed if there is no answer. */
export type Transport = (request: {
  method: "GET" | "PUT" | "POST" | "DELETE";
  path: string;
  body?: string;
  maxBytes: number;
}) => Promise<Raw>;

/** Without the address policy of scripts, since the operator sets this address, and it is usually private. */
export function connectGateway(options: GatewayOptions): Gateway {
  const { url, secret, timeoutMs } = options;
  const keys = `${url.pathname.replace(/\/+$/, "")}/tyk/keys`;
  let pool: Promise<Pool> | undefined;

  /**
   * Loaded with the first request: undici is half of the code of these functions, and most cold starts make no request.
   */
  async function open(): Promise<Pool> {
    const { default: undici } = await import("undici");
    return new undici.Pool(url.origin, {
      connections: options.connections ?? CONNECTIONS,
      connect: { timeout: timeoutMs },
      headersTimeout: 0, // the signal is the deadline
      bodyTimeout: 0,
    });
  }

  const transport: Transport = async ({ method, path, body, maxBytes }) => {
    try {
      pool ??= open();
      const response = await (await pool).request({
        method,
        path: keys + path,
        headers: {
          "x-tyk-authorization": secret,
          ...(body !== undefined && { "content-type": "application/json" }),
        },
        body: body ?? null,
        signal: AbortSignal.timeout(timeoutMs),
      });
      return { status: response.statusCode, text: await textOf(response.body, maxBytes) };
    } catch (cause) {
      throw new AppError("dependency-failed", `no answer from the gateway: ${errorText(cause)}`, { cause });
    }
  };
  return createGateway(transport, options, async () => (await pool)?.close());
}

async function textOf(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new Error(`an answer of more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** The key API over any transport. */
export function createGateway(
  transport: Transport,
  { secret, hashed }: Pick<GatewayOptions, "secret" | "hashed">,
  close: () => Promise<void> = async () => {},
): Gateway {
  const send = (
    method: "GET" | "PUT" | "POST" | "DELETE",
    path: string,
    { body, maxBytes = MAX_ANSWER_BYTES }: { body?: Members; maxBytes?: number } = {},
  ) => transport({ method, path, maxBytes, ...(body !== undefined && { body: textOfMembers(body) }) });

  /** The path of a key. Any value of `hashed` means yes to a gateway, even false. */
  function place(key: string, query: Record<string, string | undefined> = {}, isHash = hashed): string {
    const parameters = new URLSearchParams(isHash ? { hashed: "true" } : {});
    for (const [name, value] of Object.entries(query)) if (value) parameters.set(name, value);
    return `/${encodeURIComponent(key)}${parameters.size > 0 ? `?${parameters}` : ""}`;
  }

  const answerOf = (raw: Raw, key: string): Answer => {
    const { status } = raw;
    // A page of a proxy may have status 200 too.
    if (status === 200 && objectIn(raw.text)?.status === "ok") return { kind: "done" };
    const message = messageOf(raw, [secret, key]);
    if (status === 404 && message) return { kind: "missing" };
    if (status === 500 && message) return { kind: "failed", status, message };
    if (status >= 400 && status < 500 && status !== 404 && !ELSEWHERE.has(status))
      return { kind: "refused", status, message };
    throw unhelpful(raw, message);
  };

  return {
    async get(key, { apiId, orgId, hashed: isHash } = {}) {
      const raw = await send("GET", place(key, { api_id: apiId, org_id: orgId }, isHash));
      const session = raw.status === 200 ? objectIn(raw.text) : undefined;
      if (session) return { text: raw.text, session };
      const message = messageOf(raw, [secret, key]);
      if (raw.status === 404 && message) return "missing";
      throw unhelpful(raw, message);
    },
    put: async (key, session, { reset }) =>
      answerOf(await send("PUT", place(key, reset ? {} : { suppress_reset: "1" }), { body: session }), key),
    create: async (name, session) =>
      answerOf(await send("POST", place(name, { suppress_reset: "1" }, false), { body: session }), name),
    remove: async (key, orgId) => answerOf(await send("DELETE", place(key, { org_id: orgId })), key),
    async list() {
      const raw = await send("GET", "", { maxBytes: MAX_LIST_BYTES });
      const listed = raw.status === 200 ? objectIn(raw.text)?.keys : undefined;
      if (!Array.isArray(listed)) throw unhelpful(raw, messageOf(raw, [secret]));
      return listed.filter((key): key is string => typeof key === "string");
    },
    close,
  };
}

/** Whether this is the answer of a gateway without hashed keys to a request by hash. */
export const saysNotHashed = (thrown: unknown) =>
  thrown instanceof AppError && / answered 400\b/.test(thrown.message);

/** The same gateway, but changes throw dependency-failed. */
export function readOnly(gateway: Gateway): Gateway {
  const refuse = async () => {
    throw new AppError("dependency-failed", "the gateway is only to be read here");
  };
  return { ...gateway, put: refuse, create: refuse, remove: refuse };
}

/** These answers are about the secret, the address or the load, not about the change. */
const ELSEWHERE = new Set([401, 403, 405, 407, 408, 425, 429]);

const unhelpful = ({ status }: Raw, message: string) =>
  new AppError("dependency-failed", `the gateway answered ${status} ${message}`.trimEnd());

/** The object of a JSON text; undefined for anything else, such as an HTML page, or a truncated body. */
function objectIn(text: string): Members | undefined {
  const value = parsedJson(text);
  return isObject(value) ? value : undefined;
}

function messageOf({ text }: Raw, hidden: string[]): string {
  const { status, message } = objectIn(text) ?? {};
  if (status !== "error" || typeof message !== "string") return "";
  return hidden
    .reduce((shown, part) => (part ? shown.replaceAll(part, "***") : shown), message)
    .slice(0, MESSAGE_CHARS);
}
