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

/** The operations of a queue for the CLI and the console. All accept any number of letters, except `send`. */
export interface Queue {
  /** Whether it keeps the order of each MessageGroupId. */
  fifo: boolean;
  /** SQS's approximate numbers of messages: those that can be read, and those that a reader currently holds. */
  size(): Promise<{ visible: number; held: number }>;
  /** The next letters, ten at most, hidden from other readers for `READ_SECONDS`; empty if the queue is empty. */
  receive(most: number): Promise<Letter[]>;
  /** Deletes them; returns those that were not deleted. */
  remove(letters: Letter[]): Promise<Letter[]>;
  /** Lets others read them again immediately; returns the number of those that stay hidden for `READ_SECONDS`. */
  release(letters: Pick<Letter, "messageId" | "receiptHandle">[]): Promise<number>;
  /** Sends at most ten messages in one call; returns, by id, those that were not sent. */
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

/** Long enough for a large queue, and short enough for a killed command that could not release its letters. */
export const READ_SECONDS = 300;
/** With a wait time, SQS queries all its servers, so that an empty answer means an empty queue. */
const WAIT_SECONDS = 1;

/** Errors of the SDK are passed on unchanged, except those of `release`. */
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
      // In reverse order, since the queue puts each one at the head of its order group.
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

/** Ten at a time; returns those that SQS did not confirm. */
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
