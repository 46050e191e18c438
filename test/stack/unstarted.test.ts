// Events that an invocation had no time for: nothing failed, so nothing may come of it.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createQueueSender } from "../../lib/events/send.ts";
import { deliveryOf } from "../../lib/queue/delivery.ts";
import { createRequeue } from "../../lib/queue/requeue.ts";
import { type Task, webhookTask, windowTask } from "../../lib/tasks/tasks.ts";
import { message, type Script, setUp } from "../helpers/consumer.ts";
import { startTestQueues, type TestQueues } from "../helpers/queues.ts";

describe("what an invocation has no time for", () => {
  const batch = Array.from({ length: 40 }, (_, nth) => message(`e${nth}`));
  const slow = () => {
    const clock = { left: 60_000 };
    const work: Script = async () => {
      clock.left -= 5_000;
    };
    return { clock, work };
  };

  it("is returned to the queue before anything runs, once the container knows its pace, and spread over time", async () => {
    const { clock, work } = slow();
    let returnedBefore = -1;
    const { consume, returns, runs } = setUp(
      {
        work: async (tyk) => {
          if (returnedBefore < 0) returnedBefore = returns.length;
          await work(tyk);
        },
      },
      { random: () => 0.99 },
    );
    await consume(batch.slice(0, 20), () => clock.left);
    assert.ok(runs.length > 5 && runs.length < 20, `${runs.length} of 20`);
    assert.equal(returnedBefore, 0, "at first nothing is known");
    clock.left = 60_000;
    returns.length = 0;
    returnedBefore = -1;
    const failed = await consume(batch.slice(20), () => clock.left);
    assert.ok(returnedBefore > 0, "others can have them now");
    assert.equal(returns.length, failed.length, "each once");
    assert.ok(returns.some(([, seconds]) => seconds > 0));
  });

  it("does not use up its receives while others get done: it is sent as a new message", async () => {
    const { clock, work } = slow();
    const { consume, requeued, letters, runs } = setUp({ work });
    const worn = batch.map((record) => ({ ...record, attributes: { ApproximateReceiveCount: "6" } }));
    const failed = await consume(worn, () => clock.left);
    assert.deepEqual(failed, []);
    assert.deepEqual(letters, []);
    assert.equal(requeued.length + runs.length, batch.length);
  });

  it("is a dead letter in the end where nothing ever gets done", async () => {
    const { work } = slow();
    const { consume, requeued, letters } = setUp({ work });
    const worn = batch
      .slice(0, 2)
      .map((record) => ({ ...record, attributes: { ApproximateReceiveCount: "7" } }));
    assert.deepEqual(await consume(worn, () => 100), []);
    assert.deepEqual(requeued, []);
    assert.deepEqual(
      letters.map(({ reason }) => reason),
      ["unstarted", "unstarted"],
    );
  });
});

describe("an event that is sent as a new message", () => {
  let queues: TestQueues;
  before(async () => {
    queues = await startTestQueues();
  });
  after(() => queues.close());

  const tasks: Record<string, Task | undefined> = {
    "an event": undefined,
    "a webhook that failed before": { ...webhookTask("webhook:a"), attempts: 3, since: 1_700_000_000 },
    "a webhook of a window": webhookTask("webhook:a", {
      id: "w1",
      coalesced: { count: 3, first: 1, last: 2 },
    }),
    "a window": windowTask("counts", "w1", 1_700_000_000),
  };
  for (const [what, task] of Object.entries(tasks))
    it(`is what it was: ${what}, its API and the id that its own message gave it`, async () => {
      const queueUrl = await queues.create();
      const requeue = createRequeue(createQueueSender({ sqs: queues.sqs, queueUrl }));
      const body = JSON.stringify({ Type: "KeyExpired", Meta: { Key: "k" } });
      const record = message("", {
        messageId: "m-1",
        body,
        attributes: { api_id: "demo", ...(task && { task: JSON.stringify(task) }) },
      });
      await requeue(record, { eventId: "m-1", seconds: 0 });
      const [copy] = await queues.drain(queueUrl);
      const attributes = Object.entries(copy?.MessageAttributes ?? {}).map(
        ([name, { StringValue }]) => [name, { stringValue: StringValue }] as const,
      );
      const received = {
        ...record,
        messageId: copy?.MessageId ?? "",
        body: copy?.Body ?? "",
        messageAttributes: Object.fromEntries(attributes),
      };
      assert.notEqual(received.messageId, record.messageId);
      const { records: _, ...delivery } = deliveryOf(record);
      const {
        records: [copied],
        ...again
      } = deliveryOf(received);
      assert.equal(copied, received);
      assert.deepEqual(again, delivery);
      assert.deepEqual(again.task, task);
    });
});
