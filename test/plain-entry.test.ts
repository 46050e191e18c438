// An event that wrote no session: its ledger entry is one put on condition, against the real engine.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import {
  type DynamoDBClient,
  DynamoDBServiceException,
  InternalServerError,
  ProvisionedThroughputExceededException,
  PutItemCommand,
  TransactionConflictException,
  TransactWriteItemsCommand,
} from "@aws-sdk/client-dynamodb";
import { DeleteCommand } from "@aws-sdk/lib-dynamodb";
import { createConsumerStore, type Write } from "../lib/consumer/store.ts";
import type { AppError } from "../lib/errors.ts";
import { type LocalAws, startAws } from "../local/aws.ts";
import { type Clients, createClients, createResources, type Resources } from "../local/resources.ts";
import { losingAnswers } from "./helpers/lost-answers.ts";

let aws: LocalAws;
let clients: Clients;
let env: Resources["env"];

before(async () => {
  aws = await startAws(process.env);
  clients = createClients(aws);
  const prefix = `entry-${randomUUID().slice(0, 8)}`;
  ({ env } = await createResources(clients, { prefix, visibilitySeconds: 30, receiveLimit: 5 }));
});
after(async () => {
  for (const client of Object.values(clients)) client.destroy();
  await aws.close();
});

type Send = (command: object) => Promise<unknown>;
/** Stands before the engine for one put; `send` passes it on. */
type Fault = (send: Send, command: object) => Promise<unknown>;

const storeBy = (dynamo: Pick<DynamoDBClient, "send">) =>
  createConsumerStore({
    dynamo,
    sessionsTable: env.SESSIONS_TABLE,
    stateTable: env.STATE_TABLE,
    ledgerTtlSeconds: 60,
    now: () => 1_900_000_000_000,
    random: () => 0,
    newToken: randomUUID,
  });

/** A store whose next puts meet these faults, one each. */
function storeWith(...faults: Fault[]) {
  const real: Send = (command) => clients.dynamoClient.send(command as PutItemCommand);
  const sent: object[] = [];
  const send: Send = (command) => {
    if (!(command instanceof PutItemCommand || command instanceof TransactWriteItemsCommand))
      return real(command);
    sent.push(command);
    const fault = command instanceof PutItemCommand ? faults.shift() : undefined;
    return fault ? fault(real, command) : real(command);
  };
  return { store: storeBy({ send } as unknown as DynamoDBClient), sent };
}

const facts = (status: number) => ({ message: "no", $metadata: { httpStatusCode: status } });
const throwing =
  (error: Error): Fault =>
  () =>
    Promise.reject(error);
const reset = () => Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
/** The engine does it, and nobody hears of it. */
const lost: Fault = async (send, command) => {
  await send(command);
  throw reset();
};

const entryOf = (identity: string, more: Partial<Write> = {}): Write =>
  ({ kind: "ledger", identity, done: ["h"], attempts: 0, version: 0, ...more }) as Write;

async function entryIn(identity: string) {
  const { ledger } = await storeWith().store.read([{ identity, id: `old-${identity}` }], []);
  const { version, done } = ledger.get(identity) ?? {};
  return { version, done };
}
const ONCE = { version: 1, done: ["h"] };
const DONE = { conflicts: [] };
const CONFLICT = { conflicts: [0] };

