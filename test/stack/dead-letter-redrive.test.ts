import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { DeleteMessageBatchCommand, SendMessageBatchCommand, type SQSClient } from "@aws-sdk/client-sqs";
import fc from "fast-check";
import { factsOf, type Letter } from "../../lib/dead-letters/letter.ts";
import { createQueue, type Queue } from "../../lib/dead-letters/queue.ts";
import { emptyTally, type RedriveOptions, redrive } from "../../lib/dead-letters/redrive.ts";
import { redriveMessageOf } from "../../lib/dead-letters/redrive-message.ts";
import { createRedriveSend } from "../../lib/dead-letters/redrive-send.ts";
import type { AppError } from "../../lib/errors.ts";
import { parseRecord } from "../../lib/queue/records.ts";
import { createRateLimit } from "../../lib/rate-limit.ts";
import { webhookTask, windowTask } from "../../lib/tasks/tasks.ts";
import { attributesOf, startTestQueues, type TestQueues } from "../helpers/queues.ts";

const VERDICT = {
  reason: "handler-threw",
  error: "TypeError: no",
  handler: "h",
  release: "v1",
  receives: "5",
};
const eventOf = (id: string) => JSON.stringify({ id, api_id: "demo", event: { Type: "KeyExpired" } });
const BARE = '{"Type":"KeyExpired","Meta":{"Key":"k"}}';

