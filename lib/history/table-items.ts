import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { fromAttributes, toAttributes } from "../dynamo/attributes.ts";
import { objectOf, parsedJson } from "../json.ts";
import { keyOfEvent } from "./event-rows.ts";
import { isAttempt } from "./readable.ts";
import type { AttemptRecord, RunRecord } from "./records.ts";

// The items of attempts in a deployment's history table: one item for each attempt, in its event's partition. Two
// indexes have a summary of each attempt: by the day on which it was stored, and by the key of its event.

/** Index: `day_shard`. */
export const BY_DAY = "by-day";
/** Index: `key_ref`. */
export const BY_KEY = "by-key";

/** The parts of a day: DynamoDB limits the writes of one partition to 1,000 units a second. */
export const SHARDS = 8;

/** Partition key of all attempts of an event. Only the id: events of different APIs may share it. */
export const eventPartition = (id: string) => `e#${id}`;
/** Partition key of the index by day; `day` as `dayOf` has it. */
export const dayShard = (day: string, shard: number) => `d#${day}#${shard}`;
/** Partition key of the index by key; `ref` is the reference of the key, so that the table contains no raw keys. */
export const keyPartition = (ref: string) => `k#${ref}`;

/** In UTC. */
export const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);

/** For a record that is too large for an item; the bucket's lifecycle rule deletes the objects below `history/`. */
export const objectKey = (day: string, name: string) => `history/${day}/${name}.json.gz`;

/** The part of an attempt for lists. */
interface Summary extends Omit<AttemptRecord, "event" | "runs" | "limits" | "engine" | "container"> {
  type: string;
  key: string;
  handlers: string[];
}

const ERROR_CHARS = 300;

function summaryOf({ event, runs, limits, engine, container, ...facts }: AttemptRecord): Summary {
  return {
    ...facts,
    ...(facts.error !== undefined && { error: facts.error.slice(0, ERROR_CHARS) }),
    type: event.Type,
    key: keyOfEvent(event),
    handlers: runs.map(({ handler }) => handler),
  };
}

/** An attempt with all values for lists and filters, without the actions of its handlers. */
function attemptOf({ type, key, handlers, ...facts }: Summary): AttemptRecord {
  return {
    ...facts,
    container: "",
    event: { Type: type, Meta: key === "" ? {} : { Key: key }, TimeStamp: "" },
    runs: handlers.map(
      (handler): RunRecord => ({
        handler,
        path: "",
        context: {},
        timeout_ms: 0,
        ms: 0,
        outcome: "done",
        calls: [],
        logs: [],
        writes: [],
      }),
    ),
  };
}

/** The key of an item. */
export interface ItemKey {
  pk: string;
  sk: string;
}

/** The whole record as gzipped JSON, or the name of its object in the bucket. */
export type Stored = { record: Uint8Array } | { object: string };

/**
 * `name`: unique to this attempt. `stored`: the time of storage, in ms since 1970. `ttl`: the time of deletion, in unix
 * seconds.
 */
export function attemptItem(
  attempt: AttemptRecord,
  where: Stored,
  { name, shard, stored, ttl }: { name: string; shard: number; stored: number; ttl: number },
): Record<string, AttributeValue> {
  const key = keyOfEvent(attempt.event);
  const { record, ...rest } = { record: undefined, ...where };
  return {
    ...toAttributes({
      pk: eventPartition(attempt.id),
      sk: `${attempt.at}#${name}`,
      day_shard: dayShard(dayOf(stored), shard),
      ...(key && { key_ref: keyPartition(key) }),
      stored_at: new Date(stored).toISOString(),
      ttl,
      summary: JSON.stringify(summaryOf(attempt)),
      ...rest,
    }),
    ...(record && { record: { B: record } }),
  };
}

/** The attributes of an item in a query or an index. */
export interface Listed extends ItemKey {
  /** In ISO 8601. */
  stored_at: string;
  attempt: AttemptRecord;
}

/**
 * Decodes an item of a query or an index; members that are not in the summary are empty. Undefined for a summary that
 * no function writes: one forged item must not hide all others.
 */
export function listedOf(attributes: Record<string, AttributeValue>): Listed | undefined {
  const { pk, sk, stored_at, summary } = fromAttributes(attributes) as Record<string, string>;
  const facts = objectOf(parsedJson(summary ?? ""));
  if (!Array.isArray(facts.handlers)) return undefined;
  const attempt = attemptOf(facts as unknown as Summary);
  if (!isAttempt(attempt)) return undefined;
  return { pk: pk ?? "", sk: sk ?? "", stored_at: stored_at ?? "", attempt };
}

/** Undefined for an item of an index, which has only the summary. */
export function storedOf({ record, object }: Record<string, AttributeValue>): Stored | undefined {
  if (record?.B) return { record: record.B };
  return object?.S === undefined ? undefined : { object: object.S };
}
