import { setTimeout as delay } from "node:timers/promises";
import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DescribeTableCommand,
  type DynamoDBClient,
  ResourceInUseException,
  type TableDescription,
  UpdateTableCommand,
  type UpdateTableCommandInput,
} from "@aws-sdk/client-dynamodb";
import { AppError } from "../lib/errors.ts";

const LOOK_MS = 100;

/** Creates a table, or adds the required stream and indexes to an existing one. */
export async function createTable(
  dynamo: DynamoDBClient,
  wanted: CreateTableCommandInput,
  signal: AbortSignal,
): Promise<void> {
  const { TableName } = wanted;
  const abort = { abortSignal: signal };

  async function whenActive(): Promise<TableDescription> {
    for (;;) {
      const { Table = {} } = await dynamo.send(new DescribeTableCommand({ TableName }), abort);
      const indexes = Table.GlobalSecondaryIndexes ?? [];
      if ([Table.TableStatus, ...indexes.map((index) => index.IndexStatus)].every(isSettled)) return Table;
      await delay(LOOK_MS, undefined, { signal });
    }
  }

  async function update(change: Omit<UpdateTableCommandInput, "TableName">): Promise<void> {
    await dynamo.send(new UpdateTableCommand({ TableName, ...change }), abort);
    await whenActive();
  }

  try {
    await dynamo.send(new CreateTableCommand(wanted), abort);
    await whenActive();
    return;
  } catch (thrown) {
    if (!(thrown instanceof ResourceInUseException)) throw thrown;
  }
  const table = await whenActive();
  if (keysOf(table) !== keysOf(wanted))
    throw new AppError("local-failed", `the table ${TableName} has other keys than gatehook's: delete it`);
  for (const change of changesTo(table, wanted)) await update(change);
}

const isSettled = (status: string | undefined) => status === "ACTIVE" || status === undefined;

/** The names and roles of a table's keys, as text. */
const keysOf = ({ KeySchema = [] }: Pick<TableDescription, "KeySchema">) =>
  KeySchema.map(({ AttributeName, KeyType }) => `${KeyType} ${AttributeName}`)
    .sort()
    .join();

/**
 * One call for each change: DynamoDB accepts only one at a time, and the view type of a stream can be changed only by
 * creating a new stream.
 */
function* changesTo(
  table: TableDescription,
  wanted: CreateTableCommandInput,
): Iterable<Omit<UpdateTableCommandInput, "TableName">> {
  const stream = wanted.StreamSpecification;
  const old = table.StreamSpecification;
  if (stream && (!old?.StreamEnabled || old.StreamViewType !== stream.StreamViewType)) {
    if (old?.StreamEnabled) yield { StreamSpecification: { StreamEnabled: false } };
    yield { StreamSpecification: stream };
  }
  const there = new Set(table.GlobalSecondaryIndexes?.map(({ IndexName }) => IndexName));
  for (const index of wanted.GlobalSecondaryIndexes ?? []) {
    if (there.has(index.IndexName)) continue;
    yield {
      AttributeDefinitions: wanted.AttributeDefinitions,
      GlobalSecondaryIndexUpdates: [{ Create: index }],
    };
  }
}
