import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  PutItemCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { toAttributes } from "../dynamo/attributes.ts";

const HOUR_MS = 3_600_000;

/** What all containers together must know of absences: how many were found in this hour, and who makes the canary. */
export function createAbsenceLimit(deps: {
  dynamo: Pick<DynamoDBClient, "send">;
  stateTable: string;
  perHour: number;
  now: () => number;
}) {
  const { dynamo, stateTable: TableName } = deps;
  return {
    /** Counts one more; false when there are too many. */
    async admit(): Promise<boolean> {
      const hour = Math.floor(deps.now() / HOUR_MS);
      const { Attributes } = await dynamo.send(
        new UpdateItemCommand({
          TableName,
          Key: toAttributes({ pk: `gateway#absences#${hour}` }),
          UpdateExpression: "ADD #found :one SET #ttl = :ttl",
          ExpressionAttributeNames: { "#found": "found", "#ttl": "ttl" },
          ExpressionAttributeValues: toAttributes({ ":one": 1, ":ttl": (hour + 2) * 3_600 }),
          ReturnValues: "UPDATED_NEW",
        }),
      );
      return Number(Attributes?.found?.N) <= deps.perHour;
    },
    /** True for the first that asks, ever: a canary that was there and has gone is a reason to stop. */
    async makesCanary(): Promise<boolean> {
      try {
        await dynamo.send(
          new PutItemCommand({
            TableName,
            Item: toAttributes({ pk: "gateway#canary", made_at: Math.floor(deps.now() / 1000) }),
            ConditionExpression: "attribute_not_exists(pk)",
          }),
        );
        return true;
      } catch (thrown) {
        if (thrown instanceof ConditionalCheckFailedException) return false;
        throw thrown;
      }
    },
  };
}
