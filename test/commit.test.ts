// A commit against the real engine, with what can go wrong on the way to it and back.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import {
  DynamoDBServiceException,
  InternalServerError,
  ProvisionedThroughputExceededException,
  TransactionCanceledException,
  TransactionInProgressException,
} from "@aws-sdk/client-dynamodb";
import { BatchGetCommand, type DynamoDBDocumentClient, TransactWriteCommand } from "@aws-sdk/lib-dynamodb";
import { type ConsumerStore, createConsumerStore, type Write } from "../lib/consumer/store.ts";
import { AppError } from "../lib/errors.ts";
import { type LocalAws, startAws } from "../local/aws.ts";
import { type Clients, createClients, createResources, type Resources } from "../local/resources.ts";

let aws: LocalAws;
let clients: Clients;
let env: Resources["env"];

before(async () => {
  aws = await startAws(process.env);
  clients = createClients(aws);
  const prefix = `commit-${randomUUID().slice(0, 8)}`;
  ({ env } = await createResources(clients, { prefix, visibilitySeconds: 30, receiveLimit: 5 }));
});
after(async () => {
  for (const client of Object.values(clients)) client.destroy();
  await aws.close();
});

type Send = (command: object) => Promise<unknown>;
/** Stands before the engine for one call; `send` passes it on. */
type Fault = (send: Send, command: object) => Promise<unknown>;

/** A store whose next transactions, or batch reads, meet these faults, one each. */
function storeWith(
  faults: Fault[],
  of: typeof TransactWriteCommand | typeof BatchGetCommand = TransactWriteCommand,
) {
  const real: Send = (command) => clients.dynamo.send(command as TransactWriteCommand);
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
    dynamo: dynamo as unknown as DynamoDBDocumentClient,
    sessionsTable: env.SESSIONS_TABLE,
    stateTable: env.STATE_TABLE,
    ledgerTtlSeconds: 60,
    now: Date.now,
    random: () => 0,
    newToken: randomUUID,
  });
  const tokens = () => sent.map((command) => (command as TransactWriteCommand).input.ClientRequestToken);
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
const cancelled = (...codes: string[]) =>
  new TransactionCanceledException({
    ...facts(400),
    CancellationReasons: codes.map((Code) => ({ Code })),
  });

const writes = (id: string): Write[] => [
  { kind: "session", key: `key-${id}`, session: { rate: 1 }, version: 0 },
  { kind: "ledger", eventId: id, done: ["h"], attempts: 0, version: 0 },
];

async function committed(store: ConsumerStore, id: string) {
  const { version, session } = await store.readSession(`key-${id}`);
  const { ledger } = await store.read([id], []);
  return { version, rate: session?.rate, done: ledger.get(id)?.done };
}
const ONCE = { version: 1, rate: 1, done: ["h"] };

describe("a commit", () => {
  const passing: [string, Fault, "same" | "new"][] = [
    ["is throttled", throwing(new ProvisionedThroughputExceededException(facts(400))), "same"],
    ["meets an internal error", throwing(new InternalServerError(facts(500))), "same"],
    ["is still under way", throwing(new TransactionInProgressException(facts(400))), "same"],
    ["is done, but its answer is lost", lost, "same"],
    ["loses its connection", throwing(Object.assign(new Error("ECONNRESET"), { $metadata: {} })), "same"],
    ["meets another transaction", throwing(cancelled("None", "TransactionConflict")), "new"],
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

  it("names what had changed although another item was only busy", async () => {
    const { store } = storeWith([throwing(cancelled("TransactionConflict", "ConditionalCheckFailed"))]);
    assert.deepEqual(await store.commit(writes(randomUUID())), { conflicts: [1] });
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
    assert.equal(sent.length, 1);
    assert.deepEqual((await store.read([id], [])).ledger.get(id)?.done, []);
  });

  it("remembers how many runs of an event have failed", async () => {
    const { store } = storeWith([]);
    const id = randomUUID();
    await store.commit([{ kind: "ledger", eventId: id, done: [], attempts: 3, version: 0 }]);
    assert.equal((await store.read([id], [])).ledger.get(id)?.attempts, 3);
  });
});

describe("the batch's read", () => {
  /** Answers all but the first key of each table, as under throttling. */
  const leaving: Fault = async (send, command) => {
    const { RequestItems = {} } = (command as BatchGetCommand).input;
    const [part, rest]: [typeof RequestItems, typeof RequestItems] = [{}, {}];
    for (const [table, request] of Object.entries(RequestItems)) {
      rest[table] = { ...request, Keys: request.Keys?.slice(0, 1) };
      if ((request.Keys?.length ?? 0) > 1) part[table] = { ...request, Keys: request.Keys?.slice(1) };
    }
    const answer = (await send(new BatchGetCommand({ RequestItems: part }))) as object;
    return { ...answer, UnprocessedKeys: rest };
  };

  it("asks again for keys that were left unprocessed", async () => {
    const id = randomUUID();
    await storeWith([]).store.commit(writes(id));
    const { store, sent } = storeWith([leaving], BatchGetCommand);
    const read = await store.read([id, "other"], [`key-${id}`]);
    assert.equal(sent.length, 2);
    assert.equal(read.sessions.get(`key-${id}`)?.session?.rate, 1);
    assert.deepEqual(read.ledger.get(id)?.done, ["h"]);
  });

  it("is given up when keys are left again and again", async () => {
    const nothing: Fault = async (_send, command) => {
      return { UnprocessedKeys: (command as BatchGetCommand).input.RequestItems };
    };
    const { store } = storeWith(
      Array.from({ length: 100 }, () => nothing),
      BatchGetCommand,
    );
    await assert.rejects(store.read(["e"], []), (error) => {
      assert.ok(error instanceof AppError && error.code === "dependency-failed", String(error));
      return true;
    });
  });
});
