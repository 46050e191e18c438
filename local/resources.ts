import { createHash } from "node:crypto";
import { basename } from "node:path";
import { type CreateTableCommandInput, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBStreamsClient } from "@aws-sdk/client-dynamodb-streams";
import {
  BucketAlreadyExists,
  BucketAlreadyOwnedByYou,
  CreateBucketCommand,
  HeadBucketCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { SQSClient, type SQSServiceException } from "@aws-sdk/client-sqs";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { AppError } from "../lib/errors.ts";
import { BY_ALIAS, BY_ORG } from "../lib/sessions/search.ts";
import type { LocalAws } from "./aws.ts";
import { createQueues, type QueueOptions } from "./queues.ts";
import { createTable } from "./tables.ts";

/** The clients of this process; the functions build their own from their environment. */
export interface Clients {
  dynamo: DynamoDBDocumentClient;
  /** The client of `dynamo`, for items with data from scripts. */
  dynamoClient: DynamoDBClient;
  streams: DynamoDBStreamsClient;
  sqs: SQSClient;
  s3: S3Client;
}

/** The queues, tables and the bucket of a stack. */
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
    /** The history of `dev` is in a folder. */
    HISTORY: "off";
  };
}

/** The options of the resources. `prefix`: the beginning of their names. */
export interface ResourceOptions extends QueueOptions {
  /**
   * Whether the sessions table has a stream, from which changes are sent to a gateway. Only needed with a gateway: each
   * record in the stream makes the next write of the embedded engine slower.
   */
  stream?: boolean | undefined;
}

/** The caller destroys each of them. */
export function createClients({ env }: Pick<LocalAws, "env">): Clients {
  const common = {
    region: env.AWS_REGION ?? "",
    credentials: {
      accessKeyId: env.AWS_ACCESS_KEY_ID ?? "",
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY ?? "",
      ...(env.AWS_SESSION_TOKEN && { sessionToken: env.AWS_SESSION_TOKEN }),
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

type Call = (args: never) => Promise<never>;
interface Caller {
  middlewareStack: { add(middleware: (next: Call) => Call, options: { step: "initialize" }): void };
}

/** Calls a function for each call that failed because of the service. */
export function onFailedCalls({ dynamoClient, streams, sqs, s3 }: Clients, onFailure: () => void): void {
  const told = (next: Call) => async (args: never) => {
    try {
      return await next(args);
    } catch (thrown) {
      // Not rejected or aborted calls.
      const { name, $metadata } = thrown as Partial<SQSServiceException>;
      if (name !== "AbortError" && !(Number($metadata?.httpStatusCode) < 500)) onFailure();
      throw thrown;
    }
  };
  for (const { middlewareStack } of [dynamoClient, streams, sqs, s3] as unknown as Caller[])
    middlewareStack.add(told, { step: "initialize" });
}

/** The same at each start in this folder, and unique to it: external services may be shared by several stacks. */
export function projectPrefix(folder: string): string {
  const name = basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 20)
    .replaceAll(/^-|-$/g, "");
  const digest = createHash("sha256").update(folder).digest("hex").slice(0, 8);
  return ["gatehook", name, digest].filter(Boolean).join("-");
}

/** Creates missing resources, and updates existing ones, which external services keep between starts. */
export async function createResources(
  { dynamoClient, sqs, s3 }: Clients,
  options: ResourceOptions,
  signal = new AbortController().signal,
): Promise<Resources> {
  const { prefix } = options;
  const sessions = `${prefix}-sessions`;
  const state = `${prefix}-state`;
  const bucket = `${prefix}-files`;
  const [queues] = await Promise.all([
    answered(sqs, createQueues(sqs, options, signal)),
    answered(dynamoClient, createTable(dynamoClient, sessionsTable(sessions, options.stream), signal)),
    answered(dynamoClient, createTable(dynamoClient, stateTable(state), signal)),
    answered(s3, createBucket(s3, bucket, signal)),
  ]);
  return {
    env: {
      ...queues,
      SESSIONS_TABLE: sessions,
      STATE_TABLE: state,
      FILES_BUCKET: bucket,
      RECEIVE_LIMIT: String(options.receiveLimit),
      HISTORY: "off",
    },
  };
}

const sessionsTable = (TableName: string, stream = false): CreateTableCommandInput => ({
  TableName,
  BillingMode: "PAY_PER_REQUEST",
  AttributeDefinitions: [
    { AttributeName: "key", AttributeType: "S" },
    { AttributeName: "org_id", AttributeType: "S" },
    { AttributeName: "expires", AttributeType: "N" },
    { AttributeName: "alias", AttributeType: "S" },
  ],
  KeySchema: [{ AttributeName: "key", KeyType: "HASH" }],
  GlobalSecondaryIndexes: [
    {
      IndexName: BY_ORG,
      KeySchema: [
        { AttributeName: "org_id", KeyType: "HASH" },
        { AttributeName: "expires", KeyType: "RANGE" },
      ],
      Projection: { ProjectionType: "KEYS_ONLY" },
    },
    {
      IndexName: BY_ALIAS,
      KeySchema: [{ AttributeName: "alias", KeyType: "HASH" }],
      Projection: { ProjectionType: "KEYS_ONLY" },
    },
  ],
  ...(stream && { StreamSpecification: { StreamEnabled: true, StreamViewType: "NEW_AND_OLD_IMAGES" } }),
});

const stateTable = (TableName: string): CreateTableCommandInput => ({
  TableName,
  BillingMode: "PAY_PER_REQUEST",
  AttributeDefinitions: [{ AttributeName: "pk", AttributeType: "S" }],
  KeySchema: [{ AttributeName: "pk", KeyType: "HASH" }],
});

async function createBucket(s3: S3Client, Bucket: string, abortSignal: AbortSignal): Promise<void> {
  try {
    await s3.send(new CreateBucketCommand({ Bucket }), { abortSignal });
  } catch (thrown) {
    if (thrown instanceof BucketAlreadyOwnedByYou) return;
    if (!(thrown instanceof BucketAlreadyExists)) throw thrown;
    // Emulators return this error for the user's own bucket too; AWS rejects the next call if the bucket belongs to
    // somebody else.
    await s3.send(new HeadBucketCommand({ Bucket }), { abortSignal });
  }
}

const NO_ANSWER = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "ETIMEDOUT",
]);

/** Adds the service that does not answer to the error. */
async function answered<T>({ config }: DynamoDBClient | SQSClient | S3Client, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    const { code = "" } = cause as NodeJS.ErrnoException;
    if (!NO_ANSWER.has(code)) throw cause;
    const { hostname, port } = (await config.endpoint?.()) ?? {};
    const message = `${config.serviceId} does not answer at ${hostname}:${port} (${code}): start it, or unset the AWS_ENDPOINT_URL variable that names it`;
    throw new AppError("local-failed", message, { cause });
  }
}
