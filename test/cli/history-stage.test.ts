// What a deployment records: nothing that is secret, in a table that commands read. The engine, the functions and the
// stores are those of the local stack; CloudFormation is a fake that tells where they are.
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { PutItemCommand } from "@aws-sdk/client-dynamodb";
import type { SessionHistory } from "../../console/answers.ts";
import { createRedaction } from "../../lib/history/redact.ts";
import { runCli } from "../helpers/cli.ts";
import { definition, handler, newFolder } from "../helpers/dev.ts";
import { type FakeAws, startFakeAws } from "../helpers/fake-aws.ts";
import {
  createHistoryStores,
  itemsOf,
  itemsWhen,
  textOfItem,
  textsInBucket,
} from "../helpers/history-table.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";
import { startValueStores, type ValueStores } from "../helpers/value-stores.ts";

const CANARY = "canary-4f11e6e3";
const KEY = `key-${CANARY}`;
const SECRET = `secret-${CANARY}`;
const STAGE_SECRET = "the-secret-of-the-stage";
const STORES = "history-of-the-test";

/** Gives the canary to everything that a handler may give it to. */
const LEAKY = (url: string) => `var key = event.Meta.Key;
var session = TykGetKeyData(key, context.APIID);
log("the session of " + key + " is " + session);
var answer = TykMakeHttpRequest(JSON.stringify({
  Method: "POST", Domain: "${url}", Resource: "/for/" + key + "?token=${SECRET}",
  Headers: { Authorization: "Bearer ${SECRET}", "X-Own": "${SECRET}" }, Body: session
}));
log(answer);
log(JSON.parse(answer).Body);
TykStorageSet(key, "${SECRET}");
log(TykStorageGet(key));
var own = JSON.parse(session);
own.rate += 1;
own.meta_data = { note: "${SECRET}, changed" };
TykSetKeyData(key, JSON.stringify(own), 1);
log(JSON.stringify(event));
if (event.Type === "KeyExpired") throw new TypeError("no plan for " + key + " with " + own.alias);`;

const event = (id: string, Type: string, more: object = {}) =>
  JSON.stringify({
    id,
    event: {
      Type,
      TimeStamp: "",
      Meta: {
        Message: `about ${KEY}`,
        Key: KEY,
        OriginatingRequest: Buffer.from(
          `POST /shop?api_key=${SECRET} HTTP/1.1\r\nHost: gateway.example\r\nX-Own: ${SECRET}\r\n\r\n${JSON.stringify({ secret: SECRET })}`,
        ).toString("base64"),
        own: SECRET,
        ...more,
      },
    },
  });

