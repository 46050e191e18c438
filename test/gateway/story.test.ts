// Beside a gateway, over the real protocols: what a user would meet.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { startTestStack, type TestStack } from "../helpers/stack.ts";
import { type RunningGateway, startGateway } from "./server.ts";

const ORG = "5e9d9544a1dcd60001d0ed20";
const SECRET = "a-secret-of-tests";
const HANDLERS = `
function edit(name, change) {
  globalThis[name] = new TykJS.TykEventHandlers.NewEventHandler({});
  globalThis[name].NewHandler(function (event, context) {
    var session = JSON.parse(TykGetKeyData(event.Meta.Key, context.APIID));
    if (session.status === "error") return log("no session");
    change(session, event);
    TykSetKeyData(event.Meta.Key, JSON.stringify(session), 1);
  });
}
edit("tagger", function (session) { session.tags = (session.tags || []).concat("seen"); });
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

describe("beside a gateway", () => {
  let folder = "";
  let running: RunningGateway;
  let stack: TestStack;
  let serial = 0;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "gatehook-story-"));
    await mkdir(join(folder, "apis"));
    await mkdir(join(folder, "handlers"));
    await writeFile(join(folder, "apis/api1.json"), JSON.stringify(API));
    await writeFile(join(folder, "handlers/handlers.js"), HANDLERS);
    running = await startGateway({
      now: Date.now,
      config: {
        secret: SECRET,
        hash_keys: false,
        hash_key_function: "",
        enable_hashed_keys_listing: true,
        disable_cached_session_state: false,
        apis: [{ api_id: "api1", org_id: ORG, session_lifetime: 0, proxy: { listen_path: "/api1/" } }],
        policies: [],
      },
    });
    stack = await startTestStack({
      folder,
      env: { ...process.env, GATEWAY_URL: running.url, GATEWAY_SECRET: SECRET, GATEWAY_CACHE_SECONDS: "1" },
    });
  });
  after(async () => {
    await stack.close();
    await running.close();
    await rm(folder, { recursive: true });
  });

  const next = () => {
    serial += 1;
    return serial;
  };
  const keyFor = (name: string) => `${ORG}${name}${next()}`;
  async function admin(method: string, key: string, session?: object) {
    const query = method === "PUT" ? "?suppress_reset=1" : "";
    const response = await fetch(`${running.url}/tyk/keys/${key}${query}`, {
      method,
      headers: { "x-tyk-authorization": SECRET },
      ...(session && { body: JSON.stringify(session) }),
    });
    const body = (await response.json()) as Record<string, unknown>;
    return response.status === 200 ? body : undefined;
  }
  const create = (key: string) =>
    admin("POST", key, {
      org_id: ORG,
      rate: 100,
      per: 60,
      quota_max: 1_000,
      quota_renewal_rate: 3_600,
      access_rights: { api1: { api_id: "api1", versions: ["Default"] } },
    });
  const use = async (key: string) =>
    (await fetch(`${running.url}/api1/get`, { headers: { authorization: key } })).status;
  async function send(Type: string, Key: string, api = "api1") {
    const id = `e${next()}`;
    const event = { id, event: { Type, Meta: { Key }, TimeStamp: "" } };
    assert.equal((await stack.post(api, JSON.stringify(event))).status, 202);
    await stack.fact(({ message, fields }) => message === "event done" && fields.event_id === id);
  }
  async function until<T>(look: () => Promise<T>, isRight: (found: T) => boolean): Promise<T> {
    for (;;) {
      const found = await look();
      if (isRight(found)) return found;
      await delay(20);
    }
  }
  const tagsOf = (session: Record<string, unknown> | undefined) => (session?.tags ?? []) as string[];

  it("a handler's change of a key that only the gateway had arrives there, with nobody importing anything", async () => {
    const key = keyFor("k");
    await create(key);
    await send("KeyExpired", key);
    const session = await until(
      () => admin("GET", key),
      (found) => tagsOf(found).includes("seen"),
    );
    assert.equal(session?.rate, 100);
    assert.equal((await stack.session(key))?.rate, 100, "and the table has a copy");
  });

  it("a key that was revoked stays revoked, however much it is used", async () => {
    const key = keyFor("k");
    await create(key);
    await send("KeyExpired", key);
    await until(
      () => admin("GET", key),
      (found) => tagsOf(found).includes("seen"),
    );
    await admin("DELETE", key);
    for (let nth = 0; nth < 3; nth += 1) {
      assert.equal(await use(key), 403);
      await send("AuthFailure", key);
    }
    // What the handlers made of the copy is refused, and the row becomes a tombstone.
    await until(
      () => stack.session(key),
      (session) => session === undefined,
    );
    assert.equal(await use(key), 403);
    assert.equal(await admin("GET", key), undefined);
    await send("AuthFailure", key);
    assert.equal(await use(key), 403);
  });

  it("a key that was blocked stays blocked, and an admin's edits stay", async () => {
    const key = keyFor("k");
    await create(key);
    await send("KeyExpired", key);
    const session = await until(
      () => admin("GET", key),
      (found) => tagsOf(found).includes("seen"),
    );
    await admin("PUT", key, { ...session, is_inactive: true, rate: 7, alias: "mine", tags: ["admin"] });
    await send("KeyExpired", key);
    const found = await until(
      () => admin("GET", key),
      (there) => tagsOf(there).includes("seen"),
    );
    assert.deepEqual([found?.is_inactive, found?.rate, found?.alias], [true, 7, "mine"]);
    assert.equal(await use(key), 403);
  });

  it("a handler's removal of a key arrives there", async () => {
    const key = keyFor("k");
    await create(key);
    await send("QuotaExceeded", key);
    await until(
      () => admin("GET", key),
      (found) => found === undefined,
    );
    assert.equal(await use(key), 403);
  });

  it("the gateway's own events keep the copy as it has it, with no gateway.json", async () => {
    const key = keyFor("k");
    await create(key);
    await send("KeyExpired", key);
    const session = await until(
      () => admin("GET", key),
      (found) => tagsOf(found).includes("seen"),
    );
    await admin("PUT", key, { ...session, alias: "renamed" });
    await send("TokenUpdated", key, "gateway");
    await until(
      () => stack.session(key),
      (copy) => copy?.alias === "renamed",
    );
    await admin("DELETE", key);
    await send("TokenDeleted", key, "gateway");
    await until(
      () => stack.session(key),
      (copy) => copy === undefined,
    );
    await create(key);
    await send("TokenCreated", key, "gateway");
    await until(
      () => stack.session(key),
      (copy) => copy !== undefined,
    );
  });

  it("a key that nobody has gets no row by the gateway's events", async () => {
    const key = keyFor("never");
    await send("TokenCreated", key, "gateway");
    assert.equal(await stack.session(key), undefined);
  });
});
