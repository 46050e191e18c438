import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { firstFailed } from "../../local/stream-pump.ts";

const BATCH = ["100", "200", "300"];
const failures = (...ids: unknown[]) => ({
  batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })),
});

describe("the answer of a function to a batch of a stream", () => {
  it("is full success when it is none, or names no failure", () => {
    for (const answer of [undefined, null, {}, { batchItemFailures: null }, { batchItemFailures: [] }]) {
      assert.equal(firstFailed(answer, BATCH), undefined, JSON.stringify(answer));
    }
  });

  it("has the stream go on from the lowest record that it names, whatever their order", () => {
    assert.equal(firstFailed(failures("300", "200"), BATCH), "200");
    assert.equal(firstFailed(failures("300"), BATCH), "300");
  });

  it("fails the whole batch when it names an empty, missing or unknown record, or has another form", () => {
    for (const id of ["", null, undefined, 7, "400"]) assert.equal(firstFailed(failures(id), BATCH), "100");
    assert.equal(firstFailed({ batchItemFailures: "300" }, BATCH), "100");
  });
});
