import { setTimeout as delay } from "node:timers/promises";
import { BatchGetCommand, type DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { AppError } from "../errors.ts";
import type { HistoryEntry } from "./report.ts";

const READ_KEYS = 100;
/** The number of consecutive responses without an item. */
const EMPTY_ANSWERS = 6;

/**
 * The entries of these keys, in this order; missing entries are left out. Throws `dependency-failed` if reads are
 * throttled repeatedly.
 */
export async function readHistory(
  dynamo: DynamoDBDocumentClient,
  table: string,
  keys: string[],
  pause: (ms: number) => Promise<unknown> = delay,
): Promise<HistoryEntry[]> {
  const found = new Map<string, HistoryEntry>();
  let empty = 0;
  for (let left = keys; left.length > 0; ) {
    const Keys = left.slice(0, READ_KEYS).map((pk) => ({ pk }));
    const { Responses, UnprocessedKeys } = await dynamo.send(
      new BatchGetCommand({ RequestItems: { [table]: { Keys, ConsistentRead: true } } }),
    );
    for (const { pk, ...entry } of Responses?.[table] ?? []) found.set(pk, entry as unknown as HistoryEntry);
    // A response has at most 16 MB, so the remaining keys are requested again.
    const unread = (UnprocessedKeys?.[table]?.Keys ?? []).map(({ pk }) => pk as string);
    empty = unread.length === Keys.length ? empty + 1 : 0;
    if (empty === EMPTY_ANSWERS)
      throw new AppError(
        "dependency-failed",
        `dynamodb:BatchGetItem left keys of ${table} unread again and again`,
      );
    if (unread.length > 0) await pause(100 * 2 ** empty);
    left = [...unread, ...left.slice(READ_KEYS)];
  }
  return keys.flatMap((key) => found.get(key) ?? []);
}
