import type { Readable } from "node:stream";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { type DynamoDBClient, GetItemCommand, paginateQuery } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { toAttributes } from "../../lib/dynamo/attributes.ts";
import { outline } from "../../lib/go/json.ts";
import { isAttempt } from "../../lib/history/readable.ts";
import { type AttemptRecord, FORMAT, type HistoryLine } from "../../lib/history/records.ts";
import {
  BY_DAY,
  BY_KEY,
  dayOf,
  dayShard,
  eventPartition,
  type ItemKey,
  keyPartition,
  type Listed,
  listedOf,
  SHARDS,
  type Stored,
  storedOf,
} from "../../lib/history/table-items.ts";
import { parsedJson } from "../../lib/json.ts";
import type { HistoryReader, LinePlace, PlacedLine } from "../../local/history-reader.ts";

/** The place of a deployment's history. */
export interface HistoryTable {
  dynamo: DynamoDBClient;
  s3: S3Client;
  table: string;
  bucket: string;
  /** Days until a record is deleted. */
  ttlDays: number;
  now: () => number;
}

/** Limits what is read; without limits, the newest records. */
export interface Wanted {
  /** The id of an event, or the beginning of one if no event has exactly this id. */
  id?: string;
  /** References of keys. */
  keys?: string[];
  /** The start of the time range, in ms since 1970. */
  since?: number;
  /** `read` returns whole records instead of the summaries for lists. */
  whole?: boolean;
  /** The maximum number of records of one read, the newest ones. */
  most?: number;
}

/** The same limit as in a folder's history. */
const MOST = 10_000;
const DAY_MS = 86_400_000;
/** Indexes lag and clocks differ: each read begins this far before the end of the last one. */
const OVERLAP_MS = 10_000;
/** The number of records that are read at the same time. */
const LANES = 16;

/** More than any attempt that a consumer records, with every character escaped. */
const RECORD_BYTES = 32 * 1024 * 1024;
/** More levels than any event that ingest accepts. */
const RECORD_DEPTH = 1_000;

const unzip = promisify(gunzip);

/**
 * Undefined for what is not gzip, and for what is larger than any record: a few kilobytes could fill the memory of
 * whoever reads them.
 */
async function textIn(bytes: Uint8Array): Promise<string | undefined> {
  try {
    return (await unzip(bytes, { maxOutputLength: RECORD_BYTES })).toString();
  } catch {
    return undefined;
  }
}

/** Undefined for what no function writes: a deeper record would exceed the stack of whoever prints it. */
function attemptIn(text: string): AttemptRecord | undefined {
  if (outline(text).depth > RECORD_DEPTH) return undefined;
  const attempt = parsedJson(text);
  return isAttempt(attempt) ? attempt : undefined;
}

