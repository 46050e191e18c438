// Messages that ask for one webhook, or for the end of a window, on the queue of events.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SendMessageCommandInput, SQSClient } from "@aws-sdk/client-sqs";
import fc from "fast-check";
import { AppError } from "../../lib/errors.ts";
import { createQueueSender, type QueueMessage } from "../../lib/events/send.ts";
import { deliveryOf } from "../../lib/queue/delivery.ts";
import { createSendTask } from "../../lib/tasks/send-task.ts";
import { freshTask, type Task, taskOf, webhookTask, windowTask } from "../../lib/tasks/tasks.ts";
import { createRelease, createRuntime, createTable, message, NOW, setUp } from "../helpers/consumer.ts";

const SECONDS = NOW / 1000;
const withTask = (id: string, task: Task, options: Parameters<typeof message>[1] = {}) =>
  message(id, { ...options, attributes: { task: JSON.stringify(task) } });

function sender(failure?: Error) {
  const sent: QueueMessage[] = [];
  const send = createSendTask({
    send: async (one) => {
      if (failure) throw failure;
      sent.push(one);
    },
    now: () => NOW,
    newId: () => "new",
  });
  return { send, sent };
}

describe("a task", () => {
  it("is read as it was written, whatever it holds", () => {
    const integer = fc.integer({ min: 0, max: 2 ** 40 });
    const task = fc.record({
      kind: fc.constantFrom("webhook" as const, "window" as const),
      entry: fc.string(),
      id: fc.string(),
      due: integer,
      attempts: integer,
      since: integer,
      postponed: integer,
    });
    fc.assert(
      fc.property(task, fc.option(integer), (given, count) => {
        const coalesced = count ? { coalesced: { count, first: 1, last: 2 } } : {};
        const written = JSON.parse(JSON.stringify({ ...given, ...coalesced })) as Task;
        if (!(given.entry + given.id).isWellFormed()) return;
        assert.deepEqual(taskOf(withTask("e", written)), written);
      }),
    );
  });

  it("has only characters that the queue takes, whatever its event and its handler are called", async () => {
    const sent: SendMessageCommandInput[] = [];
    const sqs = {
      send: async ({ input }: { input: SendMessageCommandInput }) => void sent.push(input),
    } as unknown as SQSClient;
    const sending = { send: createQueueSender({ sqs, queueUrl: "" }), now: () => NOW, newId: () => "new" };
    const entry = "webhook:a\ufffe\uffff\u{1f600}";
    await createSendTask(sending)(message("e"), "an\ufffe id\uffff", webhookTask(entry));
    const attributes = sent[0]?.MessageAttributes ?? {};
    for (const [name, { StringValue = "" }] of Object.entries(attributes))
      assert.match(StringValue, /^[\t\n\r\x20-\ud7ff\ue000-\ufffd]+$/, name);
    assert.equal(attributes.event_id?.StringValue, "an\ufffd id\ufffd");
    assert.equal(
      taskOf(message("e", { attributes: { task: attributes.task?.StringValue ?? "" } }))?.entry,
      entry,
    );
  });

  it("is refused where it is none, and is none without its attribute", () => {
    assert.equal(taskOf(message("e")), undefined);
    for (const task of [
      "",
      "x",
      "[]",
      '{"kind":"other"}',
      '{"kind":"webhook","due":"soon"}',
      '{"kind":"webhook","coalesced":{"count":1,"last":9007199254740991}}',
      "7",
    ])
      if (task)
        assert.throws(
          () => taskOf(message("e", { attributes: { task } })),
          (error: AppError) => error.code === "event-invalid",
          task,
        );
  });

  it("has an identity that is not its event's: a window's is its own, and so is each webhook's", () => {
    const plain = deliveryOf(message("e")).identity;
    const one = deliveryOf(withTask("e", webhookTask("webhook:a"))).identity;
    const two = deliveryOf(withTask("e", webhookTask("webhook:b"))).identity;
    const window = deliveryOf(withTask("e", windowTask("h", "w-1", 0)));
    assert.equal(new Set([plain, one, two, window.identity]).size, 4);
    assert.equal(window.envelope.id, "w-1");
    const other = deliveryOf(withTask("e2", windowTask("h", "w-1", 0)));
    assert.deepEqual([other.identity, other.digest], [window.identity, window.digest]);
  });

  it("begins from the first attempt when it is sent again", () => {
    const tried = { ...webhookTask("webhook:a"), attempts: 11, since: 5, due: 9, postponed: 3 };
    assert.deepEqual(
      JSON.parse(freshTask(withTask("e", tried)) ?? ""),
      JSON.parse(JSON.stringify(webhookTask("webhook:a"))),
    );
    assert.equal(freshTask(message("e")), undefined);
  });
});

