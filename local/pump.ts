import {
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";
import type { SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";

/** Lambda's event-source mapping for SQS, with AWS's rules for the partial-batch answer. */
export interface Pump {
  close(): Promise<void>;
}

export interface PumpDeps {
  sqs: SQSClient;
  queueUrl: string;
  batchSize: number;
  invoke: (batch: SQSEvent) => Promise<unknown>;
  /** A batch that the function failed as a whole; its messages come again when their visibility timeout is over. */
  onError: (error: Error) => void;
}

/** SQS's own limits for one request. */
const LONGEST_WAIT_SECONDS = 20;
const MOST_MESSAGES = 10;

export async function startPump(deps: PumpDeps): Promise<Pump> {
  const { sqs, queueUrl, batchSize } = deps;
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ["QueueArn"] }),
  );
  const arn = Attributes?.QueueArn ?? "";
  const stop = new AbortController();

  async function deliver(messages: Message[]): Promise<void> {
    const answer = await deps.invoke({ Records: messages.map((message) => asRecord(message, arn)) });
    const failed = failedIds(answer, messages);
    const done = messages.filter(({ MessageId }) => !failed.has(MessageId ?? ""));
    if (done.length === 0) return;
    const entries = done.map(({ MessageId, ReceiptHandle }) => ({ Id: MessageId, ReceiptHandle }));
    await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries: entries }));
  }

  async function receive(): Promise<Message[]> {
    const messages = await receiveSome(batchSize, LONGEST_WAIT_SECONDS);
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
      { abortSignal: stop.signal },
    );
    return Messages ?? [];
  }

  async function loop(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        const messages = await receive();
        if (messages.length > 0) await deliver(messages);
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
