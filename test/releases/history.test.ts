// The history of releases is read whole, however the table answers.
import assert from "node:assert/strict";
import { it } from "node:test";
import type { BatchGetCommand, DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { readHistory } from "../../lib/releases/history.ts";

/** Gives so many items of each call, and leaves the others unread. */
function tableThatGives(most: number) {
  let calls = 0;
  const send = async ({ input }: BatchGetCommand) => {
    calls += 1;
    const keys = input.RequestItems?.table?.Keys ?? [];
    const left = keys.slice(most);
    return {
      Responses: { table: keys.slice(0, most).map(({ pk }) => ({ pk, version: pk })) },
      ...(left.length > 0 && { UnprocessedKeys: { table: { Keys: left } } }),
    };
  };
  return { dynamo: { send } as unknown as DynamoDBDocumentClient, calls: () => calls };
}

const KEYS = ["c", "a", "b"];

it("a history is read in the order of its keys, also where an answer leaves some out", async () => {
  const { dynamo, calls } = tableThatGives(1);
  const found = await readHistory(dynamo, "table", KEYS);
  assert.deepEqual([found.map(({ version }) => version), calls()], [KEYS, 3]);
});

it("a history is given up on where no answer has an item", async () => {
  const { dynamo, calls } = tableThatGives(0);
  await assert.rejects(
    readHistory(dynamo, "table", KEYS, async () => {}),
    { code: "dependency-failed" },
  );
  assert.equal(calls(), 6);
});
