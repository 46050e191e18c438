import { setTimeout as delay } from "node:timers/promises";
import {
  DescribeStreamCommand,
  type DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type Shard,
  type _Record as TableRecord,
} from "@aws-sdk/client-dynamodb-streams";
import type { DynamoDBRecord, DynamoDBStreamEvent } from "aws-lambda";
import { failedIds, type Pump } from "./pump.ts";

/** The stream, the function for its batches, and the maximum number of records in a batch. */
export interface StreamPumpDeps {
  streams: DynamoDBStreamsClient;
  streamArn: string;
  batchSize: number;
  invoke: (batch: DynamoDBStreamEvent) => Promise<unknown>;
  /** A batch that the function failed as a whole, or a stream that cannot be read; both are tried again. */
  onError: (error: Error) => void;
}

/** The next position to read in a shard. */
type Position =
  | { ShardIteratorType: "TRIM_HORIZON" }
  | { ShardIteratorType: "AT_SEQUENCE_NUMBER" | "AFTER_SEQUENCE_NUMBER"; SequenceNumber: string };

const POLL_MS = 100;
const LONGEST_WAIT_MS = 10_000;

/**
 * Lambda's event-source mapping for a table's stream, from its oldest record on: each shard in order, a child after its
 * parent's end, and none continues past records that the function has not processed.
 */
export function startStreamPump(deps: StreamPumpDeps): Pump {
  const { streams, streamArn, batchSize } = deps;
  const stop = new AbortController();
  const options = { abortSignal: stop.signal };
  const wait = (ms: number) => delay(ms, undefined, { signal: stop.signal }).catch(() => {});
  const report = (thrown: unknown) => {
    if (!stop.signal.aborted) deps.onError(thrown as Error);
  };

  /** The sequence number from which to continue; undefined if all records are done. */
  async function deliver(records: TableRecord[]): Promise<string | undefined> {
    const Records = records.map((record) => asRecord(record, streamArn));
    try {
      return firstFailed(await deps.invoke({ Records }), sequenceNumbers(records));
    } catch (thrown) {
      report(thrown);
      return sequenceNumbers(records)[0];
    }
  }

  async function iteratorAt(shard: string, position: Position): Promise<string | undefined> {
    const command = new GetShardIteratorCommand({ StreamArn: streamArn, ShardId: shard, ...position });
    return (await streams.send(command, options)).ShardIterator;
  }

  async function followShard(shard: string): Promise<void> {
    let position: Position = { ShardIteratorType: "TRIM_HORIZON" };
    let iterator: string | undefined;
    for (let failures = 0; !stop.signal.aborted; ) {
      try {
        iterator ??= await iteratorAt(shard, position);
        const read = new GetRecordsCommand({ ShardIterator: iterator, Limit: batchSize });
        const { Records = [], NextShardIterator } = await streams.send(read, options);
        const failed = Records.length > 0 ? await deliver(Records) : undefined;
        if (failed !== undefined) {
          position = { ShardIteratorType: "AT_SEQUENCE_NUMBER", SequenceNumber: failed };
          iterator = undefined;
          await wait(pause(failures++));
          continue;
        }
        failures = 0;
        const last = sequenceNumbers(Records).at(-1);
        if (last) position = { ShardIteratorType: "AFTER_SEQUENCE_NUMBER", SequenceNumber: last };
        if (NextShardIterator === undefined) return;
        iterator = NextShardIterator;
        if (!last) await wait(POLL_MS);
      } catch (thrown) {
        report(thrown);
        iterator = undefined; // it may have expired
        await wait(pause(failures++));
      }
    }
  }

  async function listShards(): Promise<Shard[]> {
    const shards: Shard[] = [];
    let last: string | undefined;
    do {
      const { StreamDescription } = await streams.send(
        new DescribeStreamCommand({ StreamArn: streamArn, ExclusiveStartShardId: last }),
        options,
      );
      shards.push(...(StreamDescription?.Shards ?? []));
      last = StreamDescription?.LastEvaluatedShardId;
    } while (last !== undefined);
    return shards;
  }

  async function loop(): Promise<void> {
    const followed = new Map<string, Promise<void>>();
    const ended = new Set<string>();
    while (!stop.signal.aborted) {
      const shards = await listShards().catch((thrown): Shard[] => {
        report(thrown);
        return [];
      });
      const listed = new Set(shards.map(({ ShardId }) => ShardId));
      for (const { ShardId = "", ParentShardId = "" } of shards) {
        if (followed.has(ShardId) || (listed.has(ParentShardId) && !ended.has(ParentShardId))) continue;
        followed.set(
          ShardId,
          followShard(ShardId).then(() => void ended.add(ShardId)),
        );
      }
      await wait(10 * POLL_MS);
    }
    await Promise.all(followed.values());
  }

  const running = loop();
  return {
    async close() {
      stop.abort();
      await running;
    },
  };
}

/**
 * A stream continues from the lowest sequence number in the answer; answers of other formats are handled as for a
 * queue. https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
 */
export function firstFailed(answer: unknown, sequenceNumbers: string[]): string | undefined {
  const failed = failedIds(
    answer,
    sequenceNumbers.map((MessageId) => ({ MessageId })),
  );
  return sequenceNumbers.find((number) => failed.has(number));
}

const pause = (failures: number) => Math.min(LONGEST_WAIT_MS, POLL_MS * 2 ** failures);

const sequenceNumbers = (records: TableRecord[]) =>
  records.map(({ dynamodb }) => dynamodb?.SequenceNumber ?? "");

function asRecord({ dynamodb, userIdentity, ...record }: TableRecord, streamArn: string): DynamoDBRecord {
  const { ApproximateCreationDateTime: created, ...change } = dynamodb ?? {};
  return {
    ...record,
    dynamodb: { ...change, ApproximateCreationDateTime: (created?.getTime() ?? 0) / 1000 },
    ...(userIdentity && {
      userIdentity: { type: userIdentity.Type, principalId: userIdentity.PrincipalId },
    }),
    eventSourceARN: streamArn,
  } as DynamoDBRecord;
}
