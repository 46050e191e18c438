/**
 * A gateway in process: its key API, its health, and what a client of its APIs meets, as a real one was recorded
 * (transcripts.json, write-back.json). Time is the clock's that it is given, so a test's waits cost nothing.
 */
import { type InFlight, startClientRequest } from "./client.ts";
import type { GatewayConfig } from "./config.ts";
import { type GatewayEvent, timeStamp } from "./events.ts";
import { always, type Fault, type FaultPlan } from "./faults.ts";
import { createHealth } from "./health.ts";
import type { Parts } from "./parts.ts";
import { badRequest, problem, type Reply } from "./reply.ts";
import { route } from "./routes.ts";
import { createSessions } from "./sessions.ts";
import { createStore } from "./store.ts";

export interface GatewayRequest {
  method: string;
  /** As on the wire: escaped, with its query. */
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

export interface Answer extends Reply {
  /** What was fired meanwhile. */
  events: GatewayEvent[];
  /** How late it comes. */
  tookMs: number;
  /** After how many bytes of the body the connection breaks; undefined where it holds. `status` 0 is no answer. */
  cutAfter?: number;
}

export interface GatewayOptions {
  config: GatewayConfig;
  /** Unix ms. */
  now: () => number;
  /** 32 hex digits, for the keys that `POST /tyk/keys/create` makes; counts up if left out. */
  random?: () => string;
}

export interface Gateway {
  request(request: GatewayRequest): Answer;
  /** A client's request with this key, to the first API, or to another one. */
  use(presentedKey: string, apiId?: string): Answer;
  /** The same up to where the session is found; what happens before `finish` is what its write-back undoes. */
  begin(presentedKey: string, apiId?: string): { finish(): Answer };
  /** What is wrong from now on; without a plan all is well again. */
  disturb(plan?: FaultPlan): void;
  /** As a Redis that comes back empty. */
  wipe(): void;
  /** What was asked of it, in order, with the status of the answer. */
  requests: (GatewayRequest & { status: number })[];
  /** All events that it fired. */
  events: GatewayEvent[];
}

const FORBIDDEN = "Attempted administrative access with invalid or missing key!";

export function createGateway({ config, now, random = counting() }: GatewayOptions): Gateway {
  const requests: Gateway["requests"] = [];
  const events: GatewayEvent[] = [];
  let plan = always();
  const isDownAt = (at: number) => plan(at).some(({ kind }) => kind === "store-down");
  const health = createHealth({ now, isDownAt });
  const store = createStore({ now, isDown: () => isDownAt(now()) });
  const sessions = createSessions({ config, store, now });
  const parts: Parts = { config, store, sessions, now, random, fire };

  function fire(Type: string, Meta: Record<string, unknown>, api?: string): void {
    events.push({ ...(api !== undefined && { api }), Type, Meta, TimeStamp: timeStamp(now()) });
  }

  /** Does the work in the middle of whatever is wrong now. */
  function answer(work: () => Reply): Answer {
    const first = events.length;
    const faults = plan(now());
    const isReached = !faults.some(
      ({ kind }) => kind === "unreachable" || kind === "redirect" || kind === "html",
    );
    const reply = isReached ? work() : NO_REPLY;
    const plain = { ...reply, events: events.slice(first), tookMs: 0 };
    return faults.reduce<Answer>(disturbed, plain);
  }

  function serve({ method, path: target, headers = {}, body = "" }: GatewayRequest): Reply {
    const [escaped = "", query = ""] = target.split(/\?(.*)/s);
    const path = unescaped(escaped);
    if (path === undefined) return badRequest;
    if (!isClean(path)) return { status: 301, headers: { location: cleaned(path) }, body: "" };
    if (method === "GET" && path === "/hello") return health.hello();
    if (method === "GET" && path === "/ready") return health.ready();
    const lower = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
    );
    if (!path.startsWith("/tyk/"))
      return startClientRequest(parts, { method, path: target, headers: lower, body }).finish();
    const isSecretWrong = plan(now()).some(({ kind }) => kind === "wrong-secret");
    if (isSecretWrong || lower["x-tyk-authorization"] !== config.secret) return problem(403, FORBIDDEN);
    const inner = path.slice("/tyk".length).replace(/\/+$/, "");
    return route(parts, { method, path: inner, query: new URLSearchParams(query), body });
  }

  function begin(presentedKey: string, apiId?: string) {
    const api = config.apis.find(({ api_id }) => apiId === undefined || api_id === apiId);
    const path = `${api?.proxy.listen_path}x`;
    const headers = { authorization: presentedKey };
    let started: InFlight | undefined;
    const refusal = answer(() => {
      started = startClientRequest(parts, { method: "GET", path, headers, body: "" });
      return NO_REPLY;
    });
    return {
      finish() {
        const finished = started && answer(started.finish);
        return finished ? { ...finished, events: [...refusal.events, ...finished.events] } : refusal;
      },
    };
  }

  return {
    requests,
    events,
    request(request) {
      const given = answer(() => serve(request));
      requests.push({ ...request, status: given.status });
      return given;
    },
    use: (presentedKey, apiId) => begin(presentedKey, apiId).finish(),
    begin,
    disturb(next = always()) {
      health.catchUp(); // the checks until now saw what was wrong until now
      plan = next;
    },
    wipe: store.clear,
  };
}

const NO_REPLY: Reply = { status: 0, headers: {}, body: "" };

function disturbed(answer: Answer, fault: Fault): Answer {
  switch (fault.kind) {
    case "slow":
      return { ...answer, tookMs: answer.tookMs + fault.ms };
    case "redirect":
      return { ...answer, status: 301, headers: { location: fault.to }, body: "" };
    case "html":
      return { ...answer, status: fault.status, headers: { "content-type": "text/html" }, body: HTML };
    case "cut":
      return { ...answer, cutAfter: fault.bytes };
    case "store-down":
    case "unreachable":
    case "wrong-secret":
      return answer;
  }
}

const HTML = "<html><body><h1>try later</h1></body></html>\n";

/** Undefined for what is no escape. */
function unescaped(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

/** The router sends whoever asks for an unclean path to the clean one. */
const isClean = (path: string) => cleaned(path) === path;

function cleaned(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "..") kept.pop();
    else if (segment !== "" && segment !== ".") kept.push(segment);
  }
  return `/${kept.join("/")}${path.endsWith("/") && kept.length > 0 ? "/" : ""}`;
}

function counting(): () => string {
  let made = 0;
  return () => (made++).toString(16).padStart(32, "0");
}