describe("a redrive", { concurrency: true }, () => {
  let queues: TestQueues;
  before(async () => {
    queues = await startTestQueues();
  });
  after(() => queues.close());

  /** A dead-letter queue and an events queue; `sqs` stands between. */
  async function setUp({ fifo = false, sqs = queues.sqs }: { fifo?: boolean; sqs?: SQSClient } = {}) {
    const [dead, events] = await Promise.all([queues.create({ fifo }), queues.create({ fifo })]);
    const stop = new AbortController();
    const clock = { now: Date.now(), waits: [] as number[] };
    const tally = emptyTally();
    const run = async (options: Partial<RedriveOptions> & { rate?: number; through?: SQSClient } = {}) => {
      const { rate = 1_000, through = sqs, ...given } = options;
      const queue = (queueUrl: string) => createQueue({ sqs: through, queueUrl });
      const pace = createRateLimit({
        rate,
        now: () => clock.now,
        async delay(ms) {
          clock.waits.push(ms);
          clock.now += ms;
        },
        stop: stop.signal,
      });
      clock.now = Date.now();
      return redrive(
        {
          deadLetters: queue(dead),
          events: queue(events),
          pace,
          now: Date.now,
          newId: () => crypto.randomUUID(),
        },
        { chosen: () => true, most: 1_000, stop: stop.signal, ...given },
        tally,
      );
    };
    return { dead, events, stop, clock, tally, run };
  }
  /** The client, but for calls of one kind. */
  const through = (
    Command: typeof SendMessageBatchCommand | typeof DeleteMessageBatchCommand,
    call: (input: { QueueUrl: string; Entries: { Id: string; MessageBody: string }[] }) => unknown,
  ) =>
    ({
      send: (command: { input: never }) =>
        command instanceof Command ? call(command.input) : queues.sqs.send(command as never),
    }) as unknown as SQSClient;

  it("sends the body as it is, with its identity and without the verdict, and takes the letter off", async () => {
    const { dead, events, tally, run } = await setUp();
    const attributes = { ...VERDICT, event_id: "e1", api_id: "demo" };
    await queues.put(dead, { body: ` ${BARE}\n`, attributes });
    assert.deepEqual(await run(), { read: 1, end: "empty", hidden: 0 });
    assert.deepEqual(tally, { chosen: 1, sent: 1, not_removed: 0, later: 0, failed: [] });
    const [message, ...others] = await queues.drain(events);
    assert.equal(message?.Body, ` ${BARE}\n`);
    assert.deepEqual(attributesOf(message ?? {}), { event_id: "e1", api_id: "demo" });
    assert.deepEqual([others, await queues.drain(dead)], [[], []]);
  });

  it("names an event that SQS moved by the message id that its first consumer saw", async () => {
    const { dead, events, run } = await setUp();
    const source = await queues.create({ deadLetters: dead, maxReceives: 1 });
    const first = await queues.put(source, { body: BARE, attributes: { api_id: "demo" } });
    const queue = createQueue({ sqs: queues.sqs, queueUrl: source });
    const [letter] = await queue.receive(1);
    await queue.release(letter ? [letter] : []);
    assert.deepEqual(await queue.receive(1), [], "moved at the receive after the last");
    await run();
    const [message] = await queues.drain(events);
    assert.notEqual(message?.MessageId, first);
    assert.deepEqual(attributesOf(message ?? {}), { event_id: first, api_id: "demo" });
  });

  it("keeps what others added to an event, as far as there is room beside what the consumer reads", async () => {
    const { dead, events, run } = await setUp();
    const others = Object.fromEntries(Array.from({ length: 9 }, (_, nth) => [`x${nth}`, String(nth)]));
    const id = await queues.put(dead, { body: BARE, attributes: { ...others, api_id: "demo" } });
    await run();
    const [message] = await queues.drain(events);
    const { event_id, api_id, ...rest } = attributesOf(message ?? {});
    assert.deepEqual([event_id, api_id], [id, "demo"]);
    assert.deepEqual(Object.keys(rest).sort(), Object.keys(others).slice(0, 8));
  });

  it("loses nothing when it dies between the send and the delete, and the event keeps its one identity", async () => {
    const { dead, events, tally, run } = await setUp();
    const id = await queues.put(dead, { body: BARE, attributes: { api_id: "demo" } });
    const dying = through(DeleteMessageBatchCommand, () => Promise.reject(new Error("the process is gone")));
    await assert.rejects(run({ through: dying }), /the process is gone/);
    assert.equal(tally.sent, 1, "told although it failed");
    await run();
    const sent = await queues.drain(events);
    assert.deepEqual(
      sent.map((message) => attributesOf(message).event_id),
      [id, id],
    );
    assert.deepEqual(await queues.drain(dead), []);
  });

  it("takes off only what SQS says it has sent, and counts what it says it has not deleted", async () => {
    const { dead, events, tally, run } = await setUp();
    for (const id of ["a", "b", "c"]) await queues.put(dead, { body: eventOf(id) });
    const refusing = through(SendMessageBatchCommand, async ({ QueueUrl, Entries }) => {
      const taken = Entries.filter(({ MessageBody }) => !MessageBody.includes('"b"'));
      const answer = await queues.sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries: taken }));
      const Failed = Entries.filter((entry) => !taken.includes(entry)).map(({ Id }) => ({
        Id,
        Code: "Throttled",
      }));
      return { ...answer, Failed };
    });
    await run({ through: refusing });
    assert.deepEqual([tally.sent, tally.failed], [2, [{ event_id: "b", error: "Throttled" }]]);
    const keeping = through(DeleteMessageBatchCommand, () => Promise.resolve({ Failed: [] }));
    await run({ through: keeping });
    assert.equal(tally.not_removed, 1);
    assert.deepEqual(
      (await queues.drain(dead)).map(({ Body }) => Body),
      [eventOf("b")],
    );
    assert.equal((await queues.drain(events)).length, 3);
  });

  it("stops when the events queue takes nothing, and every letter is still there", async () => {
    const { dead, run } = await setUp();
    for (let nth = 0; nth < 12; nth += 1) await queues.put(dead, { body: eventOf(`e${nth}`) });
    const refusing = through(SendMessageBatchCommand, async ({ Entries }) => ({
      Failed: Entries.map(({ Id }) => ({ Id, Code: "KmsAccessDenied", Message: "no key" })),
    }));
    await assert.rejects(run({ through: refusing }), (error: AppError) => {
      assert.deepEqual(
        [error.code, error.message.includes("KmsAccessDenied: no key")],
        ["queue-failed", true],
      );
      return true;
    });
    assert.equal((await queues.drain(dead)).length, 12);
  });

  it("sends more than one call holds, at the rate that was asked for", async () => {
    const { dead, events, clock, run } = await setUp();
    for (let nth = 0; nth < 23; nth += 1) await queues.put(dead, { body: eventOf(`e${nth}`) });
    await run({ rate: 5, perCall: 5 });
    assert.equal((await queues.drain(events)).length, 23);
    // The first call goes at once; each later one when those before it have had their time.
    assert.deepEqual(clock.waits, [1_000, 1_000, 1_000, 1_000]);
  });

  it("sends bodies of up to 1 MiB, in as many calls as they need", async () => {
    const { dead, events, tally, run } = await setUp();
    const sizes = [1_048_576, 600_000, 1_048_575, 500_000, 400_000, 100_000];
    for (const size of sizes) await queues.put(dead, { body: eventOf(`of ${size}`).padEnd(size) });
    await run();
    assert.deepEqual([tally.sent, tally.failed], [6, []]);
    const sent = (await queues.drain(events)).map(({ Body = "" }) => Body.length);
    assert.deepEqual(new Set(sent), new Set(sizes));
  });

  it("says so when an event is too large to be sent with its identity, and keeps it", async () => {
    const { dead, events, tally, run } = await setUp();
    const body = BARE.padEnd(1_048_576);
    const id = await queues.put(dead, { body });
    await queues.put(dead, { body: eventOf("small") });
    await run();
    assert.equal(tally.sent, 1);
    assert.deepEqual(
      tally.failed.map(({ event_id }) => event_id),
      [id],
    );
    assert.match(tally.failed[0]?.error ?? "", /larger than the 1048576 bytes/);
    assert.deepEqual(
      (await queues.drain(dead)).map(({ MessageId }) => MessageId),
      [id],
    );
    assert.equal((await queues.drain(events)).length, 1);
  });

  it("sends an event once, even if it fails again before the queue is read to its end", async () => {
    const { dead, events, tally, run } = await setUp();
    for (const id of ["a", "b"]) await queues.put(dead, { body: eventOf(id), attributes: VERDICT });
    await queues.put(dead, { body: "no event", attributes: VERDICT });
    const failing = through(SendMessageBatchCommand, async ({ QueueUrl, Entries }) => {
      const answer = await queues.sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
      for (const { MessageBody } of Entries)
        await queues.put(dead, { body: MessageBody, attributes: VERDICT });
      return answer;
    });
    await run({ through: failing });
    assert.deepEqual([tally.sent, tally.later], [3, 3]);
    assert.equal((await queues.drain(events)).length, 3);
    assert.equal((await queues.drain(dead)).length, 3);
  });

  it("sends each of an event's letters: its own, and those of its webhooks and windows", async () => {
    const { dead, events, tally, run } = await setUp();
    const tasks = [
      undefined,
      webhookTask("webhook:a"),
      webhookTask("webhook:b"),
      windowTask("counts", "w1", 0),
      windowTask("counts", "w2", 0),
    ].map((task) => task && JSON.stringify(task));
    for (const task of tasks)
      await queues.put(dead, { body: eventOf("a"), attributes: { ...VERDICT, ...(task && { task }) } });
    await queues.put(dead, { body: eventOf("a").replace("demo", "other"), attributes: VERDICT });
    await run();
    assert.deepEqual([tally.sent, tally.later], [6, 0]);
    const sent = (await queues.drain(events)).map((message) => attributesOf(message).task);
    assert.deepEqual(sent.sort(), [...tasks, undefined].sort());
  });

  it("sends those that were chosen, and leaves the others to be read at once", async () => {
    const { dead, events, tally, run } = await setUp();
    for (let nth = 0; nth < 24; nth += 1)
      await queues.put(dead, {
        body: eventOf(`e${nth}`),
        attributes: { ...VERDICT, handler: nth % 2 ? "h" : "g" },
      });
    await run({ chosen: ({ handler }) => handler === "h", dryRun: true });
    assert.deepEqual([tally.chosen, tally.sent], [12, 0]);
    await run({ chosen: ({ handler }) => handler === "h" });
    assert.equal(tally.sent, 12);
    const rest = (await queues.drain(dead)).map((message) => attributesOf(message).handler);
    assert.deepEqual(rest, Array(12).fill("g"));
    assert.equal((await queues.drain(events)).length, 12);
  });

  it("stops after the call in hand when it is told to", async () => {
    const { dead, events, stop, tally, run } = await setUp();
    for (let nth = 0; nth < 9; nth += 1) await queues.put(dead, { body: eventOf(`e${nth}`) });
    const stopping = through(SendMessageBatchCommand, (input) => {
      stop.abort();
      return queues.sqs.send(new SendMessageBatchCommand(input));
    });
    const { end } = await run({ through: stopping, perCall: 3 });
    assert.deepEqual([end, tally.sent], ["stopped", 3]);
    assert.equal((await queues.drain(events)).length, 3);
    assert.equal((await queues.drain(dead)).length, 6, "visible at once");
  });

  it("keeps each order group's order in a FIFO queue, and is not taken for a duplicate", async () => {
    const { dead, events, tally, run } = await setUp({ fifo: true });
    const fill = async () => {
      for (let nth = 0; nth < 4; nth += 1)
        for (const orderGroup of ["k1", "k2", "k3"])
          await queues.put(dead, { body: eventOf(`${orderGroup}-${nth}`), orderGroup, attributes: VERDICT });
    };
    await fill();
    await run();
    await fill();
    await run();
    assert.deepEqual([tally.sent, tally.failed], [24, []]);
    const sent = await queues.drain(events);
    for (const orderGroup of ["k1", "k2", "k3"]) {
      const bodies = sent
        .filter(({ Attributes }) => Attributes?.MessageGroupId === orderGroup)
        .map(({ Body }) => Body);
      const once = [0, 1, 2, 3].map((nth) => eventOf(`${orderGroup}-${nth}`));
      assert.deepEqual(bodies, [...once, ...once]);
    }
    assert.deepEqual(await queues.drain(dead), []);
  });
});

