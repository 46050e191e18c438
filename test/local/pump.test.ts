import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { SQSEvent } from "aws-lambda";
import fc from "fast-check";
import { failedIds, startPump } from "../../local/pump.ts";
import { startTestQueues, type TestQueues } from "../helpers/queues.ts";

const BATCH = ["a", "b", "c"].map((MessageId) => ({ MessageId }));
const failed = (answer: unknown, batch = BATCH) => [...failedIds(answer, batch)].sort();
const failures = (...ids: unknown[]) => ({
  batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })),
});

describe("the answer of a function to a batch", () => {
  it("is full success when it is none, or names no failure", () => {
    for (const answer of [undefined, null, {}, { batchItemFailures: null }, { batchItemFailures: [] }]) {
      assert.deepEqual(failed(answer), [], JSON.stringify(answer));
    }
  });

  it("fails the messages that it names, and only those", () => {
    assert.deepEqual(failed(failures("b")), ["b"]);
    assert.deepEqual(failed(failures("c", "a")), ["a", "c"]);
    assert.deepEqual(failed(failures("a", "b", "c")), ["a", "b", "c"]);
    assert.deepEqual(failed(failures("b", "b")), ["b"]);
  });

  it("fails the whole batch when it names an empty, missing or unknown message", () => {
    for (const id of ["", null, undefined, 7, {}, "d", "A", "__proto__"]) {
      assert.deepEqual(failed(failures(id)), ["a", "b", "c"], String(id));
      assert.deepEqual(failed(failures("a", id)), ["a", "b", "c"], String(id));
    }
  });

  it("fails the whole batch when its list has another form", () => {
    const wrong = [
      "a",
      7,
      true,
      { 0: { itemIdentifier: "a" } },
      [null],
      ["a"],
      [{ ItemIdentifier: "a" }],
      [[]],
    ];
    for (const batchItemFailures of wrong) {
      assert.deepEqual(failed({ batchItemFailures }), ["a", "b", "c"], JSON.stringify(batchItemFailures));
    }
  });

  it("never fails a message that is not in the batch, whatever it is", () => {
    const answer = fc.oneof(
      fc.anything(),
      fc.record({ batchItemFailures: fc.anything() }),
      fc
        .array(fc.oneof(fc.constantFrom("a", "b", "c", "d", ""), fc.anything()))
        .map((ids) => failures(...ids)),
    );
    fc.assert(
      fc.property(answer, (given) => {
        for (const id of failed(given)) assert.ok(["a", "b", "c"].includes(id));
      }),
    );
  });
});

describe("a pump of a queue that stays", () => {
  let queues: TestQueues;
  before(async () => {
    queues = await startTestQueues();
  });
  after(() => queues.close());

  async function pumpOf(queueUrl: string, batchSize: number, invoke: (batch: SQSEvent) => Promise<unknown>) {
    const { sqs } = queues;
    return startPump({ sqs, queueUrl, batchSize, queueStays: true, invoke, onError: assert.fail });
  }
  const bodies = async (queueUrl: string) => (await queues.drain(queueUrl)).map(({ Body }) => Body);

  it("takes nothing that comes after its end", async () => {
    const queueUrl = await queues.create();
    const first = Promise.withResolvers<void>();
    const pump = await pumpOf(queueUrl, 10, async () => first.resolve());
    await queues.put(queueUrl, { body: "before" });
    await first.promise;
    await pump.close();
    await queues.put(queueUrl, { body: "after" });
    assert.deepEqual(await bodies(queueUrl), ["after"]);
  });

  it("gives back what it has in hand when the function ends with it", async () => {
    const queueUrl = await queues.create();
    const invoked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const pump = await pumpOf(queueUrl, 10, () => {
      invoked.resolve();
      return answer.promise;
    });
    await queues.put(queueUrl, { body: "in hand" });
    await invoked.promise;
    const closed = pump.close();
    answer.reject(new Error("the function was ended"));
    await closed;
    assert.deepEqual(await bodies(queueUrl), ["in hand"]);
  });

  it("acknowledges more than SQS takes in one request", async () => {
    const queueUrl = await queues.create();
    const count = 25;
    for (let nth = 0; nth < count; nth += 1) await queues.put(queueUrl, { body: String(nth) });
    const seen = new Set<string>();
    const all = Promise.withResolvers<void>();
    const pump = await pumpOf(queueUrl, count, async ({ Records }) => {
      for (const { body } of Records) seen.add(body);
      if (seen.size === count) all.resolve();
    });
    await all.promise;
    await pump.close();
    assert.deepEqual(await bodies(queueUrl), []);
  });
});
