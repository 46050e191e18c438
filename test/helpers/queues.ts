import { randomUUID } from "node:crypto";
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";
import { startAws } from "../../local/aws.ts";
import { atEndpoint } from "../../local/queues.ts";
import { createClients } from "../../local/resources.ts";

/** SQS only, over its protocol. */
export interface TestQueues {
  sqs: SQSClient;
  /** The settings with which a command uses it. */
  env: Record<string, string>;
  /** Creates a queue and returns its URL; `deadLetters` gets messages that were received `maxReceives` times. */
  create(options?: { fifo?: boolean; deadLetters?: string; maxReceives?: number }): Promise<string>;
  put(queueUrl: string, message: TestMessage): Promise<string>;
  /** Receives and deletes all visible messages, and returns them in the order of receiving. */
  drain(queueUrl: string): Promise<Message[]>;
  close(): Promise<void>;
}

export interface TestMessage {
  body: string;
  attributes?: Record<string, string>;
  orderGroup?: string;
}

export async function startTestQueues(): Promise<TestQueues> {
  const aws = await startAws(process.env);
  const clients = createClients(aws);
  const { sqs } = clients;

  async function arnOf(queueUrl: string): Promise<string> {
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ["QueueArn"] }),
    );
    return Attributes?.QueueArn ?? "";
  }

  return {
    sqs,
    env: aws.env,
    async create({ fifo = false, deadLetters, maxReceives = 1 } = {}) {
      const policy = deadLetters && {
        deadLetterTargetArn: await arnOf(deadLetters),
        maxReceiveCount: maxReceives,
      };
      const { QueueUrl } = await sqs.send(
        new CreateQueueCommand({
          QueueName: `${randomUUID()}${fifo ? ".fifo" : ""}`,
          Attributes: {
            ...(fifo && { FifoQueue: "true" }),
            ...(policy && { RedrivePolicy: JSON.stringify(policy) }),
          },
        }),
      );
      return atEndpoint(sqs, QueueUrl);
    },
    async put(queueUrl, { body, attributes = {}, orderGroup }) {
      const { MessageId = "" } = await sqs.send(
        new SendMessageCommand({
          QueueUrl: queueUrl,
          MessageBody: body,
          MessageAttributes: stringAttributes(attributes),
          ...(orderGroup && { MessageGroupId: orderGroup, MessageDeduplicationId: randomUUID() }),
        }),
      );
      return MessageId;
    },
    drain: (queueUrl) => drain(sqs, queueUrl),
    async close() {
      for (const client of Object.values(clients)) client.destroy();
      await aws.close();
    },
  };
}

/** See `TestQueues.drain`. AWS purges a queue at most once a minute. */
export async function drain(sqs: SQSClient, QueueUrl: string): Promise<Message[]> {
  const all: Message[] = [];
  for (;;) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: 10,
        WaitTimeSeconds: 1,
        MessageAttributeNames: ["All"],
        MessageSystemAttributeNames: ["All"],
      }),
    );
    if (Messages.length === 0) return all;
    for (const { ReceiptHandle } of Messages)
      await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    all.push(...Messages);
  }
}

export const stringAttributes = (attributes: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [name, { DataType: "String", StringValue: value }]),
  );

/** The texts of a message's attributes. */
export const attributesOf = ({ MessageAttributes = {} }: Message) =>
  Object.fromEntries(Object.entries(MessageAttributes).map(([name, value]) => [name, value.StringValue]));