describe("a ledger entry alone", () => {
  it("is one put, no transaction", async () => {
    const { store, sent } = storeWith();
    const id = randomUUID();
    assert.deepEqual(await store.commit([entryOf(id)]), DONE);
    assert.deepEqual(await entryIn(id), ONCE);
    assert.deepEqual(
      sent.map((command) => command.constructor),
      [PutItemCommand],
    );
    assert.deepEqual(await store.commit([entryOf(id, { version: 1, done: ["h", "g"] })]), DONE);
    assert.deepEqual(await entryIn(id), { version: 2, done: ["h", "g"] });
  });

  const PASSING: [string, Fault][] = [
    ["is throttled", throwing(new ProvisionedThroughputExceededException(facts(400)))],
    ["meets an internal error", throwing(new InternalServerError(facts(500)))],
    ["does not reach the table", throwing(reset())],
    ["is done, but its answer is lost", lost],
  ];
  for (const [what, fault] of PASSING)
    it(`that ${what} is put again, and has one effect`, async () => {
      const { store, sent } = storeWith(fault);
      const id = randomUUID();
      assert.deepEqual(await store.commit([entryOf(id)]), DONE);
      assert.equal(sent.length, 2);
      assert.deepEqual(await entryIn(id), ONCE);
    });

  it("that the SDK has put twice by itself, since the first answer was lost, is nobody else's", async () => {
    const losing = await losingAnswers(clients);
    const id = randomUUID();
    const store = storeBy(losing.dynamo);
    assert.deepEqual(await store.commit([entryOf(id)]), DONE);
    assert.deepEqual(losing.lost, ["PutItem"]);
    assert.deepEqual(await entryIn(id), ONCE);
    losing.dynamo.destroy();
  });

  it("of somebody else is a conflict, though it says the same", async () => {
    const id = randomUUID();
    assert.deepEqual(await storeWith().store.commit([entryOf(id)]), DONE);
    assert.deepEqual(await storeWith().store.commit([entryOf(id)]), CONFLICT);
    assert.deepEqual(await entryIn(id), ONCE);
  });

  it("of somebody else that came while a request was lost is a conflict", async () => {
    const id = randomUUID();
    const { store } = storeWith(async () => {
      await storeWith().store.commit([entryOf(id)]);
      throw reset();
    });
    assert.deepEqual(await store.commit([entryOf(id)]), CONFLICT);
  });

  it("that was done, and changed by somebody else before its repetition, is a conflict", async () => {
    const id = randomUUID();
    const { store } = storeWith(async (send, command) => {
      await send(command);
      await storeWith().store.commit([entryOf(id, { version: 1, done: ["h", "g"] })]);
      throw reset();
    });
    assert.deepEqual(await store.commit([entryOf(id)]), CONFLICT, "run again, the ledger says what is done");
    assert.deepEqual(await entryIn(id), { version: 2, done: ["h", "g"] });
  });

  it("whose first request comes after its repetition has one effect", async () => {
    const id = randomUUID();
    let late: () => Promise<unknown> = async () => {};
    const { store } = storeWith(async (send, command) => {
      late = () => send(command);
      throw reset();
    });
    assert.deepEqual(await store.commit([entryOf(id)]), DONE);
    assert.deepEqual(await store.commit([entryOf(id, { version: 1, done: ["h", "g"] })]), DONE);
    await assert.rejects(late(), { name: "ConditionalCheckFailedException" });
    assert.deepEqual(await entryIn(id), { version: 2, done: ["h", "g"] });
  });

  it("that a transaction is at is a conflict, and is not put again as it is", async () => {
    const { store, sent } = storeWith(throwing(new TransactionConflictException(facts(400))));
    assert.deepEqual(await store.commit([entryOf(randomUUID())]), CONFLICT);
    assert.equal(sent.length, 1);
  });

  it("that has ended since it was read is a conflict", async () => {
    const id = randomUUID();
    const { store } = storeWith();
    await store.commit([entryOf(id)]);
    await clients.dynamo.send(new DeleteCommand({ TableName: env.STATE_TABLE, Key: { pk: `event#${id}` } }));
    assert.deepEqual(await store.commit([entryOf(id, { version: 1 })]), CONFLICT);
  });

  it("is given up when it fails again and again, and nobody knows whether it was done", async () => {
    const { store, sent } = storeWith(...Array.from({ length: 100 }, () => throwing(reset())));
    await assert.rejects(store.commit([entryOf(randomUUID())]), {
      code: "dependency-failed",
      message: /^dynamodb:PutItem failed: .*ECONNRESET/,
    });
    assert.ok(sent.length > 1 && sent.length < 20, `${sent.length} tries`);
  });

  it("that a role lacks the permission for is not tried again, and says which", async () => {
    const denied = new DynamoDBServiceException({
      ...facts(400),
      name: "AccessDeniedException",
      $fault: "client",
      message: "User: r is not authorized to perform: dynamodb:PutItem on resource: t",
    });
    const { store, sent } = storeWith(throwing(denied));
    await assert.rejects(store.commit([entryOf(randomUUID())]), (error: AppError) => {
      assert.equal(error.code, "dependency-failed");
      assert.match(error.message, /dynamodb:PutItem failed: .*dynamodb:PutItem/);
      return true;
    });
    assert.equal(sent.length, 1);
  });

  it("that the table can never take is impossible, and one that fails oddly fails alone", async () => {
    const large = entryOf(randomUUID(), { done: ["x".repeat(410 * 1024)] });
    await assert.rejects(storeWith().store.commit([large]), { code: "commit-impossible" });
    const { store } = storeWith(throwing(new TypeError("odd")));
    const id = randomUUID();
    await assert.rejects(store.commit([entryOf(id)]), { code: "commit-failed", message: /odd/ });
    assert.deepEqual(await store.commit([entryOf(id)]), DONE, "the next one is not hindered");
  });
});
