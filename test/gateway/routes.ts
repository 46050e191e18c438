import { fullName } from "../../lib/gateway/key-name.ts";
import { apiOf, type Parts } from "./parts.ts";
import { deleteKey, getKey, listKeys } from "./read-keys.ts";
import { json, noSuchPage, problem, type Reply } from "./reply.ts";
import { createKey, type KeyRequest, postKey, previewKey, putKey, setPolicies } from "./write-keys.ts";

/** A request below `/tyk`, with what its path is there. */
export interface ControlRequest {
  method: string;
  /** Decoded, without `/tyk` and without slashes at its end. */
  path: string;
  query: URLSearchParams;
  body: string;
}

type Route = [
  methods: string,
  path: RegExp,
  answer: (parts: Parts, request: ControlRequest, name: string) => Reply,
];

const ROUTES: Route[] = [
  ["POST", /^\/keys\/policy\/([^/]+)$/, (parts, { body }, name) => setPolicies(parts, name, body)],
  ["POST", /^\/keys\/create$/, (parts, { body }) => createKey(parts, body)],
  ["POST", /^\/keys\/preview$/, (parts, { body }) => previewKey(parts, body)],
  ["GET POST PUT DELETE", /^\/keys(?:\/([^/]*))?$/, answerKey],
  ["GET", /^\/org\/keys\/[^/]+$/, () => problem(404, "Org not found")],
  ["GET", /^\/apis\/([^/]+)$/, showApi],
];

export function route(parts: Parts, request: ControlRequest): Reply {
  const fitting = ROUTES.filter(([, path]) => path.test(request.path));
  const chosen = fitting.find(([methods]) => methods.split(" ").includes(request.method));
  if (!chosen) return fitting.length > 0 ? problem(405, "Method not supported") : noSuchPage;
  const [, path, answer] = chosen;
  return answer(parts, request, path.exec(request.path)?.[1] ?? "");
}

function showApi(parts: Parts, _request: ControlRequest, id: string): Reply {
  const api = apiOf(parts, id);
  return api ? json(200, JSON.stringify(api)) : problem(404, "API not found");
}

const KEY_ACTIONS = { GET: getKey, POST: postKey, PUT: putKey, DELETE: deleteKey };

function answerKey(parts: Parts, { method, query, body }: ControlRequest, name: string): Reply {
  if (method === "GET" && name === "") return listKeys(parts, query);
  const act = (given: string) => {
    const request: KeyRequest = { method, name: given, query, body };
    return KEY_ACTIONS[method as keyof typeof KEY_ACTIONS](parts, request);
  };
  const { hash_key_function } = parts.config;
  const isUser = method !== "POST" && query.get("username") === "true";
  const reply = act(isUser ? fullName(hash_key_function, query.get("org_id") ?? "", name) : name);
  // A name that the hash function did not make a key of may be one of before there was a function.
  return isUser && reply.status !== 200 && hash_key_function !== "" ? act(name) : reply;
}