describe("what a deployment records", () => {
  let stack: TestStack;
  let target: Server;
  let aws: FakeAws;
  let values: ValueStores;
  let folder = "";
  const lines: string[] = [];
  let env: Record<string, string> = {};

  before(async () => {
    target = createServer((request, response) => {
      request.resume();
      response.setHeader("Set-Cookie", SECRET);
      response.end(JSON.stringify({ token: SECRET }));
    });
    await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(target.address() as AddressInfo).port}`;
    folder = await newFolder({
      "gatehook.json": JSON.stringify({ name: "shop", stages: { prod: { region: "eu-west-1" } } }),
      "apis/shop.json": definition("shop", { KeyExpired: "leaky", QuotaExceeded: "leaky" }),
      "handlers/leaky.js": handler("leaky", LEAKY(url)),
    });
    const settings = {
      HISTORY: "all",
      HISTORY_TABLE: STORES,
      HISTORY_BUCKET: STORES,
      HISTORY_SECRET: STAGE_SECRET,
      HTTP_ALLOW_HOSTS: "127.0.0.1",
      MAX_ATTEMPTS: "1",
    };
    stack = await startTestStack({
      folder,
      consumers: [{ settings }],
      onLine: (name, line) => name === "consumer" && lines.push(line),
    });
    const { dynamoClient, s3 } = stack.clients;
    await createHistoryStores(dynamoClient, s3, STORES);
    aws = await startFakeAws();
    values = await startValueStores(STAGE_SECRET);
    const Outputs = Object.entries({
      HistoryTable: STORES,
      HistoryBucket: STORES,
      HistorySecret: "the-secret",
      HistoryTtlDays: "14",
      StateTable: stack.resources.STATE_TABLE,
      SessionsTable: stack.resources.SESSIONS_TABLE,
      FilesBucket: stack.resources.FILES_BUCKET,
      EventsQueueUrl: stack.resources.EVENTS_QUEUE_URL,
      DeadLettersQueueUrl: stack.resources.DEAD_LETTERS_QUEUE_URL,
    }).map(([name, Value]) => [name, { Value }]);
    aws.stacks.set("shop-prod", {
      region: "eu-west-1",
      status: "CREATE_COMPLETE",
      template: { Resources: {}, Outputs: Object.fromEntries(Outputs) },
      tags: {},
    });
    const at = async (client: {
      config: { endpoint?: () => Promise<{ hostname: string; port?: number }> };
    }) => {
      const { hostname, port } = (await client.config.endpoint?.()) ?? {};
      return `http://${hostname}:${port}`;
    };
    env = {
      ...aws.env,
      AWS_ENDPOINT_URL_DYNAMODB: await at(dynamoClient as never),
      AWS_ENDPOINT_URL_S3: await at(s3 as never),
      AWS_ENDPOINT_URL_SQS: await at(stack.clients.sqs as never),
      AWS_ENDPOINT_URL_SECRETS_MANAGER: values.url,
    };
    await stack.storeSession(KEY, {
      rate: 1,
      per: 1,
      expires: 100,
      org_id: "o1",
      alias: SECRET,
      access_rights: { shop: { api_id: "shop" } },
      basic_auth_data: { password: SECRET, hash_type: "" },
      meta_data: { note: SECRET },
    } as never);
    await stack.post("shop", event("e-failed", "KeyExpired"));
    await itemsWhen(dynamoClient, STORES, 1);
    // Random, so that it stays large when it is packed.
    await stack.post(
      "shop",
      event("e-large", "QuotaExceeded", { Path: `/${randomBytes(150_000).toString("base64url")}` }),
    );
    await itemsWhen(dynamoClient, STORES, 2);
  });
  after(async () => {
    await Promise.all([stack?.close(), aws?.close(), values?.close()]);
    target?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const cli = (...args: string[]) => runCli([...args, "--stage", "prod"], { cwd: folder, env });
  const ref = createRedaction(STAGE_SECRET).keyRef(KEY);

  it("has the canary nowhere: not in the table, the bucket, or what is logged of the history", async () => {
    const items = await itemsWhen(stack.clients.dynamoClient, STORES, 2);
    const objects = await textsInBucket(stack.clients.s3, STORES);
    assert.equal(items.length, 2);
    assert.deepEqual(
      Object.keys(objects).map((key) => key.replace(/\/[0-9a-f]{8}-/, "/")),
      [`history/${new Date().toISOString().slice(0, 10)}/2.json.gz`],
    );
    // Each handler did what it could, so that there was something to take out.
    const all = [...items.map(textOfItem), ...Object.entries(objects).flat()];
    assert.ok(all.some((text) => text.includes(`no plan for ${ref} with [masked]`)));
    assert.ok(
      all.every((text) => !text.includes(CANARY)),
      all.find((text) => text.includes(CANARY)),
    );
    const encoded = [Buffer.from(SECRET).toString("base64"), encodeURIComponent(SECRET)];
    for (const text of all) for (const each of encoded) assert.ok(!text.includes(each.slice(0, -4)));
    const told = lines.filter((line) => /history/i.test(line) && !/"handler"/.test(line));
    assert.ok(
      told.every((line) => !line.includes(CANARY)),
      told.join("\n"),
    );
  });

  it("is listed, found by the key in hand, and shown, as a folder's history is", async () => {
    const listed = await cli("events", "ls", "--json");
    assert.equal(listed.code, 0, listed.stderr);
    const { events } = JSON.parse(listed.stdout);
    assert.deepEqual(
      events.map(({ id, outcome, reason, key, type, handlers, attempts }: Record<string, unknown>) => [
        id,
        outcome,
        reason,
        key,
        type,
        handlers,
        attempts,
      ]),
      [
        ["e-large", "done", "", ref, "QuotaExceeded", ["leaky"], 1],
        ["e-failed", "dead", "handler-threw", ref, "KeyExpired", ["leaky"], 1],
      ],
    );
    const ids = async (...args: string[]) => {
      const { code, stdout, stderr } = await cli("events", "ls", "--json", ...args);
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout).events.map(({ id }: { id: string }) => id);
    };
    assert.deepEqual(await ids("--key", KEY), ["e-large", "e-failed"]);
    assert.deepEqual(await ids("--key", ref, "--outcome", "dead"), ["e-failed"]);
    assert.deepEqual(await ids("--key", "another"), []);
    assert.deepEqual(await ids("--since", "1h", "--type", "QuotaExceeded"), ["e-large"]);
    assert.deepEqual(await ids("--query", '"no plan for"'), ["e-failed"]);
    assert.deepEqual(values.asked.slice(0, 1), ["secretsmanager.GetSecretValue the-secret"]);

    for (const named of ["last", "e-large", "e-la"]) {
      const { code, stdout, stderr } = await cli("events", "show", named, "--json");
      assert.equal(code, 0, stderr);
      const { id, records } = JSON.parse(stdout);
      assert.deepEqual([id, records.length, records[0].content], ["e-large", 1, "redacted"]);
      assert.deepEqual(
        records[0].runs[0].calls.map(({ name }: { name: string }) => name),
        ["getKeyData", "makeHttpRequest", "storage", "storage", "setKeyData"],
      );
    }
    const shown = await cli("events", "show", "e-failed");
    assert.match(shown.stdout, /TypeError: no plan for [0-9a-f]{16} with \[masked\]/);
    assert.ok(!(shown.stdout + shown.stderr).includes(CANARY));
  });

  it("is compared, saved and followed", async () => {
    const compared = await cli("events", "diff", "e-failed", "e-large");
    assert.equal(compared.code, 1, compared.stderr);
    assert.match(compared.stdout, /KeyExpired/);
    const saved = await cli("events", "save", "e-failed", "case.json");
    assert.equal(saved.code, 0, saved.stderr);
    assert.match(saved.stderr, /taken out of this event/);
    const text = readFileSync(join(folder, "case.json"), "utf8");
    assert.ok(text.includes(ref) && !text.includes(CANARY));

    const tail = cli("events", "tail", "--limit", "1", "--json", "--type", "HostUp");
    const over = tail.then(() => true);
    // Those that come before it looks the first time are not told.
    for (let nth = 1; !(await Promise.race([over, delay(500, false)])); nth += 1)
      await stack.post(
        "shop",
        JSON.stringify({ id: `e-new-${nth}`, event: { Type: "HostUp", Meta: {}, TimeStamp: "" } }),
      );
    const { code, stdout, stderr } = await tail;
    assert.equal(code, 0, stderr);
    assert.match(JSON.parse(stdout).id, /^e-new-/);
  });

  type Ask = (path: string, method?: string, body?: object, headers?: object) => Promise<Response>;

  /** What the console says at its terminal. */
  async function withConsole(args: string[], work: (ask: Ask) => Promise<void>): Promise<string> {
    const link = Promise.withResolvers<string>();
    let child: ChildProcess | undefined;
    const ended = runCli(["console", "--stage", "prod", "--port", "0", "--no-browser", ...args], {
      cwd: folder,
      env,
      onStart(started) {
        child = started;
        let out = "";
        started.stdout?.on("data", (chunk) => {
          out += chunk;
          const [found] = /http:\S+\n/.exec(out) ?? [];
          if (found) link.resolve(found.trim());
        });
        started.once("exit", () => link.reject(new Error("the console ended")));
      },
    });
    link.promise.catch(() => {});
    const url = new URL(await link.promise.catch(async () => assert.fail((await ended).stderr)));
    const authorization = `Bearer ${url.hash.replace("#token=", "")}`;
    await work((path, method = "GET", body, headers = {}) =>
      fetch(`${url.origin}/console/api/v1${path}`, {
        method,
        headers: { authorization, ...headers },
        body: body === undefined ? null : JSON.stringify(body),
      }),
    );
    child?.kill("SIGINT");
    return (await ended).stderr;
  }

  it("is shown by the console of the stage, where a key finds what stands by its reference", async () => {
    await withConsole([], async (ask) => {
      const told = async (path: string) => {
        const answer = await ask(path);
        const text = await answer.text();
        assert.ok(answer.ok && !text.includes(CANARY), text);
        return JSON.parse(text);
      };
      const { history } = await told("/state");
      assert.deepEqual([history.on, history.content], [true, "redacted"]);
      for (const key of [ref, KEY]) {
        const { events } = await told(`/events?q=${encodeURIComponent(`type:KeyExpired key:${key}`)}`);
        assert.deepEqual(
          events.map(({ id }: { id: string }) => id),
          ["e-failed"],
        );
      }
      const { attempts } = await told("/events/e-failed");
      assert.deepEqual([attempts.length, attempts[0].runs[0].calls.length], [1, 5]);
      const { changes } = await told(`/sessions/${KEY}/history`);
      assert.ok(
        changes.length > 0 && changes.every(({ handler }: { handler: string }) => handler === "leaky"),
      );
    });
  });

  it("has who changed a session by the console, by the key's reference and without what is secret", async () => {
    const said = await withConsole(["--write", "--yes"], async (ask) => {
      const read = await ask(`/sessions/${KEY}`);
      const session = (await read.json()) as Record<string, unknown>;
      const body = { ...session, quota_max: 77, meta_data: { note: "another", [CANARY]: 1 } };
      const headers = { "if-match": read.headers.get("etag") ?? "" };
      const put = await ask(`/sessions/${KEY}?suppress_reset=1`, "PUT", body, headers);
      assert.equal(put.status, 200, await put.text());
      const history = (await (await ask(`/sessions/${KEY}/history`)).json()) as SessionHistory;
      assert.deepEqual(
        history.edits.map(({ what, result }) => [what, result]),
        [["save session", "done"]],
      );
    });
    const items = (await itemsOf(stack.clients.dynamoClient, STORES)).filter(({ pk }) => pk?.S === "audit");
    const [item, ...others] = items;
    assert.ok(item?.audit?.S);
    assert.equal(others.length, 0, "asked and done are one item");
    const { at, before, who, changes, ...record } = JSON.parse(item.audit.S);
    assert.deepEqual(record, { target: ref, what: "save session", from: "console", result: "done" });
    assert.deepEqual(changes, [{ name: "meta_data" }, { name: "quota_max", after: 77 }]);
    assert.match(`${at} ${before} ${who}`, /^\d{4}-\d\d-\d\dT\S+Z \d+ arn:aws:/);
    assert.ok(Number(item.ttl?.N) > Date.now() / 1_000);
    assert.ok(
      said.includes(`${who} save session ${ref} (was ${before}, meta_data, quota_max … → 77): done`),
      said,
    );
    assert.ok(!said.includes(CANARY) && !JSON.stringify(items).includes(CANARY));
  });

  it("says that a record is not one that a function writes", async () => {
    const { dynamoClient } = stack.clients;
    const [own] = (await itemsOf(dynamoClient, STORES)).filter(({ record }) => record?.B);
    const { id } = JSON.parse(own?.summary?.S ?? assert.fail("there is a record"));
    const record = { B: gzipSync(`{"runs":[],"event":${"[".repeat(100_000)}${"]".repeat(100_000)}}`) };
    const others = (await itemsOf(dynamoClient, STORES)).filter(({ pk }) => pk?.S === own?.pk?.S);
    const put = (Item: (typeof others)[number]) =>
      dynamoClient.send(new PutItemCommand({ TableName: STORES, Item }));
    for (const item of others) await put({ ...item, record });
    const { code, stderr } = await runCli(["events", "show", id, "--stage", "prod"], { cwd: folder, env });
    for (const item of others) await put(item);
    assert.equal(code, 1);
    assert.match(stderr, /the record of event \S+ is gone, too large, or not one that gatehook writes/);
  });

  it("says where there is nothing", async () => {
    for (const [args, code, told] of [
      [["events", "show", "nobody", "--stage", "prod"], 1, /no event nobody is recorded/],
      [["events", "ls", "--region", "eu-west-1"], 2, /--region goes with --stage/],
      [["events", "ls", "--stage", "prodd"], 2, /did you mean prod\?/],
    ] as const) {
      const result = await runCli([...args], { cwd: folder, env });
      assert.equal(result.code, code, result.stderr);
      assert.match(result.stderr, told);
    }
    const { template } = aws.stacks.get("shop-prod") ?? assert.fail("there is a stack");
    const { HistoryTable, ...Outputs } = template.Outputs ?? {};
    Object.assign(template, { Outputs });
    const off = await cli("events", "ls");
    Object.assign(template, { Outputs: { ...Outputs, HistoryTable } });
    assert.equal(off.code, 1);
    assert.match(off.stderr, /the stage prod records no events: its setting HISTORY is off/);
  });
});
