// What is put by itself, without a transaction: ledger entries, and sessions with their marks, against the real engine.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { before, describe, it } from "node:test";
import {
  BatchExecuteStatementCommand,
  BatchGetItemCommand,
  type DynamoDBClient,
  DynamoDBServiceException,
  InternalServerError,
  ProvisionedThroughputExceededException,
  PutItemCommand,
  TransactionConflictException,
  TransactWriteItemsCommand,
} from "@aws-sdk/client-dynamodb";
import { DeleteCommand, GetCommand } from "@aws-sdk/lib-dynamodb";
import fc from "fast-check";
import type { EntryWrite, SessionWrite } from "../../lib/commit/commit.ts";
import { type ConsumerStore, createConsumerStore } from "../../lib/commit/store.ts";
import type { AppError } from "../../lib/errors.ts";
import type { Session } from "../../lib/sessions/session.ts";
import type { Resources } from "../../local/resources.ts";
import { anySession } from "../helpers/any-session.ts";
import { losingAnswers } from "../helpers/lost-answers.ts";
import { useServices } from "../helpers/services.ts";

const services = useServices();
let env: Resources["env"];

before(async () => {
  env = await services.newResources("entry");
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

const WRITES = [PutItemCommand, BatchExecuteStatementCommand, TransactWriteItemsCommand];

/** A store whose next writes of this kind meet these faults, one each. */
function storeMeeting(kind: typeof PutItemCommand | typeof BatchExecuteStatementCommand, faults: Fault[]) {
  const real: Send = (command) => services.clients.dynamoClient.send(command as PutItemCommand);
  const sent: object[] = [];
  const send: Send = (command) => {
    if (!WRITES.some((write) => command instanceof write)) return real(command);
    sent.push(command);
    const fault = command instanceof kind ? faults.shift() : undefined;
    return fault ? fault(real, command) : real(command);
  };
  return { store: storeBy({ send } as unknown as DynamoDBClient), sent };
}
const storeWith = (...faults: Fault[]) => storeMeeting(PutItemCommand, faults);

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

const entryOf = (identity: string, more: Partial<EntryWrite> = {}): EntryWrite => ({
  kind: "ledger",
  identity,
  done: ["h"],
  attempts: 0,
  version: 0,
  ...more,
});

async function entryIn(identity: string) {
  const { ledger } = await storeWith().store.read([{ identity, id: `old-${identity}` }], []);
  const { version, done } = ledger.get(identity) ?? {};
  return { version, done };
}
const ONCE = { version: 1, done: ["h"] };
const DONE = "written";
const CONFLICT = "conflict";

async function putOne(store: ConsumerStore, write: EntryWrite | SessionWrite): Promise<string> {
  const [end] = await store.put([write]);
  if (end?.is === "failed") throw end.thrown;
  return String(end?.is);
}

describe("a ledger entry alone", () => {
  it("is one put, no transaction", async () => {
    const { store, sent } = storeWith();
    const id = randomUUID();
    assert.deepEqual(await putOne(store, entryOf(id)), DONE);
    assert.deepEqual(await entryIn(id), ONCE);
    assert.deepEqual(
      sent.map((command) => command.constructor),
      [PutItemCommand],
    );
    assert.deepEqual(await putOne(store, entryOf(id, { version: 1, done: ["h", "g"] })), DONE);
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
      assert.deepEqual(await putOne(store, entryOf(id)), DONE);
      assert.equal(sent.length, 2);
      assert.deepEqual(await entryIn(id), ONCE);
    });

  it("that the SDK has put twice by itself, since the first answer was lost, is nobody else's", async () => {
    const losing = await losingAnswers(services.clients);
    const id = randomUUID();
    const store = storeBy(losing.dynamo);
    assert.deepEqual(await putOne(store, entryOf(id)), DONE);
    assert.deepEqual(losing.lost, ["PutItem"]);
    assert.deepEqual(await entryIn(id), ONCE);
    losing.dynamo.destroy();
  });

  it("of somebody else is a conflict, though it says the same", async () => {
    const id = randomUUID();
    assert.deepEqual(await putOne(storeWith().store, entryOf(id)), DONE);
    assert.deepEqual(await putOne(storeWith().store, entryOf(id)), CONFLICT);
    assert.deepEqual(await entryIn(id), ONCE);
  });

  it("of somebody else that came while a request was lost is a conflict", async () => {
    const id = randomUUID();
    const { store } = storeWith(async () => {
      await putOne(storeWith().store, entryOf(id));
      throw reset();
    });
    assert.deepEqual(await putOne(store, entryOf(id)), CONFLICT);
  });

  it("that was done, and changed by somebody else before its repetition, is a conflict", async () => {
    const id = randomUUID();
    const { store } = storeWith(async (send, command) => {
      await send(command);
      await putOne(storeWith().store, entryOf(id, { version: 1, done: ["h", "g"] }));
      throw reset();
    });
    assert.deepEqual(await putOne(store, entryOf(id)), CONFLICT, "run again, the ledger says what is done");
    assert.deepEqual(await entryIn(id), { version: 2, done: ["h", "g"] });
  });

  it("whose first request comes after its repetition has one effect", async () => {
    const id = randomUUID();
    let late: () => Promise<unknown> = async () => {};
    const { store } = storeWith(async (send, command) => {
      late = () => send(command);
      throw reset();
    });
    assert.deepEqual(await putOne(store, entryOf(id)), DONE);
    assert.deepEqual(await putOne(store, entryOf(id, { version: 1, done: ["h", "g"] })), DONE);
    await assert.rejects(late(), { name: "ConditionalCheckFailedException" });
    assert.deepEqual(await entryIn(id), { version: 2, done: ["h", "g"] });
  });

  it("that a transaction is at is a conflict, and is not put again as it is", async () => {
    const { store, sent } = storeWith(throwing(new TransactionConflictException(facts(400))));
    assert.deepEqual(await putOne(store, entryOf(randomUUID())), CONFLICT);
    assert.equal(sent.length, 1);
  });

  it("that has ended since it was read is a conflict", async () => {
    const id = randomUUID();
    const { store } = storeWith();
    await putOne(store, entryOf(id));
    await services.clients.dynamo.send(
      new DeleteCommand({ TableName: env.STATE_TABLE, Key: { pk: `event#${id}` } }),
    );
    assert.deepEqual(await putOne(store, entryOf(id, { version: 1 })), CONFLICT);
  });

  it("is given up when it fails again and again, and nobody knows whether it was done", async () => {
    const { store, sent } = storeWith(...Array.from({ length: 100 }, () => throwing(reset())));
    await assert.rejects(putOne(store, entryOf(randomUUID())), {
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
    await assert.rejects(putOne(store, entryOf(randomUUID())), (error: AppError) => {
      assert.equal(error.code, "dependency-failed");
      assert.match(error.message, /dynamodb:PutItem failed: .*dynamodb:PutItem/);
      return true;
    });
    assert.equal(sent.length, 1);
  });

  it("that the table can never take is impossible, and one that fails oddly fails alone", async () => {
    const large = entryOf(randomUUID(), { done: ["x".repeat(410 * 1024)] });
    await assert.rejects(putOne(storeWith().store, large), { code: "commit-impossible" });
    const { store } = storeWith(throwing(new TypeError("odd")));
    const id = randomUUID();
    await assert.rejects(putOne(store, entryOf(id)), { code: "commit-failed", message: /odd/ });
    assert.deepEqual(await putOne(store, entryOf(id)), DONE, "the next one is not hindered");
  });
});

describe("an outage of the table", () => {
  const throttled = new ProvisionedThroughputExceededException(facts(400));
  const readsFail = (others: object) =>
    ({
      send: async (command: object) => {
        if (command instanceof BatchGetItemCommand) throw throttled;
        return others;
      },
    }) as unknown as DynamoDBClient;

  it("is one while marks are proven too, and not a failure of the handler that has deleted the session", async () => {
    const marks = { "demo#e": { done: ["h"] } };
    const { proveMarks } = storeBy(readsFail({}));
    await assert.rejects(proveMarks(marks), { code: "dependency-failed", message: /BatchGetItem/ });
  });

  it("is told once when a table leaves keys unread again and again", async () => {
    const send = async ({ input }: BatchGetItemCommand) => ({ UnprocessedKeys: input.RequestItems });
    const { proveMarks } = storeBy({ send } as unknown as DynamoDBClient);
    const message = "dynamodb:BatchGetItem left keys unread again and again: reads are throttled";
    await assert.rejects(proveMarks({ "demo#e": { done: ["h"] } }), { code: "dependency-failed", message });
  });

  it("is one while the item is read that a put has met", async () => {
    const conflict = { Responses: [{ Error: { Code: "ConditionalCheckFailed" } }, {}] };
    const store = storeBy(readsFail(conflict));
    const [met, other] = await store.put([entryOf(randomUUID()), entryOf(randomUUID())]);
    assert.equal(other?.is, "written");
    assert.ok(met?.is === "failed");
    assert.equal((met.thrown as AppError).code, "dependency-failed");
  });
});

describe("puts together", () => {
  const sessionOf = (key: string, more: Partial<SessionWrite> = {}): SessionWrite => ({
    kind: "session",
    key,
    session: { rate: 1 },
    version: 0,
    ...more,
  });
  const stored = (key: string) => storeWith().store.readSession(key);
  const ends = async (store: ConsumerStore, writes: (EntryWrite | SessionWrite)[]) =>
    (await store.put(writes)).map(({ is }) => is);

  it("are one call, and each holds or does not by itself", async () => {
    const { store, sent } = storeWith();
    const [first, second, third] = [randomUUID(), randomUUID(), randomUUID()];
    assert.deepEqual(await ends(store, [sessionOf(first), sessionOf(second), entryOf(third)]), [
      "written",
      "written",
      "written",
    ]);
    const changed = { session: { rate: 2, alias: "x" }, version: 1, marks: { "demo#e": { done: ["h"] } } };
    assert.deepEqual(
      await ends(store, [
        sessionOf(first, changed),
        sessionOf(second, { session: { rate: 9 }, version: 7 }),
        entryOf(third, { version: 1, done: ["h", "g"] }),
        sessionOf(randomUUID(), { version: 1 }),
        entryOf(randomUUID()),
      ]),
      ["written", "conflict", "written", "conflict", "written"],
    );
    assert.deepEqual(
      sent.map((command) => command.constructor),
      [BatchExecuteStatementCommand, BatchExecuteStatementCommand],
    );
    const { session, version, marks } = await stored(first);
    assert.deepEqual({ session, version, marks }, { ...changed, version: 2 });
    assert.deepEqual((await stored(second)).session, { rate: 1 });
    assert.deepEqual(await entryIn(third), { version: 2, done: ["h", "g"] });
  });

  it("leave nothing of what an item had before and has no more", async () => {
    const { store } = storeWith();
    const key = randomUUID();
    const before: Partial<SessionWrite> = {
      session: { alias: "a", org_id: "o", rate: 1 },
      changedBy: { handler: "h", event: "KeyExpired", event_id: "e" },
      marks: { "demo#e": { done: ["h"] } },
      gateway: { created: "" },
      end: 1_900_000_100,
    };
    await ends(store, [sessionOf(key, before), entryOf(randomUUID())]);
    await ends(store, [sessionOf(key, { version: 1, end: 0 }), entryOf(randomUUID())]);
    const { Item } = await services.clients.dynamo.send(
      new GetCommand({ TableName: env.SESSIONS_TABLE, Key: { key } }),
    );
    assert.deepEqual(Item, {
      key,
      session: { rate: 1 },
      version: 2,
      updated_at: 1_900_000_000,
      expires: 0,
    });
  });

  it("are the same item as a put by itself would make, whatever a session holds", async () => {
    await fc.assert(
      fc.asyncProperty(anySession, async (members) => {
        const session = members as Session;
        const { store } = storeWith();
        const [alone, together] = [randomUUID(), randomUUID()];
        for (const version of [0, 1]) {
          await putOne(store, sessionOf(alone, { session, version }));
          await ends(store, [sessionOf(together, { session, version }), entryOf(randomUUID())]);
        }
        assert.deepEqual(await stored(together), await stored(alone));
      }),
      { numRuns: 30 },
    );
  });

  it("of which there are more than one call takes are several", async () => {
    const { store, sent } = storeWith();
    const ids = Array.from({ length: 60 }, () => randomUUID());
    assert.deepEqual(
      new Set(
        await ends(
          store,
          ids.map((id) => entryOf(id)),
        ),
      ),
      new Set(["written"]),
    );
    assert.equal(sent.length, 3);
  });

  for (const [what, fault] of [
    ["are done, but their answer is lost", lost],
    ["do not reach the table", throwing(reset())],
    ["no role has the permission for", throwing(new TypeError("denied"))],
  ] as const)
    it(`that ${what} have one effect each`, async () => {
      const { store } = storeMeeting(BatchExecuteStatementCommand, [fault]);
      const [key, id] = [randomUUID(), randomUUID()];
      assert.deepEqual(await ends(store, [sessionOf(key), entryOf(id)]), ["written", "written"]);
      assert.equal((await stored(key)).version, 1);
      assert.deepEqual(await entryIn(id), ONCE);
    });

  it("that the SDK has sent twice by itself, since the first answer was lost, are nobody else's", async () => {
    const losing = await losingAnswers(services.clients);
    const store = storeBy(losing.dynamo);
    const [key, id] = [randomUUID(), randomUUID()];
    await putOne(store, sessionOf(key));
    assert.deepEqual(await ends(store, [sessionOf(key, { session: { rate: 2 }, version: 1 }), entryOf(id)]), [
      "written",
      "written",
    ]);
    assert.ok(losing.lost.includes("BatchExecuteStatement"), `${losing.lost}`);
    losing.dynamo.destroy();
  });

  it("of a session that somebody else has put meanwhile, with the same session, are a conflict", async () => {
    const key = randomUUID();
    const marks = { "demo#e1": { done: ["h"] } };
    await putOne(storeWith().store, sessionOf(key));
    await putOne(storeWith().store, sessionOf(key, { version: 1, marks }));
    const other = { version: 1, marks: { "demo#e2": { done: ["h"] } } };
    assert.equal(await putOne(storeWith().store, sessionOf(key, other)), CONFLICT);
    assert.deepEqual(await ends(storeWith().store, [sessionOf(key, other), entryOf(randomUUID())]), [
      "conflict",
      "written",
    ]);
  });

  it("of which the table can never take one are impossible for that one alone", async () => {
    const { store } = storeWith();
    const large = sessionOf(randomUUID(), { session: { alias: "x".repeat(410 * 1024) } });
    const results = await store.put([large, entryOf(randomUUID())]);
    assert.deepEqual(
      results.map(({ is }) => is),
      ["failed", "written"],
    );
    const [failed] = results;
    assert.equal(failed?.is === "failed" && (failed.thrown as AppError).code, "commit-impossible");
  });
});
