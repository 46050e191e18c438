import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  ScanCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { type Attributes, fromAttributes, toAttributes } from "../dynamo/attributes.ts";
import { condition } from "../dynamo/condition.ts";
import { type Marks, nextVersion, type ProveMarks } from "../sessions/item.ts";

/** `table`: the session table. */
export interface TakeMarksDeps {
  dynamo: Pick<DynamoDBClient, "send">;
  table: string;
  proveMarks: ProveMarks;
  /** Called with the number of sessions that had marks so far. */
  onTaken: (count: number) => void;
}

/**
 * Removes the marks of all sessions after writing them to the ledger, so that a version without marks may run. It
 * repeats until none is left, so consumers must not write new marks in the meantime. Returns the number of sessions
 * that had marks.
 */
export async function takeMarks({
  dynamo,
  table: TableName,
  proveMarks,
  onTaken,
}: TakeMarksDeps): Promise<number> {
  let taken = 0;

  async function takeFrom(item: Attributes): Promise<void> {
    const { version, marks } = fromAttributes(item) as { version: number; marks: Marks };
    await proveMarks(marks);
    const { ExpressionAttributeNames, ExpressionAttributeValues, ConditionExpression } = condition(version);
    const update = new UpdateItemCommand({
      TableName,
      Key: { key: item.key ?? { NULL: true } },
      UpdateExpression: "SET #version = :next REMOVE #marks",
      ConditionExpression,
      ExpressionAttributeNames: { ...ExpressionAttributeNames, "#marks": "marks" },
      ExpressionAttributeValues: {
        ...ExpressionAttributeValues,
        ...toAttributes({ ":next": nextVersion(version) }),
      },
    });
    await dynamo.send(update).catch((thrown: unknown) => {
      // Another writer was first: the next round reads the new item.
      if (!(thrown instanceof ConditionalCheckFailedException)) throw thrown;
    });
    taken += 1;
    onTaken(taken);
  }

  /** The number of sessions that had marks. */
  async function look(): Promise<number> {
    let found = 0;
    let after: Attributes | undefined;
    do {
      const { Items = [], LastEvaluatedKey } = await dynamo.send(
        new ScanCommand({
          TableName,
          ConsistentRead: true,
          ProjectionExpression: "#key, #version, #marks",
          FilterExpression: "attribute_exists(#marks)",
          ExpressionAttributeNames: { "#key": "key", "#version": "version", "#marks": "marks" },
          ...(after && { ExclusiveStartKey: after }),
        }),
      );
      for (const item of Items) await takeFrom(item);
      found += Items.length;
      after = LastEvaluatedKey;
    } while (after);
    return found;
  }

  while ((await look()) > 0);
  return taken;
}
