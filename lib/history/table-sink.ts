import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { type AttributeValue, BatchWriteItemCommand, type DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { errorText } from "../errors.ts";
import type { Log } from "../log.ts";
import type { AttemptRecord, HistorySink } from "./records.ts";
import type { RedactRecord } from "./redact.ts";
import { attemptItem, dayOf, objectKey, SHARDS, type Stored } from "./table-items.ts";

/** `now` in ms; `random` from 0 to 1, to spread writes over the parts of a day. */
export interface TableSinkDeps {
  /** Separate clients without retries, so that their throttling does not affect events. */
  dynamo: Pick<DynamoDBClient, "send">;
  s3: () => Pick<S3Client, "send">;
  table: string;
  bucket: string;
  redact: RedactRecord;
  ttlDays: number;
  /** Names this process. */
  container: string;
  now: () => number;
  random: () => number;
  log: Pick<Log, "warn">;
}

/** An item has at most 400 KB, and the cost of a write depends on its size. */
const ITEM_BYTES = 64 * 1024;
/** DynamoDB's own limit of one call. */
const ITEMS = 25;

const zip = promisify(gzip);
type Item = Record<string, AttributeValue>;

/**
 * Keeps attempts in a table, and large ones in a bucket. Each write is tried once; attempts that are not written in
 * time are lost and counted in the result, and the reason is logged.
 */
export function createTableSink(deps: TableSinkDeps): HistorySink {
  const { dynamo, table, bucket, container, redact, log } = deps;
  let number = 0;

  async function place(bytes: Uint8Array, key: string, abortSignal: AbortSignal): Promise<Stored> {
    if (bytes.length <= ITEM_BYTES) return { record: bytes };
    const put = { Bucket: bucket, Key: key, Body: bytes, ContentType: "application/json" };
    await deps.s3().send(new PutObjectCommand({ ...put, ContentEncoding: "gzip" }), { abortSignal });
    return { object: key };
  }

  async function itemOf(whole: AttemptRecord, signal: AbortSignal): Promise<Item> {
    const attempt = redact(whole);
    number += 1;
    const name = `${container}-${number}`;
    const stored = deps.now();
    const bytes = await zip(JSON.stringify(attempt));
    signal.throwIfAborted();
    const where = await place(bytes, objectKey(dayOf(stored), name), signal);
    const shard = Math.floor(deps.random() * SHARDS);
    return attemptItem(attempt, where, {
      name,
      shard,
      stored,
      ttl: Math.ceil(stored / 1000) + deps.ttlDays * 86_400,
    });
  }

  /** Returns the number of items that were written. */
  async function write(items: Item[], abortSignal: AbortSignal): Promise<number> {
    const { UnprocessedItems } = await dynamo.send(
      new BatchWriteItemCommand({
        RequestItems: { [table]: items.map((Item) => ({ PutRequest: { Item } })) },
      }),
      { abortSignal },
    );
    return items.length - (UnprocessedItems?.[table]?.length ?? 0);
  }

  return async (attempts, ms) => {
    const stop = new AbortController();
    const why = new Set<string>();
    const lost = (thrown: unknown) =>
      void why.add(errorText(stop.signal.aborted ? stop.signal.reason : thrown));
    let written = 0;

    async function keep(): Promise<void> {
      const items: Item[] = [];
      // One after the other: redaction uses the CPU, and the time may run out between two.
      for (const attempt of attempts) {
        if (stop.signal.aborted) break;
        const item = await itemOf(attempt, stop.signal).catch(lost);
        if (item) items.push(item);
      }
      const parts = Array.from({ length: Math.ceil(items.length / ITEMS) }, (_, nth) =>
        items.slice(nth * ITEMS, (nth + 1) * ITEMS),
      );
      await Promise.all(
        parts.map(async (part) => {
          written += (await write(part, stop.signal).catch(lost)) ?? 0;
        }),
      );
    }

    const over = new AbortController();
    // A client may ignore its signal, so this does not wait longer than the signal.
    await Promise.race([
      keep(),
      delay(ms, undefined, { signal: over.signal }).then(
        () => stop.abort(new Error(`it took longer than ${ms} ms`)),
        () => {},
      ),
    ]);
    over.abort();
    const dropped = attempts.length - written;
    if (stop.signal.aborted) lost(stop.signal.reason);
    if (dropped > 0)
      log.warn("history not kept", { dropped, error: [...why].join("; ") || "the table takes no more now" });
    return dropped;
  };
}
