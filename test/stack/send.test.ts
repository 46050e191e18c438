import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { SendMessageBatchCommand, SendMessageCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { type EventEnvelope, MESSAGE_BYTES, parseEvent } from "../../lib/events/event.ts";
import { type Message, messageOf, messageText } from "../../lib/events/message.ts";
import { createSend } from "../../lib/events/send.ts";
import { startTestQueues, type TestQueues } from "../helpers/queues.ts";

const envelopeOf = (id: string, Meta: Record<string, unknown> = { Key: "k1" }): EventEnvelope => ({
  id,
  api_id: "demo",
  event: { Type: "KeyExpired", Meta, TimeStamp: "" },
});
const message = (id: string, Meta?: Record<string, unknown>) => messageOf(envelopeOf(id, Meta), "refuse");
const large = (id: string) => message(id, { OriginatingRequest: "x".repeat(400_000) });
const idsOf = (bodies: (string | undefined)[]) =>
  bodies.map((body = "") => parseEvent(body, { apiId: undefined, fallbackId: "" }).id);

describe("an event on its way to the queue", () => {
  it("has only characters that every queue takes", () => {
    const event = { Path: "/\u{1f600}/\ufffe\uffff/é\u2028", "\u{1f511}": "\ud800" };
    const text = messageText(event);
    assert.match(text, /^[\t\n\r\x20-\ud7ff\ue000-\ufffd]*$/);
    assert.deepEqual(JSON.parse(text), event);
    assert.ok(text.includes("é"), "what every queue takes stays short");
  });

  it("loses its originating request when it is too large, and says so", () => {
    const Meta = { Key: "k1", OriginatingRequest: "x".repeat(MESSAGE_BYTES), Path: "/" };
    const { envelope, body, trimmed } = messageOf(envelopeOf("e1", Meta), "trim");
    assert.ok(trimmed);
    assert.deepEqual(envelope.event, {
      Type: "KeyExpired",
      Meta: { Key: "k1", OriginatingRequest: "", Path: "/" },
      TimeStamp: "",
      Partial: ["Meta.OriginatingRequest"],
    });
    assert.deepEqual(JSON.parse(body), envelope);
  });

  it("says what else is missing too", () => {
    const envelope = envelopeOf("e1", { OriginatingRequest: "x".repeat(MESSAGE_BYTES) });
    envelope.event.Partial = ["Meta.Key"];
    assert.deepEqual(messageOf(envelope, "trim").envelope.event.Partial, [
      "Meta.Key",
      "Meta.OriginatingRequest",
    ]);
  });

  it("is kept whole up to the queue's limit, in bytes", () => {
    const room = MESSAGE_BYTES - Buffer.byteLength(message("e1", { OriginatingRequest: "" }).body);
    const whole = messageOf(envelopeOf("e1", { OriginatingRequest: "x".repeat(room) }), "trim");
    assert.deepEqual([whole.trimmed, Buffer.byteLength(whole.body)], [false, MESSAGE_BYTES]);
    assert.ok(messageOf(envelopeOf("e1", { OriginatingRequest: "x".repeat(room + 1) }), "trim").trimmed);
  });

  it("is refused when that is not enough, or not wanted", () => {
    const tooLarge = { code: "event-too-large", field: "body" };
    const [request, path] = ["x".repeat(MESSAGE_BYTES), "é".repeat(MESSAGE_BYTES / 2)];
    assert.throws(() => message("e1", { OriginatingRequest: request }), tooLarge);
    for (const Meta of [
      { Path: path },
      { Path: path, OriginatingRequest: "" },
      { Path: path, OriginatingRequest: request },
    ])
      assert.throws(() => messageOf(envelopeOf("e1", Meta), "trim"), tooLarge);
  });
});

describe("events that are sent", () => {
  let queues: TestQueues;
  before(async () => {
    queues = await startTestQueues();
  });
  after(() => queues.close());

  /** A client whose calls go through this first; it answers what takes the place of the call, if anything. */
  function through(instead: (command: unknown) => unknown): { sqs: SQSClient; calls: unknown[] } {
    const calls: unknown[] = [];
    const send = async (command: unknown) => {
      calls.push(command);
      return instead(command) ?? queues.sqs.send(command as SendMessageCommand);
    };
    return { sqs: { send } as unknown as SQSClient, calls };
  }

  it("are on the queue, in as few calls as SQS allows", async () => {
    const queueUrl = await queues.create();
    const { sqs, calls } = through(() => undefined);
    const messages = [large("a"), large("b"), large("c"), message("d"), message("e")];
    assert.equal((await createSend({ sqs, queueUrl })(messages)).size, 0);
    assert.deepEqual(
      calls.map((call) => (call as SendMessageBatchCommand).input.Entries?.length),
      [2, 3],
    );
    const bodies = (await queues.drain(queueUrl)).map(({ Body }) => Body);
    assert.deepEqual(idsOf(bodies).sort(), ["a", "b", "c", "d", "e"]);
  });

  it("keep their order in a FIFO queue, where two of one id are one", async () => {
    const queueUrl = await queues.create({ fifo: true });
    const send = createSend({ sqs: queues.sqs, queueUrl });
    assert.equal((await send(["a", "b", "c", "b"].map((id) => message(id)))).size, 0);
    assert.equal((await send([message("a")])).size, 0);
    assert.deepEqual(idsOf((await queues.drain(queueUrl)).map(({ Body }) => Body)), ["a", "b", "c"]);
  });

  it("do not overtake each other in a FIFO queue when it rejects one of them, and events of other keys go on", async () => {
    const on = (key: string, nth: number) => message(`${key}${nth}`, { Key: key });
    const messages = [on("a", 1), on("b", 1), on("a", 2), on("b", 2), on("a", 3)];
    const sendRejecting = async (times: number) => {
      const queueUrl = await queues.create({ fifo: true });
      let left = times;
      const isRejected = (body = "") => body.includes('"a1"') && left-- > 0;
      const { sqs } = through((command) => {
        if (command instanceof SendMessageCommand && isRejected(command.input.MessageBody))
          throw new Error("InternalError");
        if (!(command instanceof SendMessageBatchCommand)) return undefined;
        const { Entries = [] } = command.input;
        const failed = Entries.filter(({ MessageBody }) => isRejected(MessageBody));
        if (failed.length === 0) return undefined;
        const taken = Entries.filter((entry) => !failed.includes(entry));
        return queues.sqs
          .send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries: taken }))
          .then(({ Successful }) => ({
            Successful,
            Failed: failed.map(({ Id }) => ({ Id, SenderFault: false, Code: "InternalError" })),
          }));
      });
      const failed = await createSend({ sqs, queueUrl })(messages);
      const bodies = (await queues.drain(queueUrl)).map(({ Body }) => Body);
      const [a, b] = ["a", "b"].map((key) => idsOf(bodies).filter((id) => id.startsWith(key)));
      return { a, b, failed: [...failed].map(([{ envelope }, error]) => `${envelope.id}: ${error}`) };
    };
    const b = ["b1", "b2"];
    assert.deepEqual(await sendRejecting(1), { a: ["a1", "a2", "a3"], b, failed: [] });
    const behind = "an earlier event of its key is not in the queue";
    assert.deepEqual(await sendRejecting(2), {
      a: [],
      b,
      failed: ["a1: InternalError", `a2: ${behind}`, `a3: ${behind}`],
    });
  });

  it("are told one by one when the queue does not take them all", async () => {
    const queueUrl = await queues.create();
    const { sqs } = through((command) => {
      if (!(command instanceof SendMessageBatchCommand)) return undefined;
      const { Entries = [] } = command.input;
      return queues.sqs
        .send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries: Entries.slice(0, 1) }))
        .then(({ Successful }) => ({
          Successful,
          Failed: [{ Id: "1", SenderFault: true, Code: "InvalidMessageContents", Message: "no" }],
        }));
    });
    const messages = [message("a"), message("b"), message("c")];
    const failed = await createSend({ sqs, queueUrl })(messages);
    // The third, of which nothing was said, is sent alone.
    assert.deepEqual([...failed], [[messages[1], "InvalidMessageContents: no"]]);
    assert.deepEqual(idsOf((await queues.drain(queueUrl)).map(({ Body }) => Body)).sort(), ["a", "c"]);
  });

  it("are told to be missing, each, when the call fails, and are not tried ten times more", async () => {
    const { sqs, calls } = through(() => Promise.reject(new Error("queue away")));
    const messages: Message[] = [message("a"), message("b")];
    const send = createSend({ sqs, queueUrl: "q" });
    assert.deepEqual([...(await send(messages)).values()], ["queue away", "queue away"]);
    assert.equal(calls.length, 1);
    assert.deepEqual([...(await send([message("a")])).values()], ["queue away"]);
    assert.ok(calls[1] instanceof SendMessageCommand);
  });
});
