// Services of others keep tables, queues and bucket: the stack starts on what an earlier one, or another version, left.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, it } from "node:test";
import {
  CreateTableCommand,
  DescribeTableCommand,
  type TableDescription,
  waitUntilTableExists,
} from "@aws-sdk/client-dynamodb";
import { DescribeStreamCommand } from "@aws-sdk/client-dynamodb-streams";
import { CreateQueueCommand, GetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import { createResources, projectPrefix } from "../../local/resources.ts";
import { definition, handler, newFolder, startDevWith } from "../helpers/dev.ts";
import { useServices } from "../helpers/services.ts";
import { startTestStack } from "../helpers/stack.ts";

const SESSION = { org_id: "o", access_rights: { demo: { api_id: "demo" } }, expires: 5 };

describe("a start on what is there already", () => {
  const services = useServices();
  let prefix = "";
  beforeEach(() => {
    prefix = `second-${randomUUID().slice(0, 8)}`;
  });

  const event = (id: string) =>
    JSON.stringify({ id, event: { Type: "KeyExpired", Meta: { Key: "k" }, TimeStamp: "" } });

  for (const fifo of [false, true])
    it(`goes on with sessions, releases and events${fifo ? " of FIFO queues" : ""}, by new settings`, async () => {
      const env = { ...process.env, ...services.env };
      const first = await startTestStack({ env, prefix, fifo, consumers: [] });
      const version = await first.releases.liveVersion();
      await first.storeSession("k", SESSION);
      assert.equal((await first.post("demo", event("e1"))).status, 202);
      await first.close();
      const second = await startTestStack({ env, prefix, fifo, visibilitySeconds: 60, receiveLimit: 7 });
      try {
        assert.equal(await second.releases.liveVersion(), version);
        await second.fact(({ message, fields }) => message === "event done" && fields.event_id === "e1");
        assert.equal((await second.session("k"))?.expires, 1_005);
        const { Attributes = {} } = await second.clients.sqs.send(
          new GetQueueAttributesCommand({
            QueueUrl: second.resources.EVENTS_QUEUE_URL,
            AttributeNames: ["VisibilityTimeout", "RedrivePolicy"],
          }),
        );
        assert.equal(Attributes.VisibilityTimeout, "60");
        assert.equal(Number(JSON.parse(Attributes.RedrivePolicy ?? "").maxReceiveCount), 7);
      } finally {
        await second.close();
      }
    });

  const options = () => ({ prefix, visibilitySeconds: 30, receiveLimit: 5, stream: true });

  async function describeTable(TableName: string): Promise<TableDescription> {
    return (await services.clients.dynamoClient.send(new DescribeTableCommand({ TableName }))).Table ?? {};
  }

  async function createTable(changes: Partial<CreateTableCommand["input"]>): Promise<string> {
    const TableName = `${prefix}-sessions`;
    await services.clients.dynamoClient.send(
      new CreateTableCommand({
        TableName,
        BillingMode: "PAY_PER_REQUEST",
        AttributeDefinitions: [{ AttributeName: "key", AttributeType: "S" }],
        KeySchema: [{ AttributeName: "key", KeyType: "HASH" }],
        ...changes,
      }),
    );
    await waitUntilTableExists({ client: services.clients.dynamoClient, maxWaitTime: 60 }, { TableName });
    return TableName;
  }

  for (const [what, changes] of [
    ["no stream and no index", {}],
    [
      "a stream of another view",
      { StreamSpecification: { StreamEnabled: true, StreamViewType: "KEYS_ONLY" } },
    ],
  ] as const)
    it(`gives a sessions table with ${what} what it needs`, async () => {
      const name = await createTable(changes);
      await createResources(services.clients, options());
      const table = await describeTable(name);
      assert.deepEqual(table.StreamSpecification, {
        StreamEnabled: true,
        StreamViewType: "NEW_AND_OLD_IMAGES",
      });
      assert.deepEqual(
        table.GlobalSecondaryIndexes?.map(({ IndexName, IndexStatus }) => [IndexName, IndexStatus]),
        [
          ["keys-by-org", "ACTIVE"],
          ["by-alias", "ACTIVE"],
        ],
      );
      const { StreamDescription } = await services.clients.streams.send(
        new DescribeStreamCommand({ StreamArn: table.LatestStreamArn }),
      );
      assert.equal(StreamDescription?.StreamViewType, "NEW_AND_OLD_IMAGES");
      await createResources(services.clients, options());
      assert.equal((await describeTable(name)).LatestStreamArn, table.LatestStreamArn, "and leaves it then");
    });

  it("of gatehook dev has names of the folder's own", async () => {
    const folder = await newFolder({
      "apis/orders.json": definition("orders", { KeyExpired: "h" }),
      "handlers/h.js": handler("h", ""),
    });
    const dev = startDevWith(services.env, folder, "--no-demo");
    try {
      await dev.says(/Ctrl\+C/);
      const { env } = JSON.parse(await readFile(join(folder, ".gatehook/local.json"), "utf8"));
      const names = [
        env.SESSIONS_TABLE,
        env.STATE_TABLE,
        env.FILES_BUCKET,
        env.EVENTS_QUEUE_URL.split("/").at(-1),
      ];
      const own = projectPrefix(folder);
      assert.deepEqual(names, [`${own}-sessions`, `${own}-state`, `${own}-files`, `${own}-events`]);
    } finally {
      await dev.end();
      await rm(folder, { recursive: true });
    }
  });

  it("is of one folder, whatever that is called, by names that every service takes", () => {
    assert.equal(projectPrefix("/home/me/orders"), "gatehook-orders-62f82524");
    const folders = ["/a/orders", "/b/orders", "/", "/Ünï_çode folder", `/${"-x".repeat(100)}`, "/..."];
    const prefixes = folders.map(projectPrefix);
    assert.equal(new Set(prefixes).size, folders.length);
    // Of the names, those of buckets have the narrowest rule.
    for (const prefix of prefixes) assert.match(`${prefix}-files`, /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/);
  });

  it("refuses a table that has other keys, by name", async () => {
    const name = await createTable({
      AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
      KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    });
    await assert.rejects(createResources(services.clients, options()), {
      code: "local-failed",
      message: `the table ${name} has other keys than gatehook's: delete it`,
    });
  });

  it("gives queues that were made by hand their dead-letter queue", async () => {
    await services.clients.sqs.send(new CreateQueueCommand({ QueueName: `${prefix}-events` }));
    const { env } = await createResources(services.clients, options());
    const { Attributes } = await services.clients.sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: env.EVENTS_QUEUE_URL, AttributeNames: ["RedrivePolicy"] }),
    );
    assert.match(Attributes?.RedrivePolicy ?? "", new RegExp(`${prefix}-dead-letters`));
  });
});
