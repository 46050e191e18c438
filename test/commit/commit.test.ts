// A commit against the real engine, with what can go wrong on the way to it and back.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { before, describe, it } from "node:test";
import {
  BatchGetItemCommand,
  type DynamoDBClient,
  DynamoDBServiceException,
  InternalServerError,
  ProvisionedThroughputExceededException,
  TransactionCanceledException,
  TransactionInProgressException,
  TransactWriteItemsCommand,
} from "@aws-sdk/client-dynamodb";
import { GetCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import type { Write } from "../../lib/commit/commit.ts";
import { type ConsumerStore, createConsumerStore } from "../../lib/commit/store.ts";
import { AppError } from "../../lib/errors.ts";
import { formatSession, parseSession } from "../../lib/sessions/session.ts";
import type { Resources } from "../../local/resources.ts";
import { useServices } from "../helpers/services.ts";

const services = useServices();
let env: Resources["env"];

before(async () => {
  env = await services.newResources("commit");
});

type Send = (command: object) => Promise<unknown>;
/** Stands before the engine for one call; `send` passes it on. */
type Fault = (send: Send, command: object) => Promise<unknown>;

/** A store whose next transactions, or batch reads, meet these faults, one each. */
function storeWith(
  faults: Fault[],
  of: typeof TransactWriteItemsCommand | typeof BatchGetItemCommand = TransactWriteItemsCommand,
) {
  const real: Send = (command) => services.clients.dynamoClient.send(command as TransactWriteItemsCommand);
  const sent: object[] = [];
  const dynamo = {
    send: (command: object) => {
      if (!(command instanceof of)) return real(command);
      sent.push(command);
      const fault = faults.shift();
      return fault ? fault(real, command) : real(command);
    },
  };
  const store = createConsumerStore({
    dynamo: dynamo as unknown as DynamoDBClient,
    sessionsTable: env.SESSIONS_TABLE,
    stateTable: env.STATE_TABLE,
    ledgerTtlSeconds: 60,
    now: Date.now,
    random: () => 0,
    newToken: randomUUID,
  });
  const tokens = () => sent.map((command) => (command as TransactWriteItemsCommand).input.ClientRequestToken);
  return { store, sent, tokens };
}

const facts = (status: number) => ({ message: "no", $metadata: { httpStatusCode: status } });
const throwing =
  (error: Error): Fault =>
  () =>
    Promise.reject(error);
/** The engine does it, and nobody hears of it. */
const lost: Fault = async (send, command) => {
  await send(command);
  throw Object.assign(new Error("socket hang up"), { name: "TimeoutError", $metadata: { attempts: 1 } });
};
const INVALID = { ...facts(400), name: "ValidationException", $fault: "client" } as const;
const cancelled = (...codes: string[]) =>
  new TransactionCanceledException({
    ...facts(400),
    CancellationReasons: codes.map((Code) => ({ Code })),
  });

const writes = (id: string): Write[] => [
  { kind: "session", key: `key-${id}`, session: { rate: 1 }, version: 0 },
  { kind: "ledger", identity: id, done: ["h"], attempts: 0, version: 0 },
];

const event = (id: string) => ({ identity: id, id: `old-${id}` });

async function committed(store: ConsumerStore, id: string) {
  const { version, session } = await store.readSession(`key-${id}`);
  const { ledger } = await store.read([event(id)], []);
  return { version, rate: session?.rate, done: ledger.get(id)?.done };
}
const ONCE = { version: 1, rate: 1, done: ["h"] };

describe("a commit", () => {
  const passing: [string, Fault, "same" | "new"][] = [
    ["is throttled", throwing(new ProvisionedThroughputExceededException(facts(400))), "same"],
    ["meets an internal error", throwing(new InternalServerError(facts(500))), "same"],
    ["is still under way", throwing(new TransactionInProgressException(facts(400))), "same"],
    ["is done, but its answer is lost", lost, "same"],
    [
      "loses its connection",
      throwing(Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" })),
      "same",
    ],
    ["is cancelled by throttling", throwing(cancelled("ThrottlingError", "None")), "new"],
  ];
  for (const [what, fault, token] of passing) {
    it(`that ${what} is tried again with the ${token} token, and has one effect`, async () => {
      const { store, tokens } = storeWith([fault]);
      const id = randomUUID();
      assert.deepEqual(await store.commit(writes(id)), { conflicts: [] });
      assert.deepEqual(await committed(store, id), ONCE);
      assert.equal(tokens().length, 2);
      assert.equal(tokens()[0] === tokens()[1], token === "same");
    });
  }

  it("of several names each item that had changed", async () => {
    const { store } = storeWith([]);
    const [first, second] = [randomUUID(), randomUUID()];
    await store.commit(writes(first));
    assert.deepEqual(await store.commit([...writes(second), ...writes(first)]), { conflicts: [2, 3] });
    assert.deepEqual(await committed(store, second), { version: 0, rate: undefined, done: [] });
  });

  it("names each item that another transaction is at, and is not sent again as it is", async () => {
    const { store, sent } = storeWith([throwing(cancelled("TransactionConflict", "ConditionalCheckFailed"))]);
    assert.deepEqual(await store.commit(writes(randomUUID())), { conflicts: [0, 1] });
    assert.equal(sent.length, 1);
  });

  it("names the item whose own partition is throttled", async () => {
    const hot = new TransactionCanceledException({
      ...facts(400),
      CancellationReasons: [
        {
          Code: "ThrottlingError",
          Message: "Throughput exceeded. Reason: TableWriteKeyRangeThroughputExceeded",
        },
        { Code: "None" },
      ],
    });
    const { store } = storeWith([throwing(hot)]);
    assert.deepEqual(await store.commit(writes(randomUUID())), { conflicts: [0] });
  });

  it("that fails in a way that no rule knows fails alone, if an innocent write does not", async () => {
    const { store } = storeWith([throwing(new TypeError("Cannot read properties of undefined"))]);
    const id = randomUUID();
    await assert.rejects(store.commit(writes(id)), { code: "commit-failed", message: /Cannot read/ });
    assert.deepEqual(await store.commit(writes(id)), { conflicts: [] }, "the next one is not hindered");
  });

  it("that fails as an innocent write does is an outage, whatever the error", async () => {
    for (const error of [new TypeError("odd"), new DynamoDBServiceException(INVALID)]) {
      const { store } = storeWith([throwing(error), throwing(error)]);
      await assert.rejects(store.commit(writes(randomUUID())), { code: "dependency-failed" });
    }
  });

  it("is given up when it fails again and again, and nobody knows whether it was done", async () => {
    const { store, sent } = storeWith(Array.from({ length: 100 }, () => lost));
    await assert.rejects(store.commit(writes(randomUUID())), { code: "dependency-failed" });
    assert.ok(sent.length > 1 && sent.length < 20, `${sent.length} tries`);
  });

  it("that a role lacks the permission for is not tried again, and says which", async () => {
    const message =
      "User: arn:aws:sts::123456789012:assumed-role/r is not authorized to perform: dynamodb:PutItem";
    const denied = new DynamoDBServiceException({
      name: "AccessDeniedException",
      $fault: "client",
      $metadata: { httpStatusCode: 400 },
      message,
    });
    const { store, sent } = storeWith([throwing(denied)]);
    await assert.rejects(store.commit(writes(randomUUID())), (error: AppError) => {
      assert.equal(error.code, "dependency-failed");
      assert.match(error.message, /dynamodb:TransactWriteItems failed: .*dynamodb:PutItem/);
      return true;
    });
    assert.equal(sent.length, 1);
  });

  it("that the engine can never take is impossible: an item of more than 400 KB", async () => {
    const { store, sent } = storeWith([]);
    const id = randomUUID();
    const large: Write = { kind: "session", key: id, session: { alias: "x".repeat(410 * 1024) }, version: 0 };
    await assert.rejects(store.commit([large, ...writes(id).slice(1)]), { code: "commit-impossible" });
    assert.equal(sent.length, 2, "itself and an innocent one");
    assert.deepEqual((await store.read([event(id)], [])).ledger.get(id)?.done, []);
  });

  it("keeps every member that a script can name", async () => {
    const { store } = storeWith([]);
    const [key, id] = [randomUUID(), randomUUID()];
    const names = [
      "constructor",
      "__proto__",
      "toString",
      "hasOwnProperty",
      "S",
      "M",
      "NULL",
      "__defineGetter__",
    ];
    const members = JSON.stringify(Object.fromEntries(names.map((name) => [name, { name: "Set" }])));
    const session = parseSession(`{"meta_data":${members.replace('"toString"', '"__proto__"')}}`);
    await store.commit([{ kind: "session", key, session, version: 0 }, ...writes(id).slice(1)]);
    const { session: stored = {} } = await store.readSession(key);
    assert.equal(formatSession(stored), formatSession(session));
  });

  it("remembers how many runs of an event have failed", async () => {
    const { store } = storeWith([]);
    const id = randomUUID();
    await store.commit([{ kind: "ledger", identity: id, done: [], attempts: 3, version: 0 }]);
    assert.equal((await store.read([event(id)], [])).ledger.get(id)?.attempts, 3);
  });
});

describe("the batch's read", () => {
  /** Answers all but the first key of each table, as under throttling. */
  const leaving: Fault = async (send, command) => {
    const { RequestItems = {} } = (command as BatchGetItemCommand).input;
    const [part, rest]: [typeof RequestItems, typeof RequestItems] = [{}, {}];
    for (const [table, request] of Object.entries(RequestItems)) {
      rest[table] = { ...request, Keys: request.Keys?.slice(0, 1) };
      if ((request.Keys?.length ?? 0) > 1) part[table] = { ...request, Keys: request.Keys?.slice(1) };
    }
    const answer = (await send(new BatchGetItemCommand({ RequestItems: part }))) as object;
    return { ...answer, UnprocessedKeys: rest };
  };

  it("asks again for keys that were left unprocessed", async () => {
    const id = randomUUID();
    await storeWith([]).store.commit(writes(id));
    const { store, sent } = storeWith([leaving], BatchGetItemCommand);
    const read = await store.read([event(id), event("other")], [`key-${id}`]);
    assert.equal(sent.length, 3, "the ledger is read after the sessions");
    assert.equal(read.sessions.get(`key-${id}`)?.session?.rate, 1);
    assert.deepEqual(read.ledger.get(id)?.done, ["h"]);
  });

  it("is given up when keys are left again and again", async () => {
    const nothing: Fault = async (_send, command) => {
      return { UnprocessedKeys: (command as BatchGetItemCommand).input.RequestItems };
    };
    const { store } = storeWith(
      Array.from({ length: 100 }, () => nothing),
      BatchGetItemCommand,
    );
    await assert.rejects(store.read([event("e")], []), (error) => {
      assert.ok(error instanceof AppError && error.code === "dependency-failed", String(error));
      return true;
    });
  });
});

describe("the ledger of version 0.1, when an id counted for all APIs", () => {
  const old = (id: string) =>
    services.clients.dynamo.send(
      new PutCommand({
        TableName: env.STATE_TABLE,
        Item: {
          pk: `event#${id}`,
          done: ["h"],
          attempts: 2,
          version: 3,
          ttl: Math.floor(Date.now() / 1000) + 60,
        },
      }),
    );
  const scoped = () =>
    services.clients.dynamo.send(
      new GetCommand({ TableName: env.STATE_TABLE, Key: { pk: "event##scoped" } }),
    );

  it("still counts, and what is added stands under the API", async () => {
    const id = randomUUID();
    await old(id);
    const { store } = storeWith([]);
    const { ledger } = await store.read([{ identity: `demo#${id}`, id }], []);
    assert.deepEqual(ledger.get(`demo#${id}`), { version: 0, done: ["h"], attempts: 2, digest: undefined });
    await store.commit([{ kind: "ledger", identity: `demo#${id}`, done: ["h", "g"], version: 0 }]);
    const again = await store.read([{ identity: `demo#${id}`, id }], []);
    assert.deepEqual(again.ledger.get(`demo#${id}`)?.done, ["h", "g"]);
  });

  it("is not read any more once each of its entries has ended", async () => {
    assert.ok(Number((await scoped()).Item?.since) > 0, "the first read wrote it");
    const Item = { pk: "event##scoped", since: Math.floor(Date.now() / 1000) - 61 };
    await services.clients.dynamo.send(new PutCommand({ TableName: env.STATE_TABLE, Item }));
    const id = randomUUID();
    await old(id);
    const { store } = storeWith([]);
    await store.read([{ identity: "demo#other", id: "other" }], []);
    const { ledger } = await store.read([{ identity: `demo#${id}`, id }], []);
    assert.deepEqual(ledger.get(`demo#${id}`)?.done, []);
  });
});
