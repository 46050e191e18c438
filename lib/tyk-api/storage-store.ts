import {
  type DynamoDBDocumentClient,
  GetCommand,
  TransactWriteCommand,
  type TransactWriteCommandInput,
} from "@aws-sdk/lib-dynamodb";
import { ATTEMPTS, pauseBefore } from "../dynamo/retry.ts";
import { storageKey } from "../dynamo/state-keys.ts";
import type { Entry, EntryStore } from "./storage.ts";

type Action = NonNullable<TransactWriteCommandInput["TransactItems"]>[number];

/** Entries as items of the state table, under `store#<key>`. */
export function createEntryStore(deps: {
  dynamo: DynamoDBDocumentClient;
  table: string;
  random: () => number;
  /** A unique token. */
  newToken: () => string;
}): EntryStore {
  const { dynamo, table: TableName } = deps;
  const Key = (key: string) => ({ pk: storageKey(key) });

  /**
   * Takes effect once; false if its condition fails. If a response is lost the SDK repeats the call; a plain write
   * would then be done twice, or fail because of its own first attempt. A transaction is identified by its token: the
   * second call returns the same result, whatever others have written in the meantime.
   */
  async function write(action: Action): Promise<boolean> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const ClientRequestToken = deps.newToken();
        await dynamo.send(new TransactWriteCommand({ TransactItems: [action], ClientRequestToken }));
        return true;
      } catch (thrown) {
        const code = cancellationOf(thrown);
        if (code === "ConditionalCheckFailed") return false;
        if (!PASSING.has(code) || attempt === ATTEMPTS) throw thrown;
        await pauseBefore(attempt, deps.random);
      }
    }
  }

  return {
    async get(key) {
      const { Item } = await dynamo.send(new GetCommand({ TableName, Key: Key(key), ConsistentRead: true }));
      return Item && { value: String(Item.value), expiresAt: Number(Item.ttl ?? 0) };
    },
    put(key, { value, expiresAt }, before) {
      const Item = { ...Key(key), value, ...(expiresAt > 0 && { ttl: expiresAt }) };
      return write({ Put: { TableName, Item, ...unchanged(before) } });
    },
    async remove(key) {
      await write({ Delete: { TableName, Key: Key(key) } });
    },
  };
}

const PASSING = new Set(["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]);

/** The reason why a transaction with one action was cancelled and wrote nothing; empty for any other error. */
function cancellationOf(thrown: unknown): string {
  const { name, CancellationReasons } = thrown as {
    name?: string;
    CancellationReasons?: { Code?: string }[];
  };
  return name === "TransactionCanceledException" ? (CancellationReasons?.[0]?.Code ?? "") : "";
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
