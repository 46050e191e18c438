import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  PutItemCommand,
  ScanCommand,
} from "@aws-sdk/client-dynamodb";
import { type Attributes, fromAttributes, toAttributes } from "../dynamo/attributes.ts";
import { batchGet } from "../dynamo/batch-get.ts";
import { type ChangedBy, type StoredSession, storedSession } from "./item.ts";

/** An item of the sessions table, with what those want to know who read many. */
export interface SessionRow {
  key: string;
  stored: StoredSession;
  /** In unix seconds. */
  updatedAt: number;
  /** When DynamoDB may delete it, in unix seconds; 0 is never. */
  ttl: number;
  changedBy: ChangedBy | undefined;
}

export interface SessionRows {
  /** Those that are there, as they are now. */
  readMany(keys: string[]): Promise<Map<string, SessionRow>>;
  /** Puts the item that `sessionItem` made; false when there is another than the version that was read. */
  put(item: Record<string, unknown>, read: number): Promise<boolean>;
  /** Up to `limit` rows after this key, in the table's own order; `next` unless it is through. */
  page(after: string | undefined, limit: number): Promise<RowPage>;
}

export interface RowPage {
  rows: SessionRow[];
  next: string | undefined;
  /** Read units. */
  units: number;
}

export function createSessionRows(deps: {
  dynamo: Pick<DynamoDBClient, "send">;
  table: string;
  now: () => number;
  random: () => number;
}): SessionRows {
  const { dynamo, table: TableName, now, random } = deps;
  const rowsOf = (items: Attributes[]) => items.map((item) => rowOf(fromAttributes(item), now(), random));

  return {
    async readMany(keys) {
      const names = keys.map((key) => ({ key }));
      const items = await batchGet(dynamo, TableName, names, { random, consistent: true });
      return new Map(rowsOf(items).map((row) => [row.key, row]));
    },
    async put(item, read) {
      try {
        await dynamo.send(new PutItemCommand({ TableName, Item: toAttributes(item), ...condition(read) }));
        return true;
      } catch (thrown) {
        if (thrown instanceof ConditionalCheckFailedException) return false;
        throw thrown;
      }
    },
    async page(after, limit) {
      const {
        Items = [],
        LastEvaluatedKey,
        ConsumedCapacity,
      } = await dynamo.send(
        new ScanCommand({
          TableName,
          Limit: limit,
          ReturnConsumedCapacity: "TOTAL",
          ...(after !== undefined && { ExclusiveStartKey: toAttributes({ key: after }) }),
        }),
      );
      return {
        rows: rowsOf(Items),
        next: LastEvaluatedKey?.key?.S,
        units: ConsumedCapacity?.CapacityUnits ?? 0,
      };
    },
  };
}

export function rowOf(item: Record<string, unknown>, now: number, random: () => number): SessionRow {
  return {
    key: item.key as string,
    stored: storedSession(item, now, random),
    updatedAt: numberOr0(item.updated_at),
    ttl: numberOr0(item.ttl),
    changedBy: item.changed_by as ChangedBy | undefined,
  };
}

const numberOr0 = (value: unknown) => (typeof value === "number" ? value : 0);

/** As in the consumer's commits: nobody's change is written over unread. */
export const condition = (read: number) => ({
  ExpressionAttributeNames: { "#version": "version" },
  ...(read <= 0
    ? { ConditionExpression: "attribute_not_exists(#version)" }
    : {
        ConditionExpression: "#version = :read",
        ExpressionAttributeValues: toAttributes({ ":read": read }),
      }),
});
