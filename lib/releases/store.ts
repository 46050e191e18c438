import type { S3Client } from "@aws-sdk/client-s3";
import { type DynamoDBDocumentClient, GetCommand, TransactWriteCommand } from "@aws-sdk/lib-dynamodb";
import { LIVE_RELEASE_KEY, RELEASES_KEY, releaseEntryKey } from "../dynamo/state-keys.ts";
import { type Bucket, createBucket } from "./bucket.ts";
import { readHistory } from "./history.ts";
import type { HistoryEntry } from "./report.ts";
import { createStoredReleases, type StoredReleases } from "./stored.ts";
import { TABLE_FORMAT } from "./table-format.ts";

/** The live release, and the last built one: they differ after a rollback and after a rejected upload. */
export interface PointerTarget {
  /** Undefined before the first release. */
  version: string | undefined;
  built: string | undefined;
  /** Whether the last upload was rejected. */
  refused: boolean;
  /**
   * The live version after `built` was built: if another version is live, there was a rollback since. It differs from
   * `built` if that was rejected, or went live only in part. Pointers of earlier versions do not have it.
   */
  settled?: string | undefined;
}

/**
 * A pointer that was read; `revision` grows with every change, so that no writer overwrites a change that it has not
 * seen.
 */
export interface Pointer extends PointerTarget {
  revision: number;
  /** The format of the tables; undefined if the item does not have it. */
  format?: number | undefined;
}

/** The bucket, the pointer to the live release, and the reports of all releases that are kept. */
export interface ReleaseStore
  extends StoredReleases,
    Pick<Bucket, "listSources" | "readSources" | "writeSource" | "removeSource"> {
  /** Strongly consistent. */
  pointer(): Promise<Pointer>;
  /** The live version, or undefined before the first release. Strongly consistent. */
  liveVersion(): Promise<string | undefined>;
  /** Moves the pointer and stores the entry, both or neither; false if the pointer has changed since it was read. */
  record(from: Pointer, to: PointerTarget, entry: HistoryEntry): Promise<boolean>;
  /** Changes the format of the tables in the pointer; false if the pointer has changed since it was read. */
  setFormat(from: Pointer, format: number): Promise<boolean>;
  entry(version: string): Promise<HistoryEntry | undefined>;
  /** Ordered by build time, the newest first. */
  history(): Promise<HistoryEntry[]>;
}

const MAX_HISTORY = 100;

/**
 * `table`: the state table; `now` in ms. The history keeps the newest 100 versions. Throws errors of the SDK unchanged,
 * except that a cancelled transaction returns false.
 */
export function createReleaseStore(deps: {
  s3: S3Client;
  bucket: string;
  dynamo: DynamoDBDocumentClient;
  table: string;
  now: () => number;
}): ReleaseStore {
  const { dynamo, table } = deps;
  const bucket = createBucket(deps);

  async function item(pk: string): Promise<Record<string, unknown> | undefined> {
    const { Item } = await dynamo.send(
      new GetCommand({ TableName: table, Key: { pk }, ConsistentRead: true }),
    );
    return Item;
  }

  async function pointer(): Promise<Pointer> {
    const found = (await item(LIVE_RELEASE_KEY)) ?? {};
    const { version, built, refused = false, settled, revision = 0, format } = found;
    return { version, built, refused, settled, revision, format } as Pointer;
  }

  async function entry(version: string): Promise<HistoryEntry | undefined> {
    const { pk: _, ...found } = (await item(releaseEntryKey(version))) ?? {};
    return found.version ? (found as unknown as HistoryEntry) : undefined;
  }

  const versions = async () => ((await item(RELEASES_KEY))?.versions ?? []) as string[];

  async function record(from: Pointer, to: PointerTarget, given: HistoryEntry): Promise<boolean> {
    const old = await entry(given.version);
    // A rollback is possible to any release that was live, even if the same content was rejected later.
    const kept = {
      pk: releaseEntryKey(given.version),
      ...(old?.live_at && { live_at: old.live_at }),
      ...given,
    };
    // A rollback does not change the order, which is that of the uploads.
    const uploaded = to.built === (given.upload ?? given.version);
    const before = await versions();
    const order = uploaded ? [given.version, ...before.filter((one) => one !== given.version)] : before;
    const format = from.revision === 0 ? TABLE_FORMAT : from.format;
    const moved = { ...movedTo(from, to), format };
    return transact([
      { TableName: table, Item: moved, ...unchangedSince(from) },
      { TableName: table, Item: kept },
      // Written under the pointer's condition, so no other writer has changed it since it was read.
      { TableName: table, Item: { pk: RELEASES_KEY, versions: order.slice(0, MAX_HISTORY) } },
    ]);
  }

  const movedTo = ({ revision }: Pointer, { version, built, refused, settled }: PointerTarget) => ({
    pk: LIVE_RELEASE_KEY,
    version,
    built,
    refused,
    settled,
    revision: revision + 1,
    at: at(),
  });

  const at = () => new Date(deps.now()).toISOString();

  async function transact(puts: { TableName: string; Item: Record<string, unknown> }[]): Promise<boolean> {
    try {
      await dynamo.send(new TransactWriteCommand({ TransactItems: puts.map((Put) => ({ Put })) }));
      return true;
    } catch (thrown) {
      if ((thrown as Error).name === "TransactionCanceledException") return false;
      throw thrown;
    }
  }

  return {
    ...bucket,
    ...createStoredReleases(bucket),
    pointer,
    liveVersion: async () => (await pointer()).version,
    record,
    setFormat: (from, format) =>
      transact([{ TableName: table, Item: { ...movedTo(from, from), format }, ...unchangedSince(from) }]),
    entry,
    history: async () => readHistory(dynamo, table, (await versions()).map(releaseEntryKey)),
  };
}

function unchangedSince({ revision }: Pointer) {
  return revision === 0
    ? { ConditionExpression: "attribute_not_exists(pk)" }
    : { ConditionExpression: "revision = :read", ExpressionAttributeValues: { ":read": revision } };
}
