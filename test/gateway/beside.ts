import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startTestStack, type TestStack } from "../helpers/stack.ts";
import { plainConfig } from "./config.ts";
import { type RunningGateway, startGateway } from "./server.ts";

export const ORG = "5e9d9544a1dcd60001d0ed20";
const SECRET = "a-secret-of-tests";

/** AuthFailure and KeyExpired add a tag, QuotaExceeded removes the key. */
const HANDLERS = `
var tagger = new TykJS.TykEventHandlers.NewEventHandler({});
tagger.NewHandler(function (event, context) {
  var session = JSON.parse(TykGetKeyData(event.Meta.Key, context.APIID));
  if (session.status === "error") return log("no session");
  session.tags = (session.tags || []).concat("seen");
  TykSetKeyData(event.Meta.Key, JSON.stringify(session), 1);
});
var remover = new TykJS.TykEventHandlers.NewEventHandler({});
remover.NewHandler(function (event, context) { TykDelKeyData(event.Meta.Key, context.APIID); });
`;
const names = (name: string) => [
  { handler_name: "eh_dynamic_handler", handler_meta: { name, path: "handlers.js" } },
];
const API = {
  api_id: "api1",
  org_id: ORG,
  name: "Api 1",
  event_handlers: {
    events: { AuthFailure: names("tagger"), KeyExpired: names("tagger"), QuotaExceeded: names("remover") },
  },
};

type Members = Record<string, unknown>;

/** The local stack beside a gateway of its own, over HTTP. */
export interface Beside {
  stack: TestStack;
  gateway: RunningGateway["gateway"];
  /** An admin's request; the answer, undefined for any but 200. */
  admin(method: string, key: string, session?: object, query?: string): Promise<Members | undefined>;
  /** Makes a key there; its full name. */
  create(name: string): Promise<string>;
  /** The status that a client gets with this key. */
  use(key: string): Promise<number>;
  /** Has an event of this type run to its end; `apiId` is that of the API with the handlers, if nothing is said. */
  send(Type: string, Key: string, apiId?: string): Promise<void>;
  /** People's way to the table. */
  sessions(method: string, path: string, body?: object): Promise<{ status: number; body: Members }>;
  close(): Promise<void>;
}

interface Access {
  url: string;
  secret: string;
}

/** The gateway that TYK_GATEWAY_URL and TYK_GATEWAY_SECRET name; see transcripts.test.ts for what it has to have. */
export function runningGateway(
  { TYK_GATEWAY_URL: url, TYK_GATEWAY_SECRET: secret = "" } = process.env,
): Access | undefined {
  return url ? { url: url.replace(/\/$/, ""), secret } : undefined;
}

export async function startBeside(options: {
  hashKeys: boolean;
  hashKeyFunction: string;
  /** Instead of one of our own, whose requests can be seen. */
  running?: Access | undefined;
  settings?: Record<string, string>;
  onLine?: (name: string, line: string) => void;
}): Promise<Beside> {
  const folder = await mkdtemp(join(tmpdir(), "gatehook-beside-"));
  await mkdir(join(folder, "apis"));
  await mkdir(join(folder, "handlers"));
  await writeFile(join(folder, "apis/api1.json"), JSON.stringify(API));
  await writeFile(join(folder, "handlers/handlers.js"), HANDLERS);
  const running = await startGateway({
    now: Date.now,
    config: plainConfig(ORG, { hash_keys: options.hashKeys, hash_key_function: options.hashKeyFunction }),
  });
  const { url, secret } = options.running ?? { url: running.url, secret: SECRET };
  const gateway = {
    GATEWAY_URL: url,
    GATEWAY_SECRET: secret,
    GATEWAY_CACHE_SECONDS: options.running ? "11" : "1",
  };
  const stack = await startTestStack({
    folder,
    settings: { ...gateway, ...options.settings },
    ...(options.onLine && { onLine: options.onLine }),
  });
  let serial = 0;

  async function admin(method: string, key: string, session?: object, query = "") {
    const response = await fetch(`${url}/tyk/keys/${encodeURIComponent(key)}${query}`, {
      method,
      headers: { "x-tyk-authorization": secret },
      ...(session && { body: JSON.stringify(session) }),
    });
    const body = (await response.json()) as Members;
    return response.status === 200 ? body : undefined;
  }

  return {
    stack,
    gateway: running.gateway,
    admin,
    async create(name) {
      const made = await admin("POST", name, {
        org_id: ORG,
        rate: 100,
        per: 60,
        quota_max: 1_000,
        quota_renewal_rate: 3_600,
        access_rights: { api1: { api_id: "api1", versions: ["Default"] } },
      });
      return String(made?.key);
    },
    use: async (key) => (await fetch(`${url}/api1/get`, { headers: { authorization: key } })).status,
    async send(Type, Key, apiId = "api1") {
      serial += 1;
      const id = `e${serial}`;
      const body = JSON.stringify({ id, event: { Type, Meta: { Key }, TimeStamp: "" } });
      assert.equal((await stack.post(apiId, body)).status, 202);
      await stack.fact(({ message, fields }) => message === "event done" && fields.event_id === id);
    },
    async sessions(method, path, body) {
      const response = await fetch(`${stack.url}/sessions${path}`, {
        method,
        ...(body && { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: (await response.json()) as Members };
    },
    async close() {
      await stack.close();
      await running.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** Looks until what is found is right. */
export async function until<T>(look: () => Promise<T>, isRight: (found: T) => boolean): Promise<T> {
  for (;;) {
    const found = await look();
    if (isRight(found)) return found;
    await delay(20);
  }
}

export const tagsOf = (session: Members | undefined) => (session?.tags ?? []) as string[];
