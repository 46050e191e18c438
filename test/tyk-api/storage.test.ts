// What scripts store, against the real engine, with answers that are lost on the way back.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, describe, it } from "node:test";
import { TransactionCanceledException } from "@aws-sdk/client-dynamodb";
import { type DynamoDBDocumentClient, TransactWriteCommand } from "@aws-sdk/lib-dynamodb";
import { createStorage, type Storage } from "../../lib/tyk-api/storage.ts";
import { createEntryStore } from "../../lib/tyk-api/storage-store.ts";
import { type LosingAnswers, losingAnswers } from "../helpers/lost-answers.ts";
import { useServices } from "../helpers/services.ts";

const NOW = 1_787_396_400_000;

const services = useServices();
let table: string;
/** Whoever else uses the storage; all answers reach them. */
let others: Storage;
let losing: LosingAnswers;
let storage: Storage;

const storageOn = (dynamo: DynamoDBDocumentClient) =>
  createStorage({
    entries: createEntryStore({ dynamo, table, newToken: randomUUID, random: () => 0 }),
    now: () => NOW,
  });

before(async () => {
  const env = await services.newResources("storage");
  table = env.STATE_TABLE;
  others = storageOn(services.clients.dynamo);
  losing = await losingAnswers(services.clients);
  storage = storageOn(losing.dynamo);
});
after(async () => {
  losing.dynamo.destroy();
});
beforeEach(() => {
  losing.onLost = async () => {};
  losing.lost.splice(0);
});

const newKey = () => randomUUID();
/** Does this once, between what the table has done and the second try of who does not know it. */
function meanwhile(work: () => Promise<unknown>): void {
  losing.onLost = async () => {
    if (losing.lost.at(-1) !== "TransactWriteItems") return;
    losing.onLost = async () => {};
    await work();
  };
}

describe("a storage call whose answer is lost", () => {
  it("counts once", async () => {
    const key = newKey();
    assert.equal(await storage.call("incr", key, "", 0), "1");
    assert.equal(await storage.call("incr", key, "", 0), "2");
    assert.equal(await others.call("get", key, "", 0), "2");
    assert.deepEqual(losing.lost, ["GetItem", "TransactWriteItems", "GetItem", "TransactWriteItems"]);
  });

  it("counts once although others count in between", async () => {
    const key = newKey();
    meanwhile(() => others.call("incr", key, "", 0));
    assert.equal(await storage.call("incr", key, "", 0), "1");
    assert.equal(await others.call("get", key, "", 0), "2");
  });

  it("has made what it has made: a lock is with whoever was told so", async () => {
    const key = newKey();
    assert.equal(await storage.call("setnx", key, "mine", 60), true);
    assert.equal(await storage.call("setnx", key, "again", 60), false);
    assert.equal(await others.call("get", key, "", 0), "mine");
  });

  it("does not delete what others have made since it deleted", async () => {
    const key = newKey();
    await others.call("set", key, "mine", 0);
    meanwhile(() => others.call("setnx", key, "theirs", 60));
    await storage.call("del", key, "", 0);
    assert.equal(await others.call("get", key, "", 0), "theirs");
  });

  it("does not replace what others have set since it set", async () => {
    const key = newKey();
    meanwhile(() => others.call("set", key, "theirs", 0));
    await storage.call("set", key, "mine", 0);
    assert.equal(await others.call("get", key, "", 0), "theirs");
  });
});

describe("a storage call that meets another one", () => {
  /** The first transaction is cancelled, with nothing written. */
  function cancelling(Code: string) {
    let cancelled = false;
    const send = async (command: object) => {
      if (!(command instanceof TransactWriteCommand) || cancelled)
        return services.clients.dynamo.send(command as never);
      cancelled = true;
      const facts = { message: "no", $metadata: { httpStatusCode: 400 } };
      throw new TransactionCanceledException({ ...facts, CancellationReasons: [{ Code }] });
    };
    return storageOn({ send } as unknown as DynamoDBDocumentClient);
  }

  it("is tried again when it was cancelled for the moment", async () => {
    for (const code of ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]) {
      const key = newKey();
      await cancelling(code).call("set", key, "v", 0);
      assert.equal(await others.call("get", key, "", 0), "v");
      await cancelling(code).call("del", key, "", 0);
      assert.equal(await others.call("get", key, "", 0), null);
    }
    const cancelled = cancelling("ValidationError").call("set", newKey(), "v", 0);
    await assert.rejects(cancelled, TransactionCanceledException);
  });

  it("counts each of many at the same time", async () => {
    const key = newKey();
    const counts = await Promise.all(Array.from({ length: 10 }, () => others.call("incr", key, "", 0)));
    assert.deepEqual(
      counts.map(Number).toSorted((one, other) => one - other),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    );
  });

  it("makes once what many make at the same time", async () => {
    const key = newKey();
    const made = await Promise.all(
      Array.from({ length: 10 }, (_, at) => others.call("setnx", key, String(at), 60)),
    );
    assert.equal(made.filter(Boolean).length, 1);
    assert.equal(await others.call("get", key, "", 0), String(made.indexOf(true)));
  });

  it("takes the place of an entry whose end has come", async () => {
    const key = newKey();
    await others.call("set", key, "old", 1);
    const later = createStorage({
      entries: createEntryStore({
        dynamo: services.clients.dynamo,
        table,
        newToken: randomUUID,
        random: () => 0,
      }),
      now: () => NOW + 1_000,
    });
    assert.equal(await later.call("incr", key, "", 30), "1");
    assert.equal(await later.call("ttl", key, "", 0), 30);
  });
});
