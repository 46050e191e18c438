import { DescribeTableCommand, type DynamoDBClient, type TableDescription } from "@aws-sdk/client-dynamodb";
import { GetBucketNotificationConfigurationCommand, type S3Client } from "@aws-sdk/client-s3";
import { GetQueueAttributesCommand, GetQueueUrlCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { errorText } from "../../lib/errors.ts";
import { BY_ALIAS, BY_ORG } from "../../lib/sessions/search.ts";
import { type Parameters, parameterOf } from "../../lib/settings/deployment.ts";

/** The problems of existing resources, and warnings about them. */
export interface Findings {
  problems: string[];
  warnings: string[];
}

/** The AWS clients for the region of the stage. */
export interface Services {
  sqs: SQSClient;
  dynamo: DynamoDBClient;
  s3: S3Client;
}

const NOTHING: Findings = { problems: [], warnings: [] };

/**
 * Checks whether the given resources of a deployment are as its own would be: docs/deploy.md lists the requirements.
 */
export async function givenFindings(parameters: Parameters, services: Services): Promise<Findings> {
  const found = await Promise.all(
    CHECKS.map(async ({ parameter, member, look }) => {
      const arn = parameters[parameter];
      if (!arn) return NOTHING;
      const about = (texts: string[]) => texts.map((text) => `resources.${member} (${arn}) ${text}`);
      const { problems, warnings } = await look(arn, services, parameters).catch(trouble);
      return { problems: about(problems), warnings: about(warnings) };
    }),
  );
  return {
    problems: found.flatMap(({ problems }) => problems),
    warnings: found.flatMap(({ warnings }) => warnings),
  };
}

/** A missing resource is a problem; missing permissions to check it do not prevent the deployment. */
function trouble(thrown: unknown): Findings {
  const said = errorText(thrown);
  const isMissing = /ResourceNotFound|QueueDoesNotExist|NonExistentQueue|NoSuchBucket/.test(
    (thrown as Error).name,
  );
  if (isMissing) return { ...NOTHING, problems: [`is not there: ${said}`] };
  return { ...NOTHING, warnings: [`could not be looked at: ${said}`] };
}

interface Check {
  parameter: string;
  member: string;
  look: (arn: string, services: Services, parameters: Parameters) => Promise<Findings>;
}

const CHECKS: Check[] = [
  { parameter: "eventsQueueArn", member: "eventsQueue", look: eventsQueue },
  { parameter: "deadLettersQueueArn", member: "deadLettersQueue", look: deadLettersQueue },
  { parameter: "sessionsTableArn", member: "sessionsTable", look: sessionsTable },
  { parameter: "stateTableArn", member: "stateTable", look: stateTable },
  { parameter: "filesBucketArn", member: "filesBucket", look: filesBucket },
];

/** The texts whose condition is true. */
const those = (facts: [boolean, string][]) => facts.flatMap(([holds, text]) => (holds ? [text] : []));

async function eventsQueue(arn: string, { sqs }: Services, parameters: Parameters): Promise<Findings> {
  const queue = await queueAttributes(arn, sqs);
  const number = (name: "consumerTimeout" | "RECEIVE_LIMIT") => Number(parameterOf(parameters, name));
  const least = 6 * number("consumerTimeout");
  const limit = number("RECEIVE_LIMIT");
  const { maxReceiveCount: most } = JSON.parse(queue.RedrivePolicy ?? "{}") as { maxReceiveCount?: string };
  return {
    problems: those([
      [
        Number(queue.VisibilityTimeout) < least,
        `has a VisibilityTimeout of ${queue.VisibilityTimeout} s, and needs six times consumerTimeout: ${least} s`,
      ],
      [
        Number(most) < limit,
        `gives up after ${most} receives, before the consumer does: make maxReceiveCount ${limit} (RECEIVE_LIMIT) or more`,
      ],
    ]),
    // The consumer itself sends dead letters; this is for events that never reach it.
    warnings: those([
      [most === undefined, "has no RedrivePolicy: an event that ends the consumer would be retried forever"],
    ]),
  };
}

async function deadLettersQueue(arn: string, { sqs }: Services): Promise<Findings> {
  await queueAttributes(arn, sqs);
  return NOTHING;
}

async function queueAttributes(arn: string, sqs: SQSClient): Promise<Record<string, string>> {
  const [, , , , account, QueueName] = arn.split(":");
  const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName, QueueOwnerAWSAccountId: account }));
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["VisibilityTimeout", "RedrivePolicy"] }),
  );
  return Attributes ?? {};
}

