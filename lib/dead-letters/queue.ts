import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";
import { CALL_MESSAGES, type Rejection, sendBatch } from "../events/send.ts";
import type { Letter, LetterAttribute } from "./letter.ts";

/** A queue as a person's commands need it. All take any number of letters, but `send`. */
export interface Queue {
  /** Whether it keeps the order of each MessageGroupId. */
  fifo: boolean;
  /** How many messages SQS counts, roughly: those that can be read, and those that a reader has at the moment. */
  size(): Promise<{ visible: number; held: number }>;
  /** The next letters, ten at most, kept from other readers for `READ_SECONDS`; none when the queue is empty. */
  receive(most: number): Promise<Letter[]>;
  /** Deletes them for good; answers those that were not. */
  remove(letters: Letter[]): Promise<Letter[]>;
  /** Lets others read them again immediately; answers how many come back only when `READ_SECONDS` are over. */
  release(letters: Pick<Letter, "messageId" | "receiptHandle">[]): Promise<number>;
  /** Sends ten messages at most as one call; answers, by id, what was not sent. */
  send(messages: Outgoing[]): Promise<Map<string, Rejection>>;
}

/** One message of a batch call. `orderGroup` and `deduplicationId` are for a FIFO queue, which requires both. */
export interface Outgoing {
  /** Unique within the call. */
  id: string;
  body: string;
  attributes: Record<string, LetterAttribute>;
  orderGroup?: string;
  deduplicationId?: string;
}

/** Long enough for a large queue, short enough for a command that was killed and could not release what it read. */
export const READ_SECONDS = 300;
/** With any wait, SQS asks all its servers, so that no answer means an empty queue. */
const WAIT_SECONDS = 1;

/** Errors of the SDK come through as they are, but those of `release`. */
export function createQueue({ sqs, queueUrl }: { sqs: SQSClient; queueUrl: string }): Queue {
  const QueueUrl = queueUrl;

  return {
    fifo: queueUrl.endsWith(".fifo"),
    async size() {
      const { Attributes } = await sqs.send(
        new GetQueueAttributesCommand({
          QueueUrl,
          AttributeNames: ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        }),
      );
      return {
        visible: Number(Attributes?.ApproximateNumberOfMessages) || 0,
        held: Number(Attributes?.ApproximateNumberOfMessagesNotVisible) || 0,
      };
    },
    async receive(most) {
      const { Messages } = await sqs.send(
        new ReceiveMessageCommand({
          QueueUrl,
          MaxNumberOfMessages: Math.min(most, CALL_MESSAGES),
          VisibilityTimeout: READ_SECONDS,
          WaitTimeSeconds: WAIT_SECONDS,
          MessageAttributeNames: ["All"],
          MessageSystemAttributeNames: ["SentTimestamp", "MessageGroupId"],
        }),
      );
      return (Messages ?? []).map(letterOf);
    },
    remove: (letters) =>
      inCalls(letters, async (call) => {
        const Entries = call.map(({ receiptHandle }, at) => ({
          Id: String(at),
          ReceiptHandle: receiptHandle,
        }));
        return sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
      }),
    async release(letters) {
      // The last first, for a queue that puts each at the head of its order group.
      const hidden = await inCalls(letters.toReversed(), async (call) => {
        const Entries = call.map(({ receiptHandle }, at) => ({
          Id: String(at),
          ReceiptHandle: receiptHandle,
          VisibilityTimeout: 0,
        }));
        return sqs.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries })).catch(() => ({}));
      });
      return hidden.length;
    },
    send: (messages) =>
      sendBatch(
        sqs,
        QueueUrl,
        messages.map(({ id, body, attributes, orderGroup, deduplicationId }) => ({
          Id: id,
          MessageBody: body,
          MessageAttributes: attributes,
          MessageGroupId: orderGroup,
          MessageDeduplicationId: deduplicationId,
        })),
      ),
  };
}

/** Ten at a time; answers those of which SQS did not say that it is done. */
async function inCalls<T>(
  all: T[],
  send: (call: T[]) => Promise<{ Successful?: { Id: string | undefined }[] | undefined }>,
): Promise<T[]> {
  const failed: T[] = [];
  for (let at = 0; at < all.length; at += CALL_MESSAGES) {
    const call = all.slice(at, at + CALL_MESSAGES);
    const { Successful = [] } = await send(call);
    const done = new Set(Successful.map(({ Id }) => Id));
    failed.push(...call.filter((_, index) => !done.has(String(index))));
  }
  return failed;
}

function letterOf(message: Message): Letter {
  const { MessageId = "", ReceiptHandle = "", Body = "", MessageAttributes = {}, Attributes = {} } = message;
  return {
    messageId: MessageId,
    receiptHandle: ReceiptHandle,
    body: Body,
    attributes: MessageAttributes as Record<string, LetterAttribute>,
    sentAt: Number(Attributes.SentTimestamp) || 0,
    ...(Attributes.MessageGroupId !== undefined && { orderGroup: Attributes.MessageGroupId }),
  };
}
