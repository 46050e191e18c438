import assert from "node:assert/strict";
import { test } from "node:test";
import { createTurns } from "../../lib/in-turn.ts";

test("work starts when all that was given before has ended, a failure included, and each caller has its own result", async () => {
  const inTurn = createTurns();
  const seen: string[] = [];
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const first = inTurn(async () => {
    seen.push("first starts");
    await gate;
    seen.push("first fails");
    throw new Error("of the first");
  });
  const second = inTurn(() => {
    seen.push("second");
    return 2;
  });
  const refused = assert.rejects(first, /of the first/);
  await Promise.resolve();
  assert.deepEqual(seen, ["first starts"]);
  open();
  await refused;
  assert.equal(await second, 2);
  assert.deepEqual(seen, ["first starts", "first fails", "second"]);
});
