// Keys by their hashes in the table, beside a gateway that has them by the same hashes.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { ScanCommand } from "@aws-sdk/lib-dynamodb";
import { storedName } from "../../lib/gateway/key-name.ts";
import { ORG, startBeside, tagsOf, until } from "./beside.ts";

describe("hashed keys, beside a gateway that hashes with the same function", () => {
  let beside: Awaited<ReturnType<typeof startBeside>>;
  const lines: string[] = [];
  const keys: string[] = [];
  before(async () => {
    beside = await startBeside({
      hashKeys: true,
      hashKeyFunction: "murmur64",
      settings: { HASH_KEYS: "murmur64" },
      onLine: (_, line) => void lines.push(line),
    });
  });
  after(() => beside.close());

  async function create(name: string) {
    const key = await beside.create(name);
    keys.push(key, name);
    return { key, hash: storedName(true, key) };
  }
  const tagged = (key: string) =>
    until(
      () => beside.admin("GET", key),
      (found) => tagsOf(found).includes("seen"),
    );

  it("reads through by the raw key, and carries the change by the hash", async () => {
    const { key, hash } = await create("first-of-all");
    await beside.send("KeyExpired", key);
    const session = await tagged(key);
    assert.equal(session?.rate, 100);
    assert.equal((await beside.stack.session(hash))?.rate, 100);
    const puts = beside.gateway.requests.filter(({ method }) => method === "PUT");
    assert.ok(puts.length > 0);
    for (const { path } of puts) assert.match(path, new RegExp(`^/tyk/keys/${hash}\\?hashed=true`));
  });

  it("a second event finds the row by the raw key", async () => {
    const { key, hash } = await create("found-again");
    await beside.send("KeyExpired", key);
    await tagged(key);
    await beside.send("KeyExpired", key);
    await until(
      () => beside.stack.session(hash),
      (session) => tagsOf(session).length > 0,
    );
    assert.deepEqual(tagsOf(await beside.admin("GET", key)), ["seen"]);
  });

  it("a key that was revoked stays revoked", async () => {
    const { key, hash } = await create("revoked-later");
    await beside.send("KeyExpired", key);
    await tagged(key);
    await beside.admin("DELETE", key);
    for (let nth = 0; nth < 3; nth += 1) {
      assert.equal(await beside.use(key), 403);
      await beside.send("KeyExpired", key);
    }
    await until(
      () => beside.stack.session(hash),
      (session) => session === undefined,
    );
    assert.equal(await beside.use(key), 403);
    assert.equal((await beside.sessions("GET", `/${encodeURIComponent(key)}`)).status, 404);
  });

  it("a handler's removal arrives there by the hash", async () => {
    const { key } = await create("removed-by-us");
    await beside.send("QuotaExceeded", key);
    await until(
      () => beside.admin("GET", key),
      (found) => found === undefined,
    );
    assert.equal(await beside.use(key), 403);
  });

  it("a key that is born here cannot be made there, and is refused by name", async () => {
    const key = `${ORG}born-here`;
    keys.push(key, "born-here");
    const body = { org_id: ORG, access_rights: { api1: { api_id: "api1" } } };
    assert.equal((await beside.sessions("PUT", `/${key}`, body)).status, 201);
    const { fields } = await beside.stack.fact(
      ({ message, fields }) => message === "change refused" && fields.operation === "create",
    );
    assert.equal(fields.error, "a key that is named by its hash cannot be made");
    assert.equal(await beside.admin("GET", key), undefined);
  });

  it("people find a session by the raw key, and by the hash with hashed=true", async () => {
    const { key, hash } = await create("for-people");
    const byHash = await beside.sessions("GET", `/${hash}?hashed=true`);
    assert.deepEqual([byHash.status, byHash.body.rate], [200, 100], "read through by the hash");
    const byKey = await beside.sessions("GET", `/${encodeURIComponent(key)}`);
    assert.deepEqual(byKey.body, byHash.body);
    assert.equal((await beside.sessions("GET", `/${hash}`)).status, 404, "a hash is not a raw key");
    assert.equal((await beside.sessions("GET", `/${hash}?hashed=yes`)).status, 400);
    const put = await beside.sessions("PUT", `/${hash}?hashed=true&suppress_reset=1`, {
      ...byHash.body,
      alias: "by hash",
    });
    assert.deepEqual([put.status, put.body.pending], [200, true]);
    await until(
      () => beside.admin("GET", key),
      (found) => found?.alias === "by hash",
    );
    const { body } = await beside.sessions("GET", `?org_id=${ORG}`);
    assert.ok((body.sessions as { key: string }[]).some((session) => session.key === hash));
  });

  it("no raw key lies in a table, in the queues of the sync or in a log", async () => {
    const { clients, resources } = beside.stack;
    const kept = [...lines];
    for (const TableName of [resources.SESSIONS_TABLE, resources.STATE_TABLE]) {
      const { Items = [] } = await clients.dynamo.send(new ScanCommand({ TableName }));
      assert.ok(Items.length > 0);
      kept.push(JSON.stringify(Items));
    }
    for (const QueueUrl of [resources.SYNC_QUEUE_URL, resources.SYNC_DEAD_LETTERS_QUEUE_URL]) {
      const { Messages } = await clients.sqs.send(
        new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }),
      );
      kept.push(JSON.stringify(Messages ?? []));
    }
    assert.ok(keys.length >= 10);
    for (const key of keys)
      assert.equal(
        kept.find((text) => text.includes(key)),
        undefined,
        key,
      );
  });
});

describe("hashed keys without a gateway", () => {
  // It has a gateway that nobody asks.
  let beside: Awaited<ReturnType<typeof startBeside>>;
  before(async () => {
    beside = await startBeside({
      hashKeys: false,
      hashKeyFunction: "",
      settings: { GATEWAY_URL: "", HASH_KEYS: "sha256" },
    });
  });
  after(() => beside.close());

  it("keeps sessions under them, for handlers and for people", async () => {
    const key = "a-raw-key";
    const session = { org_id: ORG, access_rights: { api1: { api_id: "api1" } } };
    const put = await beside.sessions("PUT", `/${key}`, session);
    assert.deepEqual([put.status, put.body.pending], [201, undefined]);
    await beside.send("KeyExpired", key);
    const { body } = await beside.sessions("GET", `/${key}`);
    assert.deepEqual(tagsOf(body), ["seen"]);
    const { clients, resources } = beside.stack;
    const { Items = [] } = await clients.dynamo.send(
      new ScanCommand({ TableName: resources.SESSIONS_TABLE }),
    );
    assert.deepEqual(
      Items.map((item) => item.key),
      ["8d5b6fb5335c896e93391a62ee237543425efe26e09f159ad3e13fdb3cc6916a"],
    );
    await beside.send("QuotaExceeded", key);
    assert.equal((await beside.sessions("GET", `/${key}`)).status, 404);
  });
});
