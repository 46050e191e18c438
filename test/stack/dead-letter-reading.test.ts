import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { ChangeMessageVisibilityBatchCommand, SendMessageCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { createGroups } from "../../lib/dead-letters/groups.ts";
import { factsOf, type Letter, type LetterFacts } from "../../lib/dead-letters/letter.ts";
import { createQueue, type Queue } from "../../lib/dead-letters/queue.ts";
import { removeLetters } from "../../lib/dead-letters/remove.ts";
import { readLetters, type SweepOptions, sweep } from "../../lib/dead-letters/sweep.ts";
import { startTestQueues, type TestQueues } from "../helpers/queues.ts";

const GO_ON = new AbortController().signal;
const eventOf = (id: string, api_id = "demo") =>
  JSON.stringify({ id, api_id, event: { Type: "KeyExpired" } });

describe("the dead-letter queue", { concurrency: true }, () => {
  let queues: TestQueues;
  before(async () => {
    queues = await startTestQueues();
  });
  after(() => queues.close());

  async function setUp(bodies: string[] = []) {
    const queueUrl = await queues.create();
    for (const body of bodies) await queues.put(queueUrl, { body });
    const queue = createQueue({ sqs: queues.sqs, queueUrl });
    const read = async (options: Partial<SweepOptions> = {}, of: Queue = queue) => {
      const seen: LetterFacts[] = [];
      const found = await readLetters(of, { most: 1_000, stop: GO_ON, ...options }, (facts) => {
        seen.push(facts);
      });
      return { found, seen, ids: seen.map(({ event_id }) => event_id).sort() };
    };
    const left = async () => (await queues.drain(queueUrl)).length;
    return { queueUrl, queue, read, left };
  }
  const many = (count: number) => Array.from({ length: count }, (_, nth) => eventOf(`e${nth}`));

  it("is read letter by letter, each once, and can be read again at once", async () => {
    const { read, queue } = await setUp(many(25));
    const { found, ids } = await read();
    assert.deepEqual(found, { read: 25, end: "empty", hidden: 0 });
    assert.equal(new Set(ids).size, 25);
    assert.deepEqual(await queue.size(), { visible: 25, held: 0 });
    assert.deepEqual((await read()).ids, ids);
  });

  it("is read no further than is wished, and says that there may be more", async () => {
    const { read, left } = await setUp(many(25));
    const { found, ids } = await read({ most: 12 });
    assert.deepEqual([found.end, found.read, ids.length], ["most", 12, 12]);
    assert.equal(await left(), 25);
  });

  it("is whole again after a reader that was stopped, and after one that failed", async () => {
    const { read, queue, left } = await setUp(many(15));
    const stop = new AbortController();
    const { found } = await read({ stop: stop.signal, onRead: () => stop.abort() });
    assert.deepEqual([found.end, found.read], ["stopped", 10]);
    const failing = readLetters(queue, { most: 99, stop: GO_ON }, () => {
      throw new Error("the reader is at fault");
    });
    await assert.rejects(failing, /the reader is at fault/);
    assert.equal(await left(), 15);
  });

  it("shows the first letters of each order group when it is a FIFO queue, and keeps their order", async () => {
    const queueUrl = await queues.create({ fifo: true });
    const ids = ["a1", "b1", "a2", "b2", "a3"];
    for (const id of ids) await queues.put(queueUrl, { body: eventOf(id), orderGroup: id.charAt(0) });
    const queue = createQueue({ sqs: queues.sqs, queueUrl });
    const seen = new Set<string>();
    await readLetters(queue, { most: 99, stop: GO_ON }, ({ event_id }) => seen.add(event_id));
    assert.ok(seen.has("a1") && seen.has("b1"), [...seen].join());
    const left = (await queues.drain(queueUrl)).map(({ Body = "" }) => JSON.parse(Body).id as string);
    assert.deepEqual(
      left.filter((id) => id.startsWith("a")),
      ["a1", "a2", "a3"],
    );
    assert.deepEqual(
      left.filter((id) => id.startsWith("b")),
      ["b1", "b2"],
    );
  });

  it("says how many letters come back only later, when SQS does not give them back", async () => {
    const { queueUrl, read } = await setUp(many(3));
    const refusing = {
      send: (command: never) =>
        (command as object) instanceof ChangeMessageVisibilityBatchCommand
          ? Promise.reject(new Error("throttled"))
          : queues.sqs.send(command),
    } as unknown as SQSClient;
    const { found } = await read({}, createQueue({ sqs: refusing, queueUrl }));
    assert.deepEqual(found, { read: 3, end: "empty", hidden: 3 });
  });

  it("counts a letter once that comes again while it is read, and gives it back by its newest handle", async () => {
    const letter = (receiptHandle: string): Letter => ({
      messageId: "m1",
      receiptHandle,
      body: eventOf("e1"),
      attributes: {},
      sentAt: 0,
    });
    const receives = [[letter("first")], [letter("second")], []];
    const released: string[] = [];
    const queue = {
      receive: async () => receives.shift() ?? [],
      async release(letters) {
        released.push(...letters.map(({ receiptHandle }) => receiptHandle));
        return 0;
      },
    } as Partial<Queue> as Queue;
    let shown = 0;
    const found = await sweep(queue, { most: 9, stop: GO_ON }, async (letters) => {
      shown += letters.length;
      return [];
    });
    assert.deepEqual([found.read, shown, released], [1, 1, ["second"]]);
  });

  it("loses those letters for good that were chosen, and none that came after the choice", async () => {
    const { queue, read, left } = await setUp(many(23));
    const tally = { removed: 0, not_removed: 0 };
    const chosen = ({ event_id }: LetterFacts) => event_id !== "e7";
    const remove = (before: number) =>
      removeLetters(queue, { most: 1_000, stop: GO_ON, chosen, before }, tally);
    const { seen } = await read();
    await remove(Math.min(...seen.map(({ sent_at }) => Date.parse(sent_at))) - 1);
    assert.equal(tally.removed, 0);
    await remove(Date.now());
    assert.deepEqual(tally, { removed: 22, not_removed: 0 });
    assert.equal(await left(), 1);
  });

  it("is shown whatever lies in it: foreign attributes, no attributes, bodies of any kind", async () => {
    const { queueUrl, read } = await setUp(["nothing", "null", "[".repeat(5_000)]);
    await queues.sqs.send(
      new SendMessageCommand({
        QueueUrl: queueUrl,
        MessageBody: "x".repeat(1_000_000),
        MessageAttributes: {
          reason: { DataType: "Binary", BinaryValue: new Uint8Array([1, 2]) },
          error: { DataType: "Number", StringValue: "42" },
          event_id: { DataType: "String.custom", StringValue: "theirs" },
        },
      }),
    );
    const { seen } = await read();
    assert.equal(seen.length, 4);
    const theirs = seen.find(({ event_id }) => event_id === "theirs");
    assert.deepEqual([theirs?.reason, theirs?.error, theirs?.pattern], ["moved-by-sqs", "42", "…"]);
    for (const { event_id, message_id, reason, type } of seen.filter((facts) => facts !== theirs))
      assert.deepEqual([event_id, reason, type], [message_id, "moved-by-sqs", undefined]);
  });
});

describe("the groups of dead letters", () => {
  const facts = (id: string, attributes: Record<string, string>, { sentAt = 0, api = "demo" } = {}) =>
    factsOf({
      messageId: `m-${id}`,
      receiptHandle: "",
      body: eventOf(id, api),
      sentAt,
      attributes: Object.fromEntries(
        Object.entries(attributes).map(([name, StringValue]) => [name, { DataType: "String", StringValue }]),
      ),
    });
  const threw = (error: string, handler = "h", release = "v1") => ({
    reason: "handler-threw",
    error,
    handler,
    release,
  });
  const groupsOf = (...all: LetterFacts[]) => {
    const groups = createGroups();
    for (const one of all) groups.add(one);
    return groups.list();
  };
  const STACK = "\n    at <anonymous> (h.js:3:7)";

  it("hold what differs in numbers, ids and texts alone, with the newest as the example", () => {
    const [group, ...others] = groupsOf(
      facts("e1", threw(`Error: no plan for 'gold' (7)${STACK}`), { sentAt: 2_000, api: "a" }),
      facts("e2", threw(`Error: no plan for 'iron' (12)${STACK}`, "h", "v2"), { sentAt: 3_000, api: "b" }),
      facts("e3", threw(`Error: no plan for '' (0)${STACK}`), { sentAt: 1_000, api: "a" }),
    );
    assert.deepEqual(others, []);
    assert.match(group?.group ?? "", /^[0-9a-f]{8}$/);
    assert.deepEqual(group, {
      group: group?.group,
      reason: "handler-threw",
      handler: "h",
      error: "Error: no plan for … (…)",
      place: "h.js:3:7",
      count: 3,
      oldest: "1970-01-01T00:00:01.000Z",
      newest: "1970-01-01T00:00:03.000Z",
      event_id: "e2",
      api_ids: ["a", "b"],
      types: ["KeyExpired"],
      releases: ["v1", "v2"],
    });
  });

  it("are apart by reason, handler, words and place, the largest first", () => {
    const first = facts("e1", threw(`Error: no${STACK}`));
    const list = groupsOf(
      first,
      facts("e2", { ...threw(`Error: no${STACK}`), reason: "handler-timeout" }),
      facts("e3", threw(`Error: no${STACK}`, "g")),
      facts("e4", threw(`Error: yes${STACK}`)),
      facts("e5", threw("Error: no\n    at <anonymous> (h.js:4:7)")),
      facts("e6", {}),
      facts("e7", {}),
    );
    assert.deepEqual(
      list.map(({ count }) => count),
      [2, 1, 1, 1, 1, 1],
    );
    assert.deepEqual(
      [list[0]?.reason, list[0]?.error],
      ["moved-by-sqs", "at its last receive the consumer died, ran out of time or could not reach a service"],
    );
  });

  it("are one for all webhooks that a target did not take, however it failed, with its answer", () => {
    const failed = (error: string, handler = "webhook:in.example/0a1b2c3d") => ({
      reason: "webhook-failed",
      error,
      handler,
      answer: "no database",
    });
    const first = facts("e1", failed("the target answered 503, at attempt 11"));
    assert.equal(first.answer, "no database");
    const list = groupsOf(
      first,
      facts("e2", failed("in.example: other side closed, at attempt 11")),
      facts("e3", failed("the target answered 503, at attempt 11", "webhook:billing")),
      facts("e4", { task: '{"kind":"webhook","entry":"webhook:billing","due":0}' }),
    );
    assert.deepEqual(list.map(({ reason, handler, count }) => [reason, handler, count]).sort(), [
      ["moved-by-sqs", "webhook:billing", 1],
      ["webhook-failed", "webhook:billing", 1],
      ["webhook-failed", "webhook:in.example/0a1b2c3d", 2],
    ]);
  });

  it("name no more APIs than a person reads, however many there are", () => {
    const all = Array.from({ length: 500 }, (_, nth) => facts(`e${nth}`, {}, { api: `api-${nth}` }));
    assert.deepEqual(
      groupsOf(...all).map(({ count, api_ids }) => [count, api_ids.length]),
      [[500, 20]],
    );
  });
});
