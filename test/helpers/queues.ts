import { randomUUID } from "node:crypto";
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { startFauxqs } from "fauxqs";

/** SQS alone, over its protocol. */
export interface TestQueues {
  sqs: SQSClient;
  /** What connects a command to it. */
  env: Record<string, string>;
  /** A new queue's URL; `deadLetters` gets what was received `maxReceives` times. */
  create(options?: { fifo?: boolean; deadLetters?: string; maxReceives?: number }): Promise<string>;
  put(queueUrl: string, message: TestMessage): Promise<string>;
  /** All that can be read, in the order of reading, taken off. */
  drain(queueUrl: string): Promise<Message[]>;
  close(): Promise<void>;
}

export interface TestMessage {
  body: string;
  attributes?: Record<string, string>;
  orderGroup?: string;
}

export async function startTestQueues(): Promise<TestQueues> {
  const given = process.env.AWS_ENDPOINT_URL_SQS;
  const server = given ? undefined : await startFauxqs({ port: 0, host: "127.0.0.1", logger: false });
  const endpoint = given ?? `http://127.0.0.1:${server?.port}`;
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  const sqs = new SQSClient({ region: "us-east-1", endpoint, credentials });

  async function arnOf(queueUrl: string): Promise<string> {
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ["QueueArn"] }),
    );
    return Attributes?.QueueArn ?? "";
  }

  return {
    sqs,
    env: {
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_ENDPOINT_URL_SQS: endpoint,
    },
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
      // An emulator's own URL names a host that is none.
      return [endpoint, ...(QueueUrl?.split("/").slice(3) ?? [])].join("/");
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
    async drain(queueUrl) {
      const all: Message[] = [];
      for (;;) {
        const { Messages = [] } = await sqs.send(
          new ReceiveMessageCommand({
            QueueUrl: queueUrl,
            MaxNumberOfMessages: 10,
            WaitTimeSeconds: 1,
            MessageAttributeNames: ["All"],
            MessageSystemAttributeNames: ["All"],
          }),
        );
        if (Messages.length === 0) return all;
        for (const { ReceiptHandle } of Messages)
          await sqs.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle }));
        all.push(...Messages);
      }
    },
    async close() {
      sqs.destroy();
      await server?.stop();
    },
  };
}

export const stringAttributes = (attributes: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [name, { DataType: "String", StringValue: value }]),
  );

/** The texts of a message's attributes. */
export const attributesOf = ({ MessageAttributes = {} }: Message) =>
  Object.fromEntries(Object.entries(MessageAttributes).map(([name, value]) => [name, value.StringValue]));