const letterOf = (letter: Partial<Letter>): Letter => ({
  messageId: "m1",
  receiptHandle: "r1",
  body: BARE,
  attributes: {},
  sentAt: 0,
  ...letter,
});

describe("events for a FIFO queue", () => {
  it("wait behind one of their order group that was refused, and the other groups go on", async () => {
    const calls: string[][] = [];
    const tally = emptyTally();
    const queue = {
      fifo: true,
      async send(messages) {
        calls.push(messages.map(({ body }) => body));
        const refused = messages.filter(({ body }) => body === "a1");
        return new Map(refused.map(({ id }) => [id, { error: "no", own: true }]));
      },
      remove: async () => [],
    } as Partial<Queue> as Queue;
    const send = createRedriveSend(
      { deadLetters: queue, events: queue, pace: async () => true, newId: () => "new" },
      tally,
    );
    const messages = ["a1", "a2", "b1", "a3", "b2", "c1"].map((body) => {
      const letter = letterOf({ messageId: body, body, orderGroup: body.charAt(0) });
      return redriveMessageOf(letter, factsOf(letter), true);
    });
    const gone = await send(messages);
    assert.deepEqual(calls, [["a1", "b1", "c1"], ["b2"]]);
    assert.deepEqual(
      gone.map(({ body }) => body),
      ["b1", "c1", "b2"],
    );
    assert.deepEqual([tally.sent, tally.later], [3, 2]);
  });
});

