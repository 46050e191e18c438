import { DeleteCommand, type DynamoDBDocumentClient, GetCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import type { Entry, EntryStore } from "./storage.ts";

/** Entries as items of the state table, under `store#<key>`. */
export function createEntryStore(deps: { dynamo: DynamoDBDocumentClient; table: string }): EntryStore {
  const { dynamo, table } = deps;
  const Key = (key: string) => ({ pk: `store#${key}` });
  return {
    async get(key) {
      const { Item } = await dynamo.send(
        new GetCommand({ TableName: table, Key: Key(key), ConsistentRead: true }),
      );
      return Item && { value: String(Item.value), expiresAt: Number(Item.ttl ?? 0) };
    },
    async put(key, { value, expiresAt }, before) {
      const Item = { ...Key(key), value, ...(expiresAt > 0 && { ttl: expiresAt }) };
      try {
        await dynamo.send(new PutCommand({ TableName: table, Item, ...unchanged(before) }));
        return true;
      } catch (thrown) {
        if ((thrown as Error).name === "ConditionalCheckFailedException") return false;
        throw thrown;
      }
    },
    async remove(key) {
      await dynamo.send(new DeleteCommand({ TableName: table, Key: Key(key) }));
    },
  };
}

function unchanged(before: Entry | undefined | "any") {
  if (before === "any") return {};
  if (!before) return { ConditionExpression: "attribute_not_exists(pk)" };
  const names = { ExpressionAttributeNames: { "#value": "value", "#ttl": "ttl" } };
  return before.expiresAt > 0
    ? {
        ...names,
        ConditionExpression: "#value = :value AND #ttl = :ttl",
        ExpressionAttributeValues: { ":value": before.value, ":ttl": before.expiresAt },
      }
    : {
        ...names,
        ConditionExpression: "#value = :value AND attribute_not_exists(#ttl)",
        ExpressionAttributeValues: { ":value": before.value },
      };
}
