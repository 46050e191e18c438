import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { DeleteMessageCommand, ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { DeleteCommand, PutCommand, UpdateCommand, type UpdateCommandInput } from "@aws-sdk/lib-dynamodb";
import { sessionItem } from "../lib/sessions/item.ts";
import type { Session } from "../lib/sessions/session.ts";
import { readSourceFiles } from "../local/files.ts";
import { type Stack, startStack } from "../local/stack.ts";
import { startGateway, type TestGateway, tokenOf } from "./helpers/gateway.ts";

const SECRET = "gateway-secret-4711";
const ORG = "demo-org";
const ALIAS = "content-of-a-session";
const session = (members: Session = {}): Session => ({
  org_id: ORG,
  expires: 1_000,
  access_rights: { demo: { api_id: "demo" } },
  alias: ALIAS,
  ...members,
});

/** Polls a real condition; a test that waits for what never comes fails by name. */
async function until<T>(what: string, find: () => T | undefined | false): Promise<T> {
  for (const end = Date.now() + 20_000; Date.now() < end; await delay(20)) {
    const found = find();
    if (found) return found;
  }
  throw new Error(`this did not happen: ${what}`);
}

describe("the sessions table's stream, carried to a gateway", () => {
  let gateway: TestGateway;
  let stack: Stack;
  const lines: string[] = [];
  const keys: string[] = [];

  before(async () => {
    gateway = await startGateway(SECRET);
    stack = await startStack({
      port: 0,
      prefix: `test-${randomUUID().slice(0, 8)}`,
      env: {
        ...process.env,
        GATEWAY_URL: gateway.url,
        GATEWAY_SECRET: SECRET,
        GATEWAY_TIMEOUT_MS: "500",
        GATEWAY_RETRY_SECONDS: "1",
      },
      onLine: (name, line) => void (name === "gateway-sync" && lines.push(line)),
    });
  });
  after(async () => {
    await stack.close();
    await gateway.close();
  });
  beforeEach(() => void gateway.requests.splice(0));

  const newKey = (name: string) => {
    const key = `${name}-${randomUUID().slice(0, 8)}`;
    keys.push(key);
    return key;
  };
  const table = () => stack.resources.SESSIONS_TABLE;
  const put = (key: string, given: Session, version = 1) =>
    stack.clients.dynamo.send(
      new PutCommand({ TableName: table(), Item: sessionItem(key, given, version, version) }),
    );
  const update = (key: string, rest: Omit<UpdateCommandInput, "TableName" | "Key">) =>
    stack.clients.dynamo.send(new UpdateCommand({ TableName: table(), Key: { key }, ...rest }));
  const remove = (key: string) =>
    stack.clients.dynamo.send(new DeleteCommand({ TableName: table(), Key: { key } }));
  const requestsFor = (key: string) => gateway.requests.filter((request) => request.key === key);
  const told = (key: string) => requestsFor(key).map(({ method, status }) => `${method} ${status}`);
  const held = (key: string) => gateway.sessions.get(tokenOf(ORG, key));
  /** Everything before it in the stream is done when a marker is with the gateway. */
  const caughtUp = async () => {
    const marker = newKey("marker");
    await put(marker, session());
    await until("the marker", () => held(marker));
  };

  /** The next refused change, taken off its queue. */
  async function refusal(): Promise<string> {
    const QueueUrl = stack.resources.SYNC_DEAD_LETTERS_QUEUE_URL;
    const { Messages } = await stack.clients.sqs.send(
      new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }),
    );
    const message = Messages?.[0];
    assert.ok(message, "a message");
    await stack.clients.sqs.send(
      new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }),
    );
    return message.Body ?? "";
  }

  test("a key that the gateway does not know is made there, and a change of it updates it", async () => {
    const key = newKey("made");
    await put(key, session());
    await until("the creation", () => held(key));
    assert.deepEqual(told(key), ["PUT 404", "POST 200"]);
    await put(key, session({ expires: 2_000 }), 2);
    await until("the update", () => held(key)?.expires === 2_000);
    assert.deepEqual(told(key), ["PUT 404", "POST 200", "PUT 200"]);
    assert.deepEqual(held(key), session({ expires: 2_000 }), "all of the session");
    for (const { query } of requestsFor(key)) assert.deepEqual(query, { suppress_reset: "1" });
  });

  test("a key in the gateway's own form of a token is made under that very name", async () => {
    const key = tokenOf(ORG, newKey("inside"));
    keys.push(key);
    await put(key, session());
    await until("the creation", () => gateway.sessions.has(key));
  });

  test("a key with characters that a URL takes for its own stays one key", async () => {
    const key = newKey("a?b#c%2f d+e&ü");
    await put(key, session());
    await until("the creation", () => held(key));
  });

  test("a removed session is deleted, with its organisation, and one that the gateway lacks is no failure", async () => {
    const key = newKey("removed");
    await put(key, session());
    await until("the creation", () => held(key));
    await remove(key);
    await until("the deletion", () => !held(key));
    assert.deepEqual(requestsFor(key).at(-1)?.query, { org_id: ORG });
    await put(key, session(), 2);
    await until("the second creation", () => held(key));
    gateway.sessions.clear();
    await remove(key);
    await until("the second deletion", () => told(key).at(-1) === "DELETE 404");
    await caughtUp();
  });

  test("an item that loses its session is a removal, and nothing more when it goes itself", async () => {
    const key = newKey("tombstone");
    await put(key, session());
    await until("the creation", () => held(key));
    await update(key, {
      UpdateExpression: "REMOVE #session",
      ExpressionAttributeNames: { "#session": "session" },
    });
    await until("the deletion", () => !held(key));
    await remove(key);
    await caughtUp();
    assert.equal(told(key).filter((request) => request.startsWith("DELETE")).length, 1);
  });

  test("a change of the version alone is not sent", async () => {
    const key = newKey("version");
    await put(key, session());
    await until("the creation", () => held(key));
    await update(key, {
      UpdateExpression: "SET version = :nine, updated_at = :nine",
      ExpressionAttributeValues: { ":nine": 9 },
    });
    await caughtUp();
    assert.deepEqual(told(key), ["PUT 404", "POST 200"]);
  });

  test("what the gateway refuses for good goes to a queue as a reference, and the stream goes on", async () => {
    const key = newKey("certificate");
    await put(key, session({ certificate: "c1" }));
    await until("the creation", () => held(key));
    await put(key, session(), 2);
    await caughtUp();
    const body = await refusal();
    const { sequence_number, ...rest } = JSON.parse(body);
    assert.match(sequence_number, /^\d+$/);
    assert.deepEqual(rest, {
      key_sha256: createHash("sha256").update(key).digest("hex"),
      operation: "put",
      status: 400,
      message: "Key *** cannot be used without a certificate",
    });
    const line = await until("the log line", () => lines.find((line) => line.includes("change refused")));
    assert.equal(JSON.parse(line).level, "ERROR");
    assert.equal(told(key).filter((request) => request === "PUT 400").length, 1);
  });

  test("a key that the gateway's path cannot hold is refused without asking", async () => {
    for (const key of ["create", "a/b"]) {
      await put(key, session());
      const { status, key_sha256 } = JSON.parse(await refusal());
      assert.equal(status, 0);
      assert.equal(key_sha256, createHash("sha256").update(key).digest("hex"));
    }
    await caughtUp();
    assert.ok(!gateway.requests.some(({ key }) => key.startsWith("create") || key.startsWith("a/")));
  });

  test("while the gateway is away the stream waits, and then each key has its changes in order", async () => {
    const [first, second] = [newKey("first"), newKey("second")];
    for (const key of [first, second]) await put(key, session());
    await until("the creations", () => held(first) && held(second));
    gateway.requests.splice(0);
    gateway.fail(503, 429, 500, 0, 403, 302);
    for (const [key, expires] of [
      [first, 2],
      [second, 2],
      [first, 3],
      [second, 3],
    ] as const) {
      await put(key, session({ expires }), expires);
    }
    await until("the last state", () => held(first)?.expires === 3 && held(second)?.expires === 3);
    assert.deepEqual(
      gateway.requests.slice(0, 6).map(({ status }) => status),
      [503, 429, 500, 0, 403, 302],
    );
    for (const key of [first, second]) {
      const sent = requestsFor(key).map(({ session: body }) => body?.expires ?? 0);
      assert.deepEqual(sent, sent.toSorted(), "never an older state after a newer one");
    }
  });

  test("a key that is answered 502 holds no other key back, and has its last change when it is taken", async () => {
    const [bad, good, fine] = [newKey("bad"), newKey("good"), newKey("fine")];
    gateway.spoilt.set(bad, 502);
    await put(bad, session({ expires: 1 }));
    await put(good, session());
    await until("the other key", () => held(good));
    await until("it waits", () => lines.find((line) => line.includes('"change parked"')));
    await put(bad, session({ expires: 2 }), 2);
    await put(fine, session());
    await until("a further key", () => held(fine));
    assert.ok(!held(bad));
    gateway.spoilt.clear();
    await until("the last state", () => held(bad)?.expires === 2);
    const sent = requestsFor(bad).map(({ session: body }) => body?.expires ?? 0);
    assert.deepEqual(sent, sent.toSorted(), "never an older state after a newer one");
  });

  test("a gateway's event that a handler answers with a change of the session comes back as an update", async () => {
    for (const file of await readSourceFiles(".")) await stack.releases.writeSource(file);
    await stack.release();
    const key = newKey("event");
    await put(key, session());
    await until("the creation", () => held(key));
    const event = {
      Type: "KeyExpired",
      Meta: { Message: "", Path: "/", Origin: "", Key: key },
      TimeStamp: "",
    };
    const answer = await fetch(`${stack.url}/events/demo`, { method: "POST", body: JSON.stringify(event) });
    assert.equal(answer.status, 202);
    await until("the update", () => held(key)?.expires === 2_000);
  });

  test("a gateway without its secret stops the local stack's start", async () => {
    const env = { ...process.env, GATEWAY_URL: gateway.url, GATEWAY_SECRET: undefined };
    await assert.rejects(startStack({ port: 0, env }), /GATEWAY_SECRET/);
  });

  test("no line of the function has the secret, a key or a session's content", () => {
    assert.ok(lines.length > 10, "there are lines");
    for (const line of lines) {
      for (const hidden of [SECRET, ALIAS, ...keys]) assert.ok(!line.includes(hidden), line);
    }
  });
});
