import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, describe, test } from "node:test";
import {
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
} from "@aws-sdk/client-sqs";
import { GetCommand } from "@aws-sdk/lib-dynamodb";
import type { SQSEvent, SQSRecord } from "aws-lambda";
import { commitKind, type Step } from "../chaos/proxy.ts";
import { type Rig, startRig } from "../chaos/rig.ts";

describe("an event that is delivered twice", () => {
  let rig: Rig;
  /** What becomes of the n-th consumer's commits. */
  let onCommit: (nth: number) => Step;
  before(async () => {
    rig = await startRig({
      env: process.env,
      consumers: 2,
      step: (nth) => (call, forward) => (commitKind(call) ? onCommit(nth)(call, forward) : forward()),
      settings: { MAX_ATTEMPTS: "1" },
    });
  });
  after(() => rig.close());
  beforeEach(() => {
    onCommit = () => (_, forward) => forward();
  });

  const bodyOf = (id: string, Type = "Count") =>
    JSON.stringify({ id, api_id: "chaos", event: { Type, Meta: { Key: `key-of-${id}` } } });
  const recordOf = (body: string): SQSRecord => ({
    messageId: randomUUID(),
    receiptHandle: randomUUID(),
    body,
    attributes: {
      ApproximateReceiveCount: "1",
      SentTimestamp: "0",
      SenderId: "",
      ApproximateFirstReceiveTimestamp: "0",
    },
    messageAttributes: {},
    md5OfBody: "",
    eventSource: "aws:sqs",
    eventSourceARN: "",
    awsRegion: "us-east-1",
  });
  const invoke = (nth: number, ...Records: SQSRecord[]) =>
    rig.stack.consumers[nth]?.invoke({ Records } satisfies SQSEvent);
  const killer = (nth: number) => () => rig.stack.consumers[nth]?.kill();
  async function effects(key: string): Promise<string[]> {
    const TableName = rig.stack.resources.SESSIONS_TABLE;
    const command = new GetCommand({ TableName, Key: { key }, ConsistentRead: true });
    return (await rig.stack.clients.dynamo.send(command)).Item?.session.tags ?? [];
  }
  const ALL_DONE = { batchItemFailures: [] };

  test("in one batch has one effect, and both messages are acknowledged", async () => {
    const body = bodyOf("batch");
    assert.deepEqual(await invoke(0, recordOf(body), recordOf(body)), ALL_DONE);
    assert.deepEqual(await effects("key-of-batch"), ["batch/counter"]);
  });

  test("one after the other has one effect, in whichever container", async () => {
    const body = bodyOf("later");
    for (const nth of [0, 0, 1]) assert.deepEqual(await invoke(nth, recordOf(body)), ALL_DONE);
    assert.deepEqual(await effects("key-of-later"), ["later/counter"]);
  });

  test("in two containers at once, with both at their commit, has one effect", async () => {
    const both = Promise.withResolvers<void>();
    const here = new Set<number>();
    onCommit = (nth) => async (_, forward) => {
      if (here.add(nth).size === 2) both.resolve();
      await both.promise;
      return forward();
    };
    const record = recordOf(bodyOf("race"));
    const answers = await Promise.all([invoke(0, record), invoke(1, record)]);
    assert.deepEqual(answers, [ALL_DONE, ALL_DONE]);
    assert.deepEqual(await effects("key-of-race"), ["race/counter"]);
  });

  test("since its process died between run and commit has one effect, that of the second delivery", async () => {
    const kill = killer(0);
    onCommit = () => async () => {
      kill();
      return "cut";
    };
    const record = recordOf(bodyOf("before"));
    await assert.rejects(async () => invoke(0, record), /SIGKILL/);
    assert.deepEqual(await effects("key-of-before"), []);
    onCommit = () => (_, forward) => forward();
    assert.deepEqual(await invoke(0, record), ALL_DONE);
    assert.deepEqual(await effects("key-of-before"), ["before/counter"]);
  });

  test("since its process died between commit and answer has one effect, that of the first delivery", async () => {
    const kill = killer(0);
    onCommit = () => async (_, forward) => {
      await forward();
      kill();
      return "cut";
    };
    const record = recordOf(bodyOf("after"));
    await assert.rejects(async () => invoke(0, record), /SIGKILL/);
    assert.deepEqual(await effects("key-of-after"), ["after/counter"]);
    onCommit = () => (_, forward) => forward();
    assert.deepEqual(await invoke(0, record), ALL_DONE);
    assert.deepEqual(await effects("key-of-after"), ["after/counter"]);
  });

  test("since its commit's answer was lost has one effect", async () => {
    let lost = 0;
    onCommit = () => async (_, forward) => {
      const answer = await forward();
      lost += 1;
      return lost === 1 ? "cut" : answer;
    };
    assert.deepEqual(await invoke(0, recordOf(bodyOf("lost"))), ALL_DONE);
    assert.deepEqual(await effects("key-of-lost"), ["lost/counter"]);
  });

  /** What is done of an event that writes no session, and how often its entry was put. */
  async function entryOf(id: string) {
    const TableName = rig.stack.resources.STATE_TABLE;
    const command = new GetCommand({ TableName, Key: { pk: `event#chaos#${id}` }, ConsistentRead: true });
    const { done, version } = (await rig.stack.clients.dynamo.send(command)).Item ?? {};
    return { done, version };
  }
  const ONE_PUT = { done: ["looker"], version: 1 };

  for (const [when, reaches] of [
    ["before its entry was put", false],
    ["before it heard that its entry was put", true],
  ] as const)
    test(`and writes no session, since its process died ${when}, is done once`, async () => {
      const kill = killer(0);
      let puts = 0;
      onCommit = () => async (call, forward) => {
        puts += 1;
        assert.equal(call.operation, "PutItem");
        if (reaches) await forward();
        kill();
        return "cut";
      };
      const id = `entry-${reaches}`;
      const record = recordOf(bodyOf(id, "Look"));
      await assert.rejects(async () => invoke(0, record), /SIGKILL/);
      assert.deepEqual(await entryOf(id), reaches ? ONE_PUT : { done: undefined, version: undefined });
      onCommit = () => (_, forward) => {
        puts += 1;
        return forward();
      };
      assert.deepEqual(await invoke(0, record), ALL_DONE);
      assert.deepEqual(await entryOf(id), ONE_PUT);
      assert.equal(puts, reaches ? 1 : 2, "what the ledger has is not put again");
    });

  test("in two containers at once, with both at the put of its entry, is done once", async () => {
    const both = Promise.withResolvers<void>();
    const here = new Set<number>();
    const statuses: number[] = [];
    onCommit = (nth) => async (_, forward) => {
      if (here.add(nth).size === 2) both.resolve();
      await both.promise;
      const answer = await forward();
      if (answer !== "cut") statuses.push(answer.status);
      return answer;
    };
    const record = recordOf(bodyOf("entry-race", "Look"));
    assert.deepEqual(await Promise.all([invoke(0, record), invoke(1, record)]), [ALL_DONE, ALL_DONE]);
    assert.deepEqual(statuses.sort(), [200, 400]);
    assert.deepEqual(await entryOf("entry-race"), ONE_PUT);
  });

  async function takeDeadLetter(): Promise<Message> {
    const { sqs } = rig.stack.clients;
    const QueueUrl = rig.stack.resources.DEAD_LETTERS_QUEUE_URL;
    for (;;) {
      const { Messages } = await sqs.send(
        new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20, MessageAttributeNames: ["All"] }),
      );
      const letter = Messages?.[0];
      if (!letter) continue;
      await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: letter.ReceiptHandle }));
      return letter;
    }
  }

  const send = (message: Pick<Message, "Body" | "MessageAttributes">) =>
    rig.stack.clients.sqs.send(
      new SendMessageCommand({
        QueueUrl: rig.stack.resources.EVENTS_QUEUE_URL,
        MessageBody: message.Body,
        MessageAttributes: message.MessageAttributes,
      }),
    );

  for (const [what, withId] of [
    ["by its publisher's id", true],
    ["by its first message's id", false],
  ] as const) {
    test(`after a redrive from the dead letters is known ${what}, and what succeeded is not done again`, async () => {
      const { id, ...anonymous } = JSON.parse(bodyOf(randomUUID(), "Poison"));
      const { MessageId } = await send({ Body: JSON.stringify(withId ? { id, ...anonymous } : anonymous) });
      const event = withId ? id : MessageId;
      const first = await takeDeadLetter();
      assert.equal(first.MessageAttributes?.event_id?.StringValue, event);
      const second = await send(first);
      assert.notEqual(second.MessageId, MessageId);
      const again = await takeDeadLetter();
      assert.equal(again.MessageAttributes?.event_id?.StringValue, event);
      assert.equal(again.MessageAttributes?.reason?.StringValue, "handler-threw");
      assert.deepEqual(await effects(`key-of-${id}`), [`${event}/counter`]);
    });
  }
});
