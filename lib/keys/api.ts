import { AppError, errorText } from "../errors.ts";
import type { KeyRequest, KeysDeps } from "./deps.ts";
import { rawKey } from "./find.ts";
import { listKeys } from "./list.ts";
import { deleteKey, getKey } from "./read.ts";
import { type KeysReply, noSuchPage, problem } from "./reply.ts";
import { createKey, postKey, previewKey, putKey } from "./write.ts";

/** Everything below `/tyk/`: other paths are answered as by a gateway that does not have them. */
export const KEYS_ROUTE = "ANY /tyk/{path+}";

/** A request to the key API, from any HTTP edge. */
export interface KeysRequest {
  method: string;
  /** Decoded, such as `/tyk/keys/create`. */
  path: string;
  query: Record<string, string>;
  /** The header X-Tyk-Authorization. */
  secret: string | undefined;
  body: string;
}

const FORBIDDEN = problem(403, "Attempted administrative access with invalid or missing key!");
const KEYS = /^\/tyk\/keys(?:\/([^/]+))?\/?$/;

/**
 * The gateway's key API on the sessions table. It behaves like a gateway without policies, with the APIs of the live
 * release.
 */
export function createKeysApi(deps: KeysDeps): (request: KeysRequest) => Promise<KeysReply> {
  return async (request) => {
    const { path, query, secret = "" } = request;
    const clean = cleaned(path);
    if (clean !== path) return moved(clean, query);
    if (!deps.isSecret(secret)) return FORBIDDEN;
    try {
      return await answer(deps, request);
    } catch (thrown) {
      if (thrown instanceof AppError && thrown.status < 500) return problem(thrown.status, thrown.message);
      deps.log.error("request failed", { error: errorText(thrown) });
      return problem(500, "the request failed; the log says why");
    }
  };
}

async function answer(deps: KeysDeps, { method, path, query, body }: KeysRequest): Promise<KeysReply> {
  const match = KEYS.exec(path);
  if (!match) return noSuchPage;
  const [, name = ""] = match;
  const request: KeyRequest = { name, query, body };
  switch (method) {
    case "GET":
      return name === "" ? listKeys(deps, request) : byUser(deps, request, getKey);
    case "POST":
      if (name === "create") return createKey(deps, request);
      return name === "preview" ? previewKey(deps, request) : postKey(deps, request);
    case "PUT":
      return byUser(deps, request, putKey);
    case "DELETE":
      return byUser(deps, request, deleteKey);
    default:
      return problem(405, "Method not supported");
  }
}

/**
 * With `username=true` the name is that of a basic-auth user; users that are older than the hash function have the
 * plain name.
 */
async function byUser(
  deps: KeysDeps,
  request: KeyRequest,
  act: (deps: KeysDeps, request: KeyRequest) => Promise<KeysReply>,
): Promise<KeysReply> {
  const { name, query } = request;
  if (query.username !== "true") return act(deps, request);
  const reply = await act(deps, { ...request, name: rawKey(deps, query.org_id ?? "", name) });
  return reply.status !== 200 && deps.hashFunction ? act(deps, request) : reply;
}

/** A gateway's router redirects a request for an unclean path to the clean one. */
function moved(path: string, query: Record<string, string>): KeysReply {
  const search = new URLSearchParams(query).toString();
  const location = path.split("/").map(encodeURIComponent).join("/") + (search && `?${search}`);
  return { status: 301, headers: { location }, body: "" };
}

function cleaned(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "..") kept.pop();
    else if (segment !== "" && segment !== ".") kept.push(segment);
  }
  return `/${kept.join("/")}${path.endsWith("/") && kept.length > 0 ? "/" : ""}`;
}
