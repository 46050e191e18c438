import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { request } from "node:http";
import { after, before, describe, it } from "node:test";
import { type Service, startDynamo } from "../../local/dynamodb.ts";
import { startFunction } from "../../local/lambda/lambda.ts";
import { startQueueAndBucket } from "../../local/queue-and-bucket.ts";
import { EMBEDDED, runCli } from "../helpers/cli.ts";
import { definition, newFolder, startDevWith } from "../helpers/dev.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";

/** What a web page may make of a browser on this machine: by a name of its own that resolves here, or across origins. */
const PAGES = {
  "a name that resolves to this machine": (port: string) => ({ host: `evil.example:${port}` }),
  "a name that begins like loopback": (port: string) => ({ host: `127.0.0.1.evil.example:${port}` }),
  "a page of elsewhere": (port: string) => ({
    host: `127.0.0.1:${port}`,
    origin: "https://evil.example",
    "sec-fetch-site": "cross-site",
    "content-type": "text/plain",
  }),
  "a page without an origin of its own": (port: string) => ({ host: `localhost:${port}`, origin: "null" }),
  "a page of another port": (port: string) => ({ host: `localhost:${port}`, "sec-fetch-site": "same-site" }),
};

function send(
  base: string,
  headers: Record<string, string>,
  { method = "GET", path = "/", body = "" } = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(base + path, { method, headers, setHost: false });
    sent.once("response", (answer) => resolve(answer.resume().statusCode ?? 0)).once("error", reject);
    sent.end(body);
  });
}

describe("a web page, beside the local stack,", () => {
  let stack: TestStack;
  before(async () => {
    stack = await startTestStack();
  });
  after(() => stack.close());

  const KEY = "page-key";
  const SESSION = { expires: 4_000_000_000, access_rights: { demo: { api_id: "demo" } } };

  for (const [who, headersFor] of Object.entries(PAGES)) {
    const status = who.includes("name") ? 421 : 403;

    it(`has no way to sessions and events: ${who}`, async () => {
      await stack.storeSession(KEY, SESSION);
      const queued: unknown[] = [];
      const stop = stack.facts.listen((fact) => fact.message === "event queued" && queued.push(fact));
      const headers = headersFor(new URL(stack.url).port);
      const event = JSON.stringify({ id: "page-event", event: { Type: "KeyExpired", Meta: { Key: KEY } } });
      const path = `/sessions/${KEY}`;
      assert.equal(await send(stack.url, headers, { path }), status);
      assert.equal(await send(stack.url, headers, { path, method: "PUT", body: "{}" }), status);
      assert.equal(await send(stack.url, headers, { path, method: "DELETE" }), status);
      assert.equal(
        await send(stack.url, headers, { path: "/events/demo", method: "POST", body: event }),
        status,
      );
      assert.deepEqual(await stack.session(KEY), SESSION);
      // What comes after it is taken, so it would have been heard of before.
      const taken = stack.fact(
        ({ message, fields }) => message === "event queued" && fields.event_id === who,
      );
      await stack.post("demo", JSON.stringify({ id: who, event: { Type: "HostDown", Meta: {} } }));
      await taken;
      stop();
      assert.equal(queued.length, 1);
    });
  }
});

describe("a web page, beside the embedded services,", () => {
  let service: Service;
  before(async () => {
    service = await startQueueAndBucket({ region: "us-east-1" });
  });
  after(() => service.close());

  for (const [who, headersFor] of Object.entries(PAGES)) {
    it(`has no way to queues and files of the bucket: ${who}`, async () => {
      const status = who.includes("name") ? 421 : 403;
      const { endpoint } = service;
      const { port, host } = new URL(endpoint);
      const asked = (action: string) => ({
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": `AmazonSQS.${action}`,
      });
      const create = { method: "POST", body: JSON.stringify({ QueueName: "of-a-page" }) };
      assert.equal(await send(endpoint, { ...asked("CreateQueue"), ...headersFor(port) }, create), status);
      assert.equal(await send(endpoint, headersFor(port), { path: "/bucket", method: "PUT" }), status);
      const queues = await fetch(endpoint, { method: "POST", headers: asked("ListQueues"), body: "{}" });
      assert.deepEqual([queues.status, (await queues.text()).includes("of-a-page")], [200, false]);
      assert.equal(await send(endpoint, { host }, { path: "/bucket/file" }), 404);
    });
  }

  it("finds no table: the engine, which answers every page, is at an address that none can guess", async () => {
    const engines = await Promise.all([startDynamo(), startDynamo()]);
    await Promise.all(engines.map(({ close }) => close()));
    const hosts = engines.map(({ endpoint }) => new URL(endpoint).hostname);
    for (const host of hosts) assert.match(host, /^127\./);
    assert.equal(new Set([...hosts, "127.0.0.1"]).size, 3);
  });
});

it("no web page takes a function's invocation, or answers it", async () => {
  const runtimeApi = Promise.withResolvers<string>();
  // It tells where its Runtime API is, and answers when it is asked a second time.
  const code = `
    export const main = async ({ tell }) => {
      if (tell) console.log(process.env.AWS_LAMBDA_RUNTIME_API);
      return "its own answer";
    };
  `;
  const taskRoot = await newFolder({ "page.mjs": code });
  const local = await startFunction({
    name: "page",
    handler: "page.main",
    taskRoot,
    moduleEnding: ".mjs",
    env: {},
    timeoutMs: 10_000,
    onLine: (line) => runtimeApi.resolve(`http://${line}`),
  });
  try {
    await local.invoke({ tell: true });
    const api = await runtimeApi.promise;
    for (const headersFor of Object.values(PAGES)) {
      const headers = headersFor(new URL(api).port);
      const base = "/2018-06-01/runtime";
      for (const what of [
        { path: `${base}/invocation/next` },
        { path: `${base}/init/error`, method: "POST", body: "{}" },
        { path: `${base}/invocation/x/response`, method: "POST", body: `"forged"` },
      ])
        assert.ok([403, 421].includes(await send(api, headers, what)), what.path);
      assert.equal(await local.invoke({}), "its own answer");
    }
  } finally {
    await local.close();
    await rm(taskRoot, { recursive: true });
  }
});

describe("gatehook dev --allow-host", () => {
  it("lets requests in by a further name, and by no other", async () => {
    const folder = await newFolder({ "apis/demo.json": definition("demo", {}) });
    const dev = startDevWith(EMBEDDED, folder, "--no-demo", "--allow-host", "host.docker.internal");
    try {
      const [, url = ""] = await dev.says(/ready at (\S+)/);
      const event = {
        method: "POST",
        path: "/events/demo",
        body: `{"Type":"HostDown","Meta":{},"TimeStamp":""}`,
      };
      assert.equal(await send(url, { host: "host.docker.internal:3000" }, event), 202);
      assert.equal(await send(url, { host: "evil.example" }, event), 421);
    } finally {
      await dev.end();
      await rm(folder, { recursive: true });
    }
  });

  for (const name of [
    "",
    "*",
    "*.test",
    "http://gatehook",
    "gatehook/",
    "a b",
    "gatehook:",
    "-a",
    "a..b",
    "::1",
  ])
    it(`refuses ${JSON.stringify(name)}, which is not a host`, async () => {
      const { code, stderr } = await runCli(["dev", "--allow-host", name]);
      assert.equal(code, 2);
      assert.match(stderr, /--allow-host.*must be a host's name or address as in a URL/s);
    });
});
