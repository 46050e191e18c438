import { GetObjectCommand } from "@aws-sdk/client-s3";
import { BatchGetCommand, TransactWriteCommand } from "@aws-sdk/lib-dynamodb";
import middy from "@middy/core";
import type { SQSEvent } from "aws-lambda";
import { createS3 } from "../../functions/clients.ts";
import { createDocuments } from "../../functions/documents.ts";

const { STATE_TABLE = "", SESSIONS_TABLE = "", FILES_BUCKET = "" } = process.env;
const dynamo = createDocuments();
const s3 = createS3(process.env);

async function read(table: string, Keys: object[]) {
  const RequestItems = { [table]: { ConsistentRead: true, Keys: Keys as Record<string, string>[] } };
  const { Responses } = await dynamo.send(new BatchGetCommand({ RequestItems }));
  return Responses?.[table]?.[0];
}

/** Only the calls that the consumer makes for one event. */
export const main = middy<SQSEvent>().handler(async (batch) => {
  const pk = `event#${batch.Records[0]?.messageId}`;
  const release = await read(STATE_TABLE, [{ pk: "release" }, { pk }]);
  const Key = `releases/${release?.version}.json`;
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: FILES_BUCKET, Key }));
  await Body?.transformToString();
  const session = await read(SESSIONS_TABLE, [{ key: "cold" }]);
  const puts = [
    { TableName: SESSIONS_TABLE, Item: session },
    { TableName: STATE_TABLE, Item: { pk, done: ["sessionEditor"], version: 1 } },
  ];
  await dynamo.send(new TransactWriteCommand({ TransactItems: puts.map((Put) => ({ Put })) }));
  return { batchItemFailures: [] };
});