async function sessionsTable(arn: string, { dynamo }: Services, parameters: Parameters): Promise<Findings> {
  const table = await describeTable(arn, dynamo);
  const byOrg = table.GlobalSecondaryIndexes?.find(({ IndexName }) => IndexName === BY_ORG);
  const stream = parameters.sessionsStreamArn;
  const problems = those([
    [keys(table) !== "key:S:HASH", "needs the partition key `key`, a string, and no sort key"],
    [
      keys(table, byOrg ?? {}) !== "org_id:S:HASH expires:N:RANGE",
      `needs the index ${BY_ORG}, with the keys org_id (a string) and expires (a number), and no other attributes`,
    ],
    [
      Boolean(stream) && table.StreamSpecification?.StreamViewType !== "NEW_AND_OLD_IMAGES",
      "needs a stream of new and old images",
    ],
    [
      Boolean(stream) && table.LatestStreamArn !== stream,
      `has the stream ${table.LatestStreamArn}, and not resources.sessionsStream`,
    ],
  ]);
  const byAlias = table.GlobalSecondaryIndexes?.find(({ IndexName }) => IndexName === BY_ALIAS);
  const isLean = byOrg?.Projection?.ProjectionType === "KEYS_ONLY";
  const warnings = those([
    [
      byOrg !== undefined && !isLean,
      `has more than the keys in its index ${BY_ORG}: each change of a session costs as much again there`,
    ],
    [
      keys(table, byAlias ?? {}) !== "alias:S:HASH",
      "has no index by-alias with the key alias (a string): sessions cannot be found by their alias",
    ],
  ]);
  return { ...NOTHING, problems, warnings };
}

async function stateTable(arn: string, { dynamo }: Services): Promise<Findings> {
  const isRight = keys(await describeTable(arn, dynamo)) === "pk:S:HASH";
  return isRight
    ? NOTHING
    : { ...NOTHING, problems: ["needs the partition key `pk`, a string, and no sort key"] };
}

async function describeTable(arn: string, dynamo: DynamoDBClient): Promise<TableDescription> {
  const TableName = arn.replace(/.*\//, "");
  return (await dynamo.send(new DescribeTableCommand({ TableName }))).Table ?? {};
}

/** `name:type:part` of each key. */
function keys(
  table: TableDescription,
  { KeySchema = [] }: Pick<TableDescription, "KeySchema"> = table,
): string {
  const typeOf = (name: string | undefined) =>
    table.AttributeDefinitions?.find(({ AttributeName }) => AttributeName === name)?.AttributeType;
  return KeySchema.map(
    ({ AttributeName, KeyType }) => `${AttributeName}:${typeOf(AttributeName)}:${KeyType}`,
  ).join(" ");
}

async function filesBucket(arn: string, { s3 }: Services): Promise<Findings> {
  const Bucket = arn.replace(/.*:::/, "");
  const found = await s3.send(new GetBucketNotificationConfigurationCommand({ Bucket }));
  if (found.EventBridgeConfiguration) return NOTHING;
  const how = `aws s3api put-bucket-notification-configuration --bucket ${Bucket} --notification-configuration`;
  return {
    ...NOTHING,
    problems: [
      `does not tell EventBridge of its uploads. Where it notifies nobody else: ${how} '{"EventBridgeConfiguration":{}}'`,
    ],
  };
}
