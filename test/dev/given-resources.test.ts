// What a deployment finds of the resources that it is given, against the services themselves.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { before, describe, it } from "node:test";
import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DescribeTableCommand,
} from "@aws-sdk/client-dynamodb";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { CreateQueueCommand } from "@aws-sdk/client-sqs";
import { type Findings, givenFindings, type Services } from "../../cli/stage/given-resources.ts";
import type { Parameters } from "../../lib/settings/deployment.ts";
import { useServices } from "../helpers/services.ts";

const PREFIX = `given-${crypto.randomUUID().slice(0, 8)}`;
const arn = (service: string, resource: string) => `arn:aws:${service}:us-east-1:000000000000:${resource}`;
const queueArn = (name: string) => arn("sqs", `${PREFIX}-${name}`);
const tableArn = (name: string) => arn("dynamodb", `table/${PREFIX}-${name}`);

const NOTHING: Findings = { problems: [], warnings: [] };

/** A table whose keys are these: `name` is a string, `name:N` a number. */
function tableOf(
  keys: string[],
  index?: { keys: readonly string[]; projection: "ALL" | "KEYS_ONLY"; alias?: string },
): Partial<CreateTableCommandInput> {
  const schema = (some: readonly string[]) =>
    some.map(
      (key, at) => ({ AttributeName: key.split(":")[0], KeyType: at === 0 ? "HASH" : "RANGE" }) as const,
    );
  const attributes = [...keys, ...(index?.keys ?? []), ...(index?.alias ? [index.alias] : [])].map(
    (key) => ({ AttributeName: key.split(":")[0], AttributeType: key.endsWith(":N") ? "N" : "S" }) as const,
  );
  return {
    AttributeDefinitions: attributes,
    KeySchema: schema(keys),
    ...(index && {
      GlobalSecondaryIndexes: [
        {
          IndexName: "keys-by-org",
          KeySchema: schema(index.keys),
          Projection: { ProjectionType: index.projection },
        },
        ...(index.alias
          ? [
              {
                IndexName: "by-alias",
                KeySchema: schema([index.alias]),
                Projection: { ProjectionType: "KEYS_ONLY" as const },
              },
            ]
          : []),
      ],
    }),
  };
}

const BY_ORG = { keys: ["org_id", "expires:N"], projection: "KEYS_ONLY", alias: "alias" } as const;
const STREAM = {
  StreamSpecification: { StreamEnabled: true, StreamViewType: "NEW_AND_OLD_IMAGES" },
} as const;
const KEYS_STREAM = { StreamSpecification: { StreamEnabled: true, StreamViewType: "KEYS_ONLY" } } as const;

