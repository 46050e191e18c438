import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { type Attributes, fromAttributes, toAttributes } from "../dynamo/attributes.ts";
import { type GatewayState, nextVersion, sessionItem } from "../sessions/item.ts";
import type { Session } from "../sessions/session.ts";
import type { Row } from "./settle.ts";

/** The sessions table, where a gateway owns the sessions. Each write is put on condition of the version read. */
export interface Rows {
  read(key: string): Promise<Row | undefined>;
  /** False when the row is no longer as it was read. */
  write(row: Row, session: Session | undefined, gateway: GatewayState): Promise<boolean>;
  remove(row: Row): Promise<boolean>;
  /** Has the stream bring the row once more; nothing when it has gone. */
  touch(key: string): Promise<void>;
  /** Has the gateway be asked what it has of this key; nothing without a row. */
  doubt(key: string): Promise<void>;
}

export function createRows(deps: {
  dynamo: Pick<DynamoDBClient, "send">;
  table: string;
  now: () => number;
}): Rows {
  const { dynamo, table: TableName } = deps;
  const keyed = (key: string) => ({ TableName, Key: toAttributes({ key }) });
  const asRead = ({ version }: Row) => ({
    ConditionExpression: "#version = :read",
    ExpressionAttributeNames: { "#version": "version" },
    ExpressionAttributeValues: toAttributes({ ":read": version }),
  });

  /** True when the condition held. */
  async function holds(write: Promise<unknown>): Promise<boolean> {
    try {
      await write;
      return true;
    } catch (thrown) {
      if (thrown instanceof ConditionalCheckFailedException) return false;
      throw thrown;
    }
  }

  async function update(key: string, UpdateExpression: string): Promise<void> {
    const now = deps.now();
    await holds(
      dynamo.send(
        new UpdateItemCommand({
          ...keyed(key),
          UpdateExpression,
          ConditionExpression: "attribute_exists(#gateway)",
          ExpressionAttributeNames: {
            "#gateway": "gateway",
            ...(UpdateExpression.includes("#again") && { "#again": "again" }),
            ...(UpdateExpression.includes("#look") && { "#look": "look", "#version": "version" }),
          },
          ExpressionAttributeValues: toAttributes({
            ":now": now,
            ...(UpdateExpression.includes(":one") && { ":one": 1 }),
          }),
        }),
      ),
    );
  }

  return {
    async read(key) {
      const { Item } = await dynamo.send(new GetItemCommand({ ...keyed(key), ConsistentRead: true }));
      return Item && rowOf(Item);
    },
    write: (row, session, gateway) => {
      const now = Math.floor(deps.now() / 1000);
      const Item = toAttributes(sessionItem(row.key, session, nextVersion(row.version), now, gateway));
      return holds(dynamo.send(new PutItemCommand({ TableName, Item, ...asRead(row) })));
    },
    remove: (row) => holds(dynamo.send(new DeleteItemCommand({ ...keyed(row.key), ...asRead(row) }))),
    touch: (key) => update(key, "SET #again = :now"),
    // With a new version: a write of what was read before must not take the doubt away.
    doubt: (key) => update(key, "SET #gateway.#look = :now ADD #version :one"),
  };
}

/** The row of an item; undefined for one that no gateway has to do with. */
export function rowOf(item: Attributes): Row | undefined {
  const { key, session, version, gateway } = fromAttributes(item);
  if (typeof key !== "string" || typeof version !== "number" || !gateway) return undefined;
  return { key, session: session as Session | undefined, version, gateway: gateway as GatewayState };
}
