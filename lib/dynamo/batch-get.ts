import { setTimeout as delay } from "node:timers/promises";
import {
  BatchGetItemCommand,
  type BatchGetItemCommandInput,
  type BatchGetItemCommandOutput,
  type DynamoDBClient,
} from "@aws-sdk/client-dynamodb";
import { AppError } from "../errors.ts";
import { type Attributes, toAttributes } from "./attributes.ts";

/** DynamoDB's own limit of one call. */
const KEYS = 100;
const ATTEMPTS = 6;

export interface BatchGetOptions {
  random: () => number;
  consistent?: boolean;
  /** Told of the read units of each answer. */
  onUnits?: (units: number) => void;
}

/** Those of the items that are there, in no order. Throws dependency-failed when reads are throttled again and again. */
export async function batchGet(
  dynamo: Pick<DynamoDBClient, "send">,
  table: string,
  keys: Record<string, string>[],
  { random, consistent = false, onUnits }: BatchGetOptions,
): Promise<Attributes[]> {
  const found: Attributes[] = [];
  for (let at = 0; at < keys.length; at += KEYS) {
    const Keys = keys.slice(at, at + KEYS).map(toAttributes);
    let open: BatchGetItemCommandInput["RequestItems"] = { [table]: { Keys, ConsistentRead: consistent } };
    for (let attempt = 0; open?.[table]; attempt += 1) {
      if (attempt === ATTEMPTS)
        throw new AppError(
          "dependency-failed",
          "dynamodb:BatchGetItem left keys unread again and again: reads are throttled",
        );
      if (attempt > 0) await delay(random() * 25 * 2 ** attempt);
      const answer: BatchGetItemCommandOutput = await dynamo.send(
        new BatchGetItemCommand({ RequestItems: open, ReturnConsumedCapacity: onUnits ? "TOTAL" : "NONE" }),
      );
      for (const { CapacityUnits = 0 } of answer.ConsumedCapacity ?? []) onUnits?.(CapacityUnits);
      found.push(...(answer.Responses?.[table] ?? []));
      open = answer.UnprocessedKeys;
    }
  }
  return found;
}