/** Reads a history that functions are writing. Places are of this reader alone. */
export function createTableReader(history: HistoryTable, wanted: Wanted = {}): HistoryReader {
  const { dynamo, s3, table, bucket, now } = history;
  const { most = MOST } = wanted;
  const keys: ItemKey[] = [];
  const seen = new Set<string>();
  let lookedAt: number | undefined;

  const oldest = () => now() - history.ttlDays * DAY_MS;

  /** Reads the newest items of a partition of the table or of an index. */
  async function query(
    name: "pk" | "day_shard" | "key_ref",
    value: string,
    since: number,
  ): Promise<Listed[]> {
    const index = { pk: undefined, day_shard: BY_DAY, key_ref: BY_KEY }[name];
    const found: Listed[] = [];
    const pages = paginateQuery(
      { client: dynamo },
      {
        TableName: table,
        ...(index && { IndexName: index }),
        KeyConditionExpression: `#partition = :partition${index ? " AND stored_at >= :since" : ""}`,
        ExpressionAttributeNames: { "#partition": name },
        ExpressionAttributeValues: toAttributes({
          ":partition": value,
          ...(index && { ":since": new Date(since).toISOString() }),
        }),
        ProjectionExpression: "pk, sk, stored_at, summary",
        ScanIndexForward: false,
      },
    );
    for await (const { Items = [] } of pages) {
      found.push(...Items.flatMap((item) => listedOf(item) ?? []));
      if (found.length >= most) break;
    }
    return found;
  }

  async function newest(since: number): Promise<Listed[]> {
    const found: Listed[] = [];
    for (let at = now(); dayOf(at) >= dayOf(since) && found.length < most; at -= DAY_MS) {
      const shards = Array.from({ length: SHARDS }, (_, nth) => dayShard(dayOf(at), nth));
      const parts = await Promise.all(shards.map((shard) => query("day_shard", shard, since)));
      found.push(...parts.flat());
    }
    return found;
  }

  async function listed(since: number): Promise<Listed[]> {
    if (!wanted.keys) return newest(since);
    const parts = await Promise.all(wanted.keys.map((ref) => query("key_ref", keyPartition(ref), since)));
    return parts.flat();
  }

  async function look(): Promise<Listed[]> {
    const since = Math.max(oldest(), lookedAt === undefined ? (wanted.since ?? 0) : lookedAt - OVERLAP_MS);
    const isFirst = lookedAt === undefined;
    lookedAt = now();
    const ofId = isFirst && wanted.id !== undefined ? await query("pk", eventPartition(wanted.id), 0) : [];
    const found = ofId.length > 0 ? ofId : await listed(since);
    return found
      .filter(({ pk, sk }) => !seen.has(`${pk} ${sk}`))
      .sort((a, b) => (a.stored_at < b.stored_at ? -1 : 1))
      .slice(-most);
  }

  async function* readPlaced(): AsyncIterable<PlacedLine> {
    for (const { pk, sk, stored_at, attempt } of await look()) {
      seen.add(`${pk} ${sk}`);
      keys.push({ pk, sk });
      const place = { file: stored_at.slice(0, 10), offset: keys.length - 1, bytes: 0 };
      yield { line: { history: FORMAT, attempt }, place };
    }
  }

  async function bytesOf(stored: Stored): Promise<Uint8Array | undefined> {
    if ("record" in stored) return stored.record;
    try {
      const found = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: stored.object }));
      const { Body, ContentLength = 0 } = found;
      if (ContentLength <= RECORD_BYTES) return await Body?.transformToByteArray();
      (Body as Readable | undefined)?.destroy();
      return undefined;
    } catch (thrown) {
      // The bucket may delete a record some hours before the table does.
      if ((thrown as Error).name === "NoSuchKey") return undefined;
      throw thrown;
    }
  }

  async function lineAt({ offset }: LinePlace): Promise<HistoryLine | undefined> {
    const Key = toAttributes(keys[offset] ?? {});
    const { Item } = await dynamo.send(new GetItemCommand({ TableName: table, Key }));
    const stored = Item && storedOf(Item);
    const bytes = stored && (await bytesOf(stored));
    const text = bytes && (await textIn(bytes));
    if (text === undefined) return undefined;
    const attempt = attemptIn(text);
    return attempt && { history: FORMAT, attempt };
  }

  async function* readWhole(): AsyncIterable<HistoryLine> {
    const all = await Array.fromAsync(readPlaced());
    for (let at = 0; at < all.length; at += LANES) {
      const some = all.slice(at, at + LANES);
      const lines = await Promise.all(some.map(({ place }) => lineAt(place)));
      yield* lines.map((line, nth) => line ?? (some[nth] as PlacedLine).line);
    }
  }

  return {
    readPlaced,
    async *read() {
      if (wanted.whole) yield* readWhole();
      else for await (const { line } of readPlaced()) yield line;
    },
    lineAt,
    files() {
      const days = Array.from({ length: history.ttlDays + 2 }, (_, ago) =>
        dayOf(now() + DAY_MS - ago * DAY_MS),
      );
      return days.reverse();
    },
  };
}
