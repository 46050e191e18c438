import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { GetQueueAttributesCommand, SendMessageCommand } from "@aws-sdk/client-sqs";
import { GetCommand } from "@aws-sdk/lib-dynamodb";
import { type Rig, startRig } from "../chaos/rig.ts";

let rig: Rig;
let silent = 0;
before(async () => {
  rig = await startRig({
    env: process.env,
    consumers: 1,
    // The sessions table does not answer; the state table does.
    step: () => async (call, forward) => {
      if (silent > 0 && call.operation === "BatchGetItem" && !call.body.includes("-state")) {
        silent -= 1;
        await delay(4_000);
        return "cut";
      }
      return forward();
    },
    settings: {
      MAX_ATTEMPTS: "2",
      HANDLER_TIMEOUT_MS: "1000",
      RETRY_BASE_SECONDS: "1",
      RETRY_MAX_SECONDS: "1",
    },
  });
});
after(() => rig.close());

test("a sessions table that does not answer costs an event no attempt", async () => {
  silent = 4;
  const { sqs, dynamo } = rig.stack.clients;
  const { EVENTS_QUEUE_URL, DEAD_LETTERS_QUEUE_URL, SESSIONS_TABLE } = rig.stack.resources;
  const body = { id: "silent", api_id: "chaos", event: { Type: "Count", Meta: { Key: "k" } } };
  await sqs.send(new SendMessageCommand({ QueueUrl: EVENTS_QUEUE_URL, MessageBody: JSON.stringify(body) }));
  for (;;) {
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: DEAD_LETTERS_QUEUE_URL, AttributeNames: ["All"] }),
    );
    assert.equal(Attributes?.ApproximateNumberOfMessages, "0", "it is a dead letter");
    const { Item } = await dynamo.send(new GetCommand({ TableName: SESSIONS_TABLE, Key: { key: "k" } }));
    if (Item) break;
    await delay(200);
  }
});
