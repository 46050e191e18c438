import {
  BatchGetItemCommand,
  type BatchGetItemCommandInput,
  type BatchGetItemCommandOutput,
  type DynamoDBClient,
} from "@aws-sdk/client-dynamodb";
import { AppError } from "../errors.ts";
import { type Attributes, toAttributes } from "./attributes.ts";
import { ATTEMPTS, pauseBefore } from "./retry.ts";

/** DynamoDB's limit of one call. */
const KEYS = 100;
/** Calls at the same time. */
const LANES = 4;

/** `random` from 0 to 1, for the pauses after throttling. `consistent` reads cost twice as many units. */
export interface BatchGetOptions {
  random: () => number;
  consistent?: boolean;
  /** Called with the read units of each response. */
  onUnits?: (units: number) => void;
}

/** The items that exist, in any order. Throws `dependency-failed` if reads remain throttled. */
export async function batchGet(
  dynamo: Pick<DynamoDBClient, "send">,
  table: string,
  keys: Record<string, string>[],
  { random, consistent = false, onUnits }: BatchGetOptions,
): Promise<Attributes[]> {
  const found: Attributes[] = [];
  let next = 0;

  async function readAll(): Promise<void> {
    while (next < keys.length) {
      const some = keys.slice(next, next + KEYS);
      next += KEYS;
      await readSome(some);
    }
  }

  async function readSome(some: Record<string, string>[]): Promise<void> {
    const Keys = some.map(toAttributes);
    let open: BatchGetItemCommandInput["RequestItems"] = { [table]: { Keys, ConsistentRead: consistent } };
    for (let attempt = 0; open?.[table]; attempt += 1) {
      if (attempt === ATTEMPTS)
        throw new AppError(
          "dependency-failed",
          "dynamodb:BatchGetItem left keys unread again and again: reads are throttled",
        );
      if (attempt > 0) await pauseBefore(attempt, random);
      const answer: BatchGetItemCommandOutput = await dynamo.send(
        new BatchGetItemCommand({ RequestItems: open, ReturnConsumedCapacity: onUnits ? "TOTAL" : "NONE" }),
      );
      for (const { CapacityUnits = 0 } of answer.ConsumedCapacity ?? []) onUnits?.(CapacityUnits);
      found.push(...(answer.Responses?.[table] ?? []));
      // Keys that did not fit into the answer are not throttled.
      const left = answer.UnprocessedKeys?.[table]?.Keys?.length ?? 0;
      if (left < (open[table]?.Keys?.length ?? 0)) attempt = 0;
      open = answer.UnprocessedKeys;
    }
  }

  await Promise.all(Array.from({ length: LANES }, readAll));
  return found;
}