describe("a task on its way to the queue", () => {
  it("goes with the event's body and names, delayed for ten minutes at most", async () => {
    const { send, sent } = sender();
    await send(message("e1"), "e1", webhookTask("webhook:a", { due: SECONDS + 70.2 }));
    await send(message("e1"), "e1", webhookTask("webhook:a", { due: SECONDS + 40_000 }));
    await send(message("e1"), "e1", webhookTask("webhook:a", { due: SECONDS - 5 }));
    assert.deepEqual(
      sent.map(({ delaySeconds }) => delaySeconds),
      [71, 600, 0],
    );
    assert.equal(sent[0]?.body, message("e1").body);
    assert.equal(sent[0]?.attributes?.event_id, "e1");
  });

  it("is a group of its own in a FIFO queue, which takes no delay", async () => {
    const { send, sent } = sender();
    for (const entry of ["webhook:a", "webhook:b"])
      await send(message("e1", { group: "g" }), "e1", webhookTask(entry, { due: SECONDS + 70 }));
    assert.deepEqual(
      sent.map(({ delaySeconds }) => delaySeconds),
      [undefined, undefined],
    );
    assert.equal(new Set(["g", ...sent.map(({ order }) => order?.MessageGroupId)]).size, 3);
  });

  it("has no room beside the largest body, and says when the queue is away", async () => {
    const { send } = sender();
    const large = message("e1", { body: "x".repeat(1024 * 1024 - 50) });
    const codeOf = (code: string) => (error: AppError) => error instanceof AppError && error.code === code;
    await assert.rejects(send(large, "e1", webhookTask("webhook:a")), codeOf("event-too-large"));
    const tried = { attempts: 10, since: SECONDS, due: SECONDS + 43_200, postponed: 12 };
    for (let left = 200; left < 500; left += 1) {
      const one = message("e1", { body: "x".repeat(1024 * 1024 - left) });
      const fits = await send(one, "e1", webhookTask("webhook:a")).then(
        () => true,
        () => false,
      );
      if (fits) await send(one, "e1", webhookTask("webhook:a", tried));
    }
    const away = sender(new Error("away"));
    await assert.rejects(away.send(message("e1"), "e1", webhookTask("a")), codeOf("dependency-failed"));
  });
});

describe("a batch with webhooks and events", () => {
  it("reads once what is live, and both go by that release, also when another goes live meanwhile", async () => {
    const versions = ["v1", "v2"];
    const table = createTable();
    const { read } = table.store;
    const steps: string[] = [];
    table.store.read = async (...asked) => {
      steps.push("read");
      return { ...(await read(...asked)), liveVersion: versions.shift() ?? "v2" };
    };
    const { consume } = setUp(
      {},
      {
        table,
        live: {
          async at(version) {
            steps.push(`at ${version}`);
            const release = createRelease({ KeyExpired: ["ran"] }, version);
            return { release, runtime: createRuntime({ ran: () => void steps.push("run") }) };
          },
          close: async () => {},
        },
        async deliver(webhooks, { release, result }) {
          steps.push(`deliver by ${release.version}`);
          result.done(webhooks.flatMap(({ records }) => records));
        },
      },
    );
    assert.deepEqual(await consume([withTask("e1", webhookTask("webhook:a")), message("e2")]), []);
    assert.deepEqual(steps, ["read", "at v1", "deliver by v1", "run"]);
  });
});

describe("a task whose time has not come", () => {
  const later = (seconds: number) => webhookTask("webhook:a", { due: SECONDS + seconds });

  it("goes back to the queue as a message of its own, which has all its receives", async () => {
    const sent: Task[] = [];
    const { consume, returns } = setUp(
      {},
      {
        sendTask: async (_, __, task) => void sent.push(task),
        deliver: async () => assert.fail("it is not due"),
      },
    );
    assert.deepEqual(await consume([withTask("e1", later(5_000))]), []);
    assert.deepEqual(sent, [later(5_000)]);
    assert.deepEqual(returns, []);
  });

  it("stays hidden in a FIFO queue, at most as long as a message can be", async () => {
    const { consume, returns, letters } = setUp(
      {},
      { sendTask: async () => assert.fail("there is no delay") },
    );
    const ids = await consume([
      withTask("e1", later(300), { group: "g1" }),
      withTask("e2", later(50_000), { group: "g2" }),
    ]);
    assert.deepEqual(ids, ["m-e1", "m-e2"]);
    assert.deepEqual(returns, [
      ["m-e1", 300],
      ["m-e2", 42_900],
    ]);
    assert.deepEqual(letters, []);
  });

  it("does not keep others of its batch from theirs, nor does a queue that is away", async () => {
    const { consume, runs } = setUp(
      { ran: () => {} },
      { sendTask: () => Promise.reject(new AppError("dependency-failed", "away")) },
    );
    assert.deepEqual(await consume([withTask("e1", later(300)), message("e2")]), ["m-e1"]);
    assert.deepEqual(runs, ["e2 ran"]);
  });
});
