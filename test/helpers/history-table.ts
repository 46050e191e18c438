import { setTimeout as delay } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import {
  type AttributeValue,
  CreateTableCommand,
  type DynamoDBClient,
  paginateScan,
} from "@aws-sdk/client-dynamodb";
import {
  CreateBucketCommand,
  GetObjectCommand,
  paginateListObjectsV2,
  type S3Client,
} from "@aws-sdk/client-s3";
import { BY_DAY, BY_KEY } from "../../lib/history/table-items.ts";

/** The table and the bucket of a history, as infra/history.yml defines them. */
export async function createHistoryStores(dynamo: DynamoDBClient, s3: S3Client, name: string): Promise<void> {
  const index = (IndexName: string, AttributeName: string) => ({
    IndexName,
    KeySchema: [
      { AttributeName, KeyType: "HASH" as const },
      { AttributeName: "stored_at", KeyType: "RANGE" as const },
    ],
    Projection: { ProjectionType: "INCLUDE" as const, NonKeyAttributes: ["summary"] },
  });
  await dynamo.send(
    new CreateTableCommand({
      TableName: name,
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: ["pk", "sk", "day_shard", "key_ref", "stored_at"].map((AttributeName) => ({
        AttributeName,
        AttributeType: "S",
      })),
      KeySchema: [
        { AttributeName: "pk", KeyType: "HASH" },
        { AttributeName: "sk", KeyType: "RANGE" },
      ],
      GlobalSecondaryIndexes: [index(BY_DAY, "day_shard"), index(BY_KEY, "key_ref")],
    }),
  );
  await s3.send(new CreateBucketCommand({ Bucket: name }));
}

export async function itemsOf(client: DynamoDBClient, TableName: string) {
  const items: Record<string, AttributeValue>[] = [];
  for await (const { Items = [] } of paginateScan({ client }, { TableName })) items.push(...Items);
  return items;
}

/** Waits until the table has this number of items. */
export async function itemsWhen(client: DynamoDBClient, table: string, count: number) {
  for (;;) {
    const items = await itemsOf(client, table);
    if (items.length >= count) return items;
    await delay(50);
  }
}

/** All text in an item, including its compressed record. */
export const textOfItem = (item: Record<string, AttributeValue>) =>
  Object.values(item)
    .map(({ S, N, B }) => S ?? N ?? (B ? gunzipSync(B).toString() : ""))
    .join("\n");

export async function textsInBucket(client: S3Client, Bucket: string): Promise<Record<string, string>> {
  const texts: Record<string, string> = {};
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket }))
    for (const { Key = "" } of Contents) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
      texts[Key] = gunzipSync((await Body?.transformToByteArray()) ?? "").toString();
    }
  return texts;
}
