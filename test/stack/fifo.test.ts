import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { fifoOrder } from "../../lib/events/fifo.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";

const DEFINITION = {
  api_id: "demo",
  event_handlers: {
    events: {
      KeyExpired: [{ handler_name: "eh_dynamic_handler", handler_meta: { name: "order", path: "order.js" } }],
    },
  },
};
const SCRIPT = `var order = new TykJS.TykEventHandlers.NewEventHandler({});
order.NewHandler(function (event, context) {
  if (event.Meta.Fails >= context.Attempt) throw new Error("not yet");
  log("order " + event.Meta.Key + " " + event.Meta.Nth);
});`;

describe("a FIFO queue", () => {
  let stack: TestStack;
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "gatehook-fifo-"));
    await Promise.all([mkdir(join(folder, "apis")), mkdir(join(folder, "handlers"))]);
    await writeFile(join(folder, "apis/demo.json"), JSON.stringify(DEFINITION));
    await writeFile(join(folder, "handlers/order.js"), SCRIPT);
    stack = await startTestStack({ folder, fifo: true, settings: { RETRY_BASE_SECONDS: "1" } });
  });
  after(async () => {
    await stack.close();
    await rm(folder, { recursive: true });
  });

  test("keeps the events of each key in order, also when an earlier one has to be repeated", async () => {
    const orders: string[] = [];
    const all = Promise.withResolvers<void>();
    stack.facts.listen(({ message, fields }) => {
      const [line] = /order [ab] \d$/.exec(String(fields.text)) ?? [];
      if (message !== "script" || line === undefined) return;
      orders.push(line);
      if (orders.length === 8) all.resolve();
    });
    const post = async (Key: string, Nth: number, Fails: number) => {
      const event = { Type: "KeyExpired", Meta: { Key, Nth, Fails }, TimeStamp: "" };
      const answer = await stack.post("demo", JSON.stringify({ id: `${Key}-${Nth}`, event }));
      assert.equal(answer.status, 202);
    };
    for (const nth of [1, 2, 3, 4]) {
      await post("a", nth, nth === 1 ? 1 : 0);
      await post("b", nth, 0);
    }
    await all.promise;
    const of = (key: string) => orders.filter((line) => line.startsWith(`order ${key}`));
    for (const key of ["a", "b"])
      assert.deepEqual(
        of(key),
        [1, 2, 3, 4].map((nth) => `order ${key} ${nth}`),
      );
    assert.ok(orders.indexOf("order b 4") < orders.indexOf("order a 1"), "the other key did not wait");
  });

  test("takes an event that is given up to a dead-letter queue that keeps the order too", async () => {
    const url = stack.resources.EVENTS_QUEUE_URL;
    const envelope = {
      id: "c-1",
      api_id: "nobody",
      event: { Type: "KeyExpired", Meta: { Key: "c" }, TimeStamp: "" },
    };
    await stack.clients.sqs.send(
      new SendMessageCommand({
        QueueUrl: url,
        MessageBody: JSON.stringify(envelope),
        ...fifoOrder(url, envelope),
      }),
    );
    const { MessageAttributes, Attributes } = await stack.deadLetter();
    assert.equal(MessageAttributes?.reason?.StringValue, "api-unknown");
    assert.equal(Attributes?.MessageGroupId, fifoOrder(url, envelope).MessageGroupId);
  });
});

describe("a message's place in a FIFO queue", () => {
  const order = (Key: unknown, id = "e1", api_id = "demo") =>
    fifoOrder("https://queue/x.fifo", { id, api_id, event: { Type: "T", Meta: { Key }, TimeStamp: "" } });

  test("is that of its key, and of itself alone without one", () => {
    assert.equal(order("k", "e1").MessageGroupId, order("k", "e2").MessageGroupId);
    assert.notEqual(order("k").MessageGroupId, order("l").MessageGroupId);
    assert.notEqual(order("k").MessageGroupId, order("k", "e1", "other").MessageGroupId);
    assert.notEqual(order("", "e1").MessageGroupId, order("", "e2").MessageGroupId);
  });

  test("has what SQS takes, whatever the key and the id", () => {
    const { MessageGroupId = "", MessageDeduplicationId = "" } = order(
      "\u0000 schlüssel".repeat(200),
      "é".repeat(256),
    );
    for (const text of [MessageGroupId, MessageDeduplicationId]) assert.match(text, /^[\da-f]{64}$/);
    assert.notEqual(order("k", "e1").MessageDeduplicationId, order("k", "e2").MessageDeduplicationId);
  });

  test("is not told to a queue that is none", () => {
    const event = { Type: "T", Meta: {}, TimeStamp: "" };
    assert.deepEqual(fifoOrder("https://queue/x", { id: "e", api_id: "a", event }), {});
  });
});
