import {
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { toAttributes } from "../dynamo/attributes.ts";
import { absencesKey, CANARY_KEY } from "../dynamo/state-keys.ts";

const HOUR_MS = 3_600_000;

/**
 * The state of absences that all containers share: how many were found in this hour, and whether the canary was
 * created.
 */
export function createAbsenceLimit(deps: {
  dynamo: Pick<DynamoDBClient, "send">;
  stateTable: string;
  perHour: number;
  now: () => number;
}) {
  const { dynamo, stateTable: TableName } = deps;
  const hourNow = () => Math.floor(deps.now() / HOUR_MS);
  const keyOf = (hour: number) => toAttributes({ pk: absencesKey(hour) });
  return {
    /** Whether the limit of this hour is reached. */
    async isSpent(): Promise<boolean> {
      const Key = keyOf(hourNow());
      const { Item } = await dynamo.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }));
      return Number(Item?.found?.N ?? 0) >= deps.perHour;
    },
    /** Counts one more; false if that exceeds the limit of this hour. */
    async admit(): Promise<boolean> {
      const hour = hourNow();
      const { Attributes } = await dynamo.send(
        new UpdateItemCommand({
          TableName,
          Key: keyOf(hour),
          UpdateExpression: "ADD #found :one SET #ttl = :ttl",
          ExpressionAttributeNames: { "#found": "found", "#ttl": "ttl" },
          ExpressionAttributeValues: toAttributes({ ":one": 1, ":ttl": (hour + 2) * 3_600 }),
          ReturnValues: "UPDATED_NEW",
        }),
      );
      return Number(Attributes?.found?.N) <= deps.perHour;
    },
    async wasCanaryMade(): Promise<boolean> {
      const { Item } = await dynamo.send(
        new GetItemCommand({ TableName, Key: CANARY, ConsistentRead: true }),
      );
      return Item !== undefined;
    },
    async noteCanaryMade(): Promise<void> {
      const Item = { ...CANARY, ...toAttributes({ made_at: Math.floor(deps.now() / 1000) }) };
      await dynamo.send(new PutItemCommand({ TableName, Item }));
    },
  };
}

const CANARY = toAttributes({ pk: CANARY_KEY });
