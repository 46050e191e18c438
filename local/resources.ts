import { setTimeout as delay } from "node:timers/promises";
import { CreateTableCommand, DescribeTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBStreamsClient } from "@aws-sdk/client-dynamodb-streams";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import type { LocalAws } from "./aws.ts";

/** The clients of this process; the functions build their own from their environment. */
export interface Clients {
  dynamo: DynamoDBDocumentClient;
  /** The client below `dynamo`, for items of which scripts made a part. */
  dynamoClient: DynamoDBClient;
  streams: DynamoDBStreamsClient;
  sqs: SQSClient;
  s3: S3Client;
}

export interface Resources {
  /** The functions' settings that name these resources. */
  env: {
    EVENTS_QUEUE_URL: string;
    DEAD_LETTERS_QUEUE_URL: string;
    SYNC_DEAD_LETTERS_QUEUE_URL: string;
    SYNC_QUEUE_URL: string;
    SESSIONS_TABLE: string;
    STATE_TABLE: string;
    FILES_BUCKET: string;
    RECEIVE_LIMIT: string;
  };
}

interface QueueOptions {
  prefix: string;
  visibilitySeconds: number;
  receiveLimit: number;
  /** Queues that keep the order of each group. */
  fifo?: boolean | undefined;
}

export function createClients({ env }: LocalAws): Clients {
  const common = {
    region: env.AWS_REGION ?? "",
    credentials: {
      accessKeyId: env.AWS_ACCESS_KEY_ID ?? "",
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY ?? "",
    },
  };
  const dynamoClient = new DynamoDBClient({ ...common, endpoint: env.AWS_ENDPOINT_URL_DYNAMODB ?? "" });
  return {
    dynamoClient,
    dynamo: DynamoDBDocumentClient.from(dynamoClient, {
      marshallOptions: { allowImpreciseNumbers: true },
      unmarshallOptions: { wrapNumbers: Number },
    }),
    streams: new DynamoDBStreamsClient({
      ...common,
      endpoint: env.AWS_ENDPOINT_URL_DYNAMODB_STREAMS ?? "",
    }),
    sqs: new SQSClient({ ...common, endpoint: env.AWS_ENDPOINT_URL_SQS ?? "" }),
    s3: new S3Client({ ...common, endpoint: env.AWS_ENDPOINT_URL_S3 ?? "", forcePathStyle: true }),
  };
}

export async function createResources(
  { dynamo, sqs, s3 }: Clients,
  options: QueueOptions,
): Promise<Resources> {
  const { prefix } = options;
  const sessions = `${prefix}-sessions`;
  const state = `${prefix}-state`;
  const bucket = `${prefix}-files`;
  const [queues] = await Promise.all([
    createQueues(sqs, options),
    createTable(dynamo, sessionsTable(sessions)),
    createTable(dynamo, stateTable(state)),
    unlessThere(() => s3.send(new CreateBucketCommand({ Bucket: bucket }))),
  ]);
  return {
    env: {
      ...queues,
      SESSIONS_TABLE: sessions,
      STATE_TABLE: state,
      FILES_BUCKET: bucket,
      RECEIVE_LIMIT: String(options.receiveLimit),
    },
  };
}

async function createQueues(
  sqs: SQSClient,
  { prefix, visibilitySeconds, receiveLimit, fifo = false }: QueueOptions,
) {
  const ending = fifo ? ".fifo" : "";
  const kind = fifo ? { FifoQueue: "true" } : {};
  const deadLetters = await createQueue(sqs, `${prefix}-dead-letters${ending}`, {
    ...kind,
    MessageRetentionPeriod: "1209600",
  });
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: deadLetters, AttributeNames: ["QueueArn"] }),
  );
  const events = await createQueue(sqs, `${prefix}-events${ending}`, {
    ...kind,
    VisibilityTimeout: String(visibilitySeconds),
    RedrivePolicy: JSON.stringify({
      deadLetterTargetArn: Attributes?.QueueArn,
      maxReceiveCount: receiveLimit,
    }),
  });
  const syncDeadLetters = await createQueue(sqs, `${prefix}-sync-dead-letters`, {
    MessageRetentionPeriod: "1209600",
  });
  return {
    EVENTS_QUEUE_URL: events,
    DEAD_LETTERS_QUEUE_URL: deadLetters,
    SYNC_DEAD_LETTERS_QUEUE_URL: syncDeadLetters,
    SYNC_QUEUE_URL: await createQueue(sqs, `${prefix}-sync`, { VisibilityTimeout: "60" }),
  };
}

/** On the host of the endpoint: an emulator's own URLs name hosts that do not resolve, or are no host names at all. */
async function createQueue(
  sqs: SQSClient,
  name: string,
  attributes: Record<string, string>,
): Promise<string> {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }));
  const { protocol, hostname, port } = (await sqs.config.endpoint?.()) ?? { protocol: "", hostname: "" };
  const path = QueueUrl?.split("/").slice(3).join("/");
  return `${protocol}//${hostname}${port ? `:${port}` : ""}/${path}`;
}

const sessionsTable = (name: string) =>
  new CreateTableCommand({
    TableName: name,
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [
      { AttributeName: "key", AttributeType: "S" },
      { AttributeName: "org_id", AttributeType: "S" },
      { AttributeName: "expires", AttributeType: "N" },
    ],
    KeySchema: [{ AttributeName: "key", KeyType: "HASH" }],
    GlobalSecondaryIndexes: [
      {
        IndexName: "by-org",
        KeySchema: [
          { AttributeName: "org_id", KeyType: "HASH" },
          { AttributeName: "expires", KeyType: "RANGE" },
        ],
        Projection: { ProjectionType: "ALL" },
      },
    ],
    StreamSpecification: { StreamEnabled: true, StreamViewType: "NEW_AND_OLD_IMAGES" },
  });

const stateTable = (name: string) =>
  new CreateTableCommand({
    TableName: name,
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [{ AttributeName: "pk", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "pk", KeyType: "HASH" }],
  });

async function createTable(dynamo: DynamoDBDocumentClient, command: CreateTableCommand): Promise<void> {
  await unlessThere(() => dynamo.send(command));
  const TableName = command.input.TableName;
  for (let status: string | undefined; status !== "ACTIVE"; await delay(status === "ACTIVE" ? 0 : 100)) {
    status = (await dynamo.send(new DescribeTableCommand({ TableName }))).Table?.TableStatus;
  }
}

const THERE = new Set(["ResourceInUseException", "BucketAlreadyOwnedByYou", "BucketAlreadyExists"]);

async function unlessThere(create: () => Promise<unknown>): Promise<void> {
  try {
    await create();
  } catch (thrown) {
    if (!THERE.has((thrown as Error).name)) throw thrown;
  }
}