describe("resources that a deployment is given", () => {
  const started = useServices();
  let services: Services;
  before(async () => {
    services = { sqs: started.clients.sqs, dynamo: started.clients.dynamoClient, s3: started.clients.s3 };
  });

  const find = (parameters: Parameters) => givenFindings(parameters, services);
  const queue = (name: string, Attributes: Record<string, string> = {}) =>
    started.clients.sqs.send(new CreateQueueCommand({ QueueName: `${PREFIX}-${name}`, Attributes }));
  const table = (name: string, input: Partial<CreateTableCommandInput>) =>
    started.clients.dynamo.send(
      new CreateTableCommand({
        TableName: `${PREFIX}-${name}`,
        BillingMode: "PAY_PER_REQUEST",
        ...input,
      } as CreateTableCommandInput),
    );
  /** That one thing is wrong, and nothing else. */
  async function isWrong(parameters: Parameters, said: RegExp): Promise<void> {
    const { problems, warnings } = await find(parameters);
    assert.deepEqual([problems.length, warnings], [1, []], `${problems} ${warnings}`);
    assert.match(problems[0] ?? "", said);
  }

  it("are right as the stack would make them", async () => {
    await queue("letters");
    const RedrivePolicy = JSON.stringify({ maxReceiveCount: 50, deadLetterTargetArn: queueArn("letters") });
    await queue("events", { VisibilityTimeout: "360", RedrivePolicy });
    await table("sessions", { ...tableOf(["key"], BY_ORG), ...STREAM });
    await table("state", tableOf(["pk"]));
    const { Table } = await started.clients.dynamo.send(
      new DescribeTableCommand({ TableName: `${PREFIX}-sessions` }),
    );
    const found = await find({
      eventsQueueArn: queueArn("events"),
      deadLettersQueueArn: queueArn("letters"),
      sessionsTableArn: tableArn("sessions"),
      sessionsStreamArn: Table?.LatestStreamArn ?? "",
      stateTableArn: tableArn("state"),
    });
    assert.deepEqual(found, NOTHING);
    assert.deepEqual(await find({}), NOTHING);
  });

  it("are an events queue that lets the consumer finish and give up by itself", async () => {
    const redrive = (maxReceiveCount: number) =>
      JSON.stringify({ maxReceiveCount, deadLetterTargetArn: queueArn("letters") });
    await queue("quick", { VisibilityTimeout: "359", RedrivePolicy: redrive(50) });
    await isWrong(
      { eventsQueueArn: queueArn("quick") },
      /quick\) has a VisibilityTimeout of 359 s, and needs .* 360 s/,
    );
    await queue("hasty", { VisibilityTimeout: "360", RedrivePolicy: redrive(49) });
    await isWrong(
      { eventsQueueArn: queueArn("hasty") },
      /gives up after 49 receives, .*50 \(RECEIVE_LIMIT\) or more/,
    );
    assert.deepEqual(await find({ eventsQueueArn: queueArn("hasty"), RECEIVE_LIMIT: "49" }), NOTHING);
    await queue("endless", { VisibilityTimeout: "360" });
    const { problems, warnings } = await find({ eventsQueueArn: queueArn("endless") });
    assert.deepEqual([problems, warnings.length], [[], 1]);
    assert.match(warnings[0] ?? "", /has no RedrivePolicy/);
  });

  it("are tables with the keys, the index and the stream that the functions use", async () => {
    await table("other-key", tableOf(["id"], BY_ORG));
    await isWrong({ sessionsTableArn: tableArn("other-key") }, /needs the partition key `key`/);
    await table("sorted", tableOf(["key", "version"], BY_ORG));
    await isWrong({ sessionsTableArn: tableArn("sorted") }, /no sort key/);
    await table("no-index", tableOf(["key"]));
    const without = await find({ sessionsTableArn: tableArn("no-index") });
    assert.match(without.problems.join(), /needs the index keys-by-org/);
    assert.match(without.warnings.join(), /has no index by-alias/);
    await table("whole-index", tableOf(["key"], { ...BY_ORG, projection: "ALL" }));
    const whole = await find({ sessionsTableArn: tableArn("whole-index") });
    assert.deepEqual([whole.problems, whole.warnings.length], [[], 1]);
    assert.match(whole.warnings[0] ?? "", /more than the keys in its index keys-by-org/);
    await table("text-index", tableOf(["key"], { ...BY_ORG, keys: ["org_id", "expires"] }));
    await isWrong({ sessionsTableArn: tableArn("text-index") }, /expires \(a number\)/);
    await table("keys-stream", { ...tableOf(["key"], BY_ORG), ...KEYS_STREAM });
    const { Table } = await started.clients.dynamo.send(
      new DescribeTableCommand({ TableName: `${PREFIX}-keys-stream` }),
    );
    const sessionsTableArn = tableArn("keys-stream");
    await isWrong(
      { sessionsTableArn, sessionsStreamArn: Table?.LatestStreamArn ?? "" },
      /stream of new and old images/,
    );
    await table("streamed", { ...tableOf(["key"], BY_ORG), ...STREAM });
    const older = `${tableArn("streamed")}/stream/2020-01-01T00:00:00.000`;
    await isWrong(
      { sessionsTableArn: tableArn("streamed"), sessionsStreamArn: older },
      /has the stream .*, and not resources\.sessionsStream/,
    );
    await isWrong({ stateTableArn: tableArn("no-index") }, /needs the partition key `pk`/);
  });

  it("are a bucket that tells EventBridge of its uploads", async () => {
    await started.clients.s3.send(new CreateBucketCommand({ Bucket: `${PREFIX}-files` }));
    const filesBucketArn = `arn:aws:s3:::${PREFIX}-files`;
    await isWrong(
      { filesBucketArn },
      /does not tell EventBridge .*put-bucket-notification-configuration --bucket given-/,
    );
    // The local S3 keeps no such configuration.
    const told = createServer((_, response) => {
      response.setHeader("content-type", "application/xml");
      response.end("<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>");
    });
    await new Promise<void>((resolve) => told.listen(0, "127.0.0.1", resolve));
    const endpoint = `http://127.0.0.1:${(told.address() as AddressInfo).port}`;
    const credentials = { accessKeyId: "local", secretAccessKey: "local" };
    const s3 = new S3Client({ endpoint, region: "us-east-1", credentials, forcePathStyle: true });
    assert.deepEqual(await givenFindings({ filesBucketArn }, { ...services, s3 }), NOTHING);
    s3.destroy();
    told.closeAllConnections();
    await new Promise((resolve) => told.close(resolve));
  });

  it("have to be there; who may not look at them may deploy all the same", async () => {
    await isWrong({ eventsQueueArn: queueArn("nowhere") }, /resources\.eventsQueue .*nowhere\) is not there/);
    await isWrong({ stateTableArn: tableArn("nowhere") }, /resources\.stateTable .*nowhere\) is not there/);
    await isWrong(
      { filesBucketArn: "arn:aws:s3:::nowhere" },
      /resources\.filesBucket .*nowhere\) is not there/,
    );
    const send = () =>
      Promise.reject(Object.assign(new Error("not authorized"), { name: "AccessDeniedException" }));
    const denied = { send } as unknown as Services["dynamo"];
    const { problems, warnings } = await givenFindings(
      { stateTableArn: tableArn("state") },
      { ...services, dynamo: denied },
    );
    assert.deepEqual([problems, warnings.length], [[], 1]);
    assert.match(warnings[0] ?? "", /could not be looked at: not authorized/);
  });
});
