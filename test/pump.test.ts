import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { failedIds } from "../local/pump.ts";

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
