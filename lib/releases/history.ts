import { setTimeout as delay } from "node:timers/promises";
import { BatchGetCommand, type DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import type { HistoryEntry } from "./report.ts";

const READ_KEYS = 100;

/** The entries of these keys, in this order; one that is no longer there is left out. */
export async function readHistory(
  dynamo: DynamoDBDocumentClient,
  table: string,
  keys: string[],
): Promise<HistoryEntry[]> {
  const found = new Map<string, HistoryEntry>();
  for (let left = keys; left.length > 0; ) {
    const Keys = left.slice(0, READ_KEYS).map((pk) => ({ pk }));
    const { Responses, UnprocessedKeys } = await dynamo.send(
      new BatchGetCommand({ RequestItems: { [table]: { Keys, ConsistentRead: true } } }),
    );
    for (const { pk, ...entry } of Responses?.[table] ?? []) found.set(pk, entry as unknown as HistoryEntry);
    // An answer holds 16 MB at most: what did not fit is asked for again.
    const unread = (UnprocessedKeys?.[table]?.Keys ?? []).map(({ pk }) => pk as string);
    if (unread.length > 0) await delay(100);
    left = [...unread, ...left.slice(READ_KEYS)];
  }
  return keys.flatMap((key) => found.get(key) ?? []);
}
