import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";
import type { SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";

/** Lambda's event-source mapping for SQS, with AWS's rules for the partial-batch answer. */
export interface Pump {
  /** Receives no more messages, and resolves when those in progress are done or returned. */
  close(): Promise<void>;
}

/** The queue, the function for its batches, and the maximum number of messages in a batch. */
export interface PumpDeps {
  sqs: SQSClient;
  queueUrl: string;
  batchSize: number;
  /** Whether the queue outlives this pump, so that its received messages must not stay hidden. */
  queueStays: boolean;
  invoke: (batch: SQSEvent) => Promise<unknown>;
  /**
   * A batch that the function failed as a whole; its messages are delivered again when their visibility timeout is
   * over.
   */
  onError: (error: Error) => void;
  /** Ends the start. */
  signal?: AbortSignal;
}

/** SQS's limit for one request of each kind. */
const MOST_MESSAGES = 10;
/** SQS's limit. */
const LONGEST_WAIT_SECONDS = 20;
/**
 * An external service may not notice that a receive was aborted, and deliver the next message to it, which is then
 * hidden from all readers. So the pump waits for this receive at the end, which is short.
 */
const SHORT_WAIT_SECONDS = 1;

/** Reads the queue's ARN, and receives messages until it is closed. One batch at a time. */
export async function startPump(deps: PumpDeps): Promise<Pump> {
  const { sqs, queueUrl, batchSize, queueStays, signal } = deps;
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ["QueueArn"] }),
    { ...(signal && { abortSignal: signal }) },
  );
  const arn = Attributes?.QueueArn ?? "";
  const stop = new AbortController();

  async function deliver(messages: Message[]): Promise<void> {
    const answer = await deps.invoke({ Records: messages.map((message) => asRecord(message, arn)) });
    const failed = failedIds(answer, messages);
    for (const Entries of entriesOf(messages.filter(({ MessageId }) => !failed.has(MessageId ?? ""))))
      await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries }));
  }

  async function giveBack(messages: Message[]): Promise<void> {
    for (const entries of entriesOf(messages)) {
      const Entries = entries.map((entry) => ({ ...entry, VisibilityTimeout: 0 }));
      await sqs.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl: queueUrl, Entries }));
    }
  }

  async function receive(): Promise<Message[]> {
    const messages = await receiveSome(batchSize, queueStays ? SHORT_WAIT_SECONDS : LONGEST_WAIT_SECONDS);
    while (messages.length > 0 && messages.length < batchSize) {
      const more = await receiveSome(batchSize - messages.length, 0);
      if (more.length === 0) break;
      messages.push(...more);
    }
    return messages;
  }

  async function receiveSome(most: number, waitSeconds: number): Promise<Message[]> {
    const { Messages } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: Math.min(most, MOST_MESSAGES),
        WaitTimeSeconds: waitSeconds,
        MessageSystemAttributeNames: ["All"],
        MessageAttributeNames: ["All"],
      }),
      queueStays ? {} : { abortSignal: stop.signal },
    );
    return Messages ?? [];
  }

  async function takeBatch(): Promise<void> {
    const messages = await receive();
    if (messages.length === 0) return;
    if (stop.signal.aborted) return giveBack(messages);
    try {
      await deliver(messages);
    } catch (thrown) {
      // Its function has ended with the stack.
      if (stop.signal.aborted && queueStays) await giveBack(messages);
      throw thrown;
    }
  }

  async function loop(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        await takeBatch();
      } catch (thrown) {
        if (!stop.signal.aborted) deps.onError(thrown as Error);
      }
    }
  }

  const running = loop();
  return {
    async close() {
      stop.abort();
      await running;
    },
  };
}

/** For batch requests: one array for each. */
function entriesOf(messages: Message[]): { Id: string; ReceiptHandle: string | undefined }[][] {
  const entries = messages.map(({ ReceiptHandle }, nth) => ({ Id: String(nth), ReceiptHandle }));
  const requests = [];
  for (let at = 0; at < entries.length; at += MOST_MESSAGES)
    requests.push(entries.slice(at, at + MOST_MESSAGES));
  return requests;
}

/**
 * No answer, or an empty list, is success; an answer of another form, or one that names an unknown or empty id,
 * fails the whole batch. https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
 */
export function failedIds(answer: unknown, messages: Pick<Message, "MessageId">[]): Set<string> {
  const all = new Set(messages.flatMap(({ MessageId }) => MessageId ?? []));
  const failures = (answer as SQSBatchResponse | null | undefined)?.batchItemFailures;
  if (failures === undefined || failures === null) return new Set();
  if (!Array.isArray(failures)) return all;
  const named = failures.map((failure) => failure?.itemIdentifier);
  return named.every((id) => typeof id === "string" && all.has(id)) ? new Set(named) : all;
}

function asRecord(message: Message, arn: string): SQSRecord {
  const attributes = Object.entries(message.MessageAttributes ?? {}).map(([name, value]) => [
    name,
    {
      stringValue: value.StringValue,
      stringListValues: [],
      binaryListValues: [],
      dataType: value.DataType ?? "String",
    },
  ]);
  return {
    messageId: message.MessageId ?? "",
    receiptHandle: message.ReceiptHandle ?? "",
    body: message.Body ?? "",
    attributes: message.Attributes as unknown as SQSRecord["attributes"],
    messageAttributes: Object.fromEntries(attributes),
    md5OfBody: message.MD5OfBody ?? "",
    eventSource: "aws:sqs",
    eventSourceARN: arn,
    awsRegion: arn.split(":")[3] ?? "",
  };
}