describe("the identity of a redriven event", () => {
  const text = fc.string({ minLength: 1, maxLength: 20 });
  const attribute = fc.oneof(
    text.map((StringValue) => ({ DataType: "String", StringValue })),
    fc.nat().map((value) => ({ DataType: "Number", StringValue: String(value) })),
    fc.uint8Array({ minLength: 1, maxLength: 9 }).map((BinaryValue) => ({ DataType: "Binary", BinaryValue })),
  );
  const name = fc.constantFrom(
    "event_id",
    "api_id",
    "reason",
    "error",
    "handler",
    "release",
    "receives",
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
  );
  const body = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record(
        { id: fc.oneof(text, fc.nat()), api_id: text, event: fc.record({ Type: text }), Type: text },
        { requiredKeys: [] },
      )
      .map((value) => JSON.stringify(value)),
  );
  const letter = fc
    .record({ messageId: fc.uuid(), body, attributes: fc.dictionary(name, attribute, { maxKeys: 10 }) })
    .map(letterOf);
  type Attributes = Record<string, { StringValue?: string }>;
  const seenAs = (messageId: string, textOfBody: string, attributes: Attributes) => {
    const messageAttributes = Object.fromEntries(
      Object.entries(attributes).map(([key, { StringValue }]) => [key, { stringValue: StringValue }]),
    );
    const count = { ApproximateReceiveCount: "1" };
    const record = { messageId, receiptHandle: "r1", body: textOfBody, attributes: count, messageAttributes };
    try {
      return parseRecord(record);
    } catch (thrown) {
      return (thrown as AppError).message;
    }
  };

  it("and what it asks for come before other attributes, where the queue does not take all", () => {
    const named = [..."abcdefgh", "api_id", "task"].map((each) => [
      each,
      { DataType: "String", StringValue: each },
    ]);
    const one = letterOf({ messageId: "m1", body: "{}", attributes: Object.fromEntries(named) });
    const { attributes } = redriveMessageOf(one, factsOf(one), false);
    assert.deepEqual(Object.keys(attributes), ["event_id", "api_id", "task", ..."abcdefg"]);
  });

  it("is for the consumer what it was before, whatever the message is", () => {
    fc.assert(
      fc.property(letter, (one) => {
        const { attributes } = redriveMessageOf(one, factsOf(one), false);
        const before = seenAs(one.messageId, one.body, one.attributes as Attributes);
        assert.deepEqual(seenAs("another", one.body, attributes as Attributes), before);
        assert.ok(Object.keys(attributes).length <= 10);
        for (const verdict of Object.keys(VERDICT)) assert.ok(!(verdict in attributes));
      }),
      { numRuns: 1_000 },
    );
  });
});
