import {
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  SendMessageCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";
import { errorText } from "../errors.ts";
import { fifoOrder, withoutRepeatedGroups } from "./fifo.ts";
import type { Message } from "./message.ts";

/** SQS's limit of messages in one call. */
export const CALL_MESSAGES = 10;
/** SQS's limit for one call: the sum of its bodies and attributes. */
export const CALL_BYTES = 1024 * 1024;

/** The reason why a message is not in the queue. */
export interface Rejection {
  error: string;
  /** Whether the cause is this message itself: other messages may be sent. */
  own: boolean;
}

/** Sends at most ten messages in one call; returns, by id, those that were not sent. */
export async function sendBatch(
  sqs: SQSClient,
  QueueUrl: string,
  Entries: SendMessageBatchRequestEntry[],
  abortSignal?: AbortSignal,
): Promise<Map<string, Rejection>> {
  const { Successful = [], Failed = [] } = await sqs.send(
    new SendMessageBatchCommand({ QueueUrl, Entries }),
    { ...(abortSignal && { abortSignal }) },
  );
  const rejections = new Map(
    Entries.map(({ Id = "" }) => [Id, { error: "the queue said nothing of it", own: false }]),
  );
  for (const { Id = "" } of Successful) rejections.delete(Id);
  for (const { Id = "", Code, Message, SenderFault } of Failed)
    rejections.set(Id, { error: [Code, Message].filter(Boolean).join(": "), own: SenderFault ?? false });
  return rejections;
}

/** Sends at most ten messages in one call; returns those that were not sent. Throws if the call itself failed. */
export type SendCall = (messages: Message[], abortSignal?: AbortSignal) => Promise<Map<Message, Rejection>>;

/** A queue and the client for it. It is a FIFO queue if its name ends in `.fifo`. */
export interface Queue {
  sqs: SQSClient;
  queueUrl: string;
}

/** A message that is not a new event: a task, a copy or a dead letter. */
export interface QueueMessage {
  body: string;
  /** Empty ones are omitted: SQS rejects an attribute without a text. */
  attributes?: Record<string, string | undefined>;
  /** The delay before it can be received; at most SQS's limit of 900 s. */
  delaySeconds?: number;
  /** In a FIFO queue only. */
  order?: { MessageGroupId: string; MessageDeduplicationId: string };
}

/**
 * SQS accepts only the characters of XML 1.0: no control characters except tab and line breaks, and no lone surrogates.
 * A single invalid text, such as the id of an event, would fail the whole message, and so its batch.
 */
export const queueText = (text: string): string =>
  text.toWellFormed().replace(/[^\t\n\r\P{Cc}]|[\ufffe\uffff]/gu, "\ufffd");

/** Throws if the message is not in the queue. */
export type QueueSender = (message: QueueMessage) => Promise<void>;

/** SQS's limit of a message's delay. */
export const DELAY_SECONDS = 900;

/** Sends one message in each call. Errors of the SDK are passed on unchanged. */
export function createQueueSender({ sqs, queueUrl }: Queue): QueueSender {
  return async ({ body, attributes = {}, delaySeconds, order }) => {
    const MessageAttributes = Object.fromEntries(
      Object.entries(attributes).flatMap(([name, text]) =>
        text ? [[name, { DataType: "String", StringValue: queueText(text) }] as const] : [],
      ),
    );
    await sqs.send(
      new SendMessageCommand({
        QueueUrl: queueUrl,
        MessageBody: body,
        MessageAttributes,
        ...(delaySeconds !== undefined && { DelaySeconds: Math.min(DELAY_SECONDS, delaySeconds) }),
        ...order,
      }),
    );
  };
}

const partsOf = (queueUrl: string, { body, envelope }: Message) => ({
  MessageBody: body,
  ...fifoOrder(queueUrl, envelope),
});

/** Sends without a retry of the messages that SQS rejected; the caller decides about them. */
export function createSendCall({ sqs, queueUrl }: Queue): SendCall {
  return async (messages, abortSignal) => {
    const entries = messages.map((message, at) => ({ Id: String(at), ...partsOf(queueUrl, message) }));
    const rejections = await sendBatch(sqs, queueUrl, entries, abortSignal);
    return new Map(
      [...rejections].flatMap(([at, rejection]) => {
        const message = messages[Number(at)];
        return message ? [[message, rejection]] : [];
      }),
    );
  };
}

/** Sends events to the queue in their order; returns the errors of those that are not in the queue. */
export type Send = (messages: Message[]) => Promise<Map<Message, string>>;

const BEHIND = "an earlier event of its key is not in the queue";

/**
 * Combines messages into calls of up to ten messages and 1 MiB. A message that was rejected without being the cause is
 * sent once more, by itself. If a FIFO queue does not take it then either, the later messages of its group are not
 * sent, since they would overtake it.
 */
export function createSend({ sqs, queueUrl }: Queue): Send {
  const call = createSendCall({ sqs, queueUrl });
  const groupOf = ({ envelope }: Message) => fifoOrder(queueUrl, envelope).MessageGroupId;

  async function sendAlone(message: Message): Promise<Rejection | undefined> {
    try {
      // The SDK repeats a failed call, but not the failed messages of a batch.
      await sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, ...partsOf(queueUrl, message) }));
      return undefined;
    } catch (thrown) {
      return { error: errorText(thrown), own: false };
    }
  }

  /** The messages of one call that the queue did not take. */
  async function sendTogether(messages: Message[]): Promise<Map<Message, Rejection>> {
    const failed = new Map<Message, Rejection>();
    try {
      for (const [message, rejection] of await call(messages)) {
        const last = rejection.own ? rejection : await sendAlone(message);
        if (last) failed.set(message, last);
      }
    } catch (thrown) {
      // The SDK has already repeated the call, so its messages are not sent once more.
      for (const message of messages) failed.set(message, { error: errorText(thrown), own: false });
    }
    return failed;
  }

  async function sendNext(messages: Message[]): Promise<Map<Message, Rejection>> {
    const [first, ...others] = messages;
    if (!first || others.length > 0) return sendTogether(messages);
    const rejection = await sendAlone(first);
    return new Map(rejection && [[first, rejection]]);
  }

  return async (messages) => {
    const failed = new Map<Message, string>();
    for (let left = messages; left.length > 0; ) {
      const [next = []] = callsOf(withoutRepeatedGroups(queueUrl, left));
      left = left.slice(next.length);
      for (const [message, { own, error }] of await sendNext(next)) {
        failed.set(message, error);
        const group = own ? undefined : groupOf(message);
        if (group === undefined) continue;
        const isBehind = (later: Message) => groupOf(later) === group;
        for (const later of left.filter(isBehind)) failed.set(later, BEHIND);
        left = left.filter((later) => !isBehind(later));
      }
    }
    return failed;
  };
}

/** In their order, with as many in a call as it allows. */
export function callsOf(messages: Message[]): Message[][] {
  const calls: Message[][] = [];
  let bytes = 0;
  for (const message of messages) {
    const size = Buffer.byteLength(message.body);
    const call = calls.at(-1);
    if (call && call.length < CALL_MESSAGES && bytes + size <= CALL_BYTES) {
      call.push(message);
      bytes += size;
    } else {
      calls.push([message]);
      bytes = size;
    }
  }
  return calls;
}
