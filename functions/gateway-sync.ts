import { setTimeout as delay } from "node:timers/promises";
import middy from "@middy/core";
import type { DynamoDBStreamEvent, SQSBatchResponse, SQSEvent } from "aws-lambda";
import { errorText } from "../lib/errors.ts";
import { createQueueSender } from "../lib/events/send.ts";
import { createAbsence } from "../lib/gateway/absence.ts";
import { createAbsenceLimit } from "../lib/gateway/absence-limit.ts";
import { connectGateway } from "../lib/gateway/client.ts";
import { createHashCheck } from "../lib/gateway/hash-check.ts";
import { shortKeyDigest } from "../lib/gateway/key-digest.ts";
import { createLater, keyIn } from "../lib/gateway/later.ts";
import { createRejections } from "../lib/gateway/rejections.ts";
import { createRows } from "../lib/gateway/rows.ts";
import { createSettle } from "../lib/gateway/settle.ts";
import { createSync } from "../lib/gateway/sync.ts";
import { createDynamo } from "./clients.ts";
import { cacheMs, canaryName, canaryOf, maxAbsences, requiredGateway } from "./gateway.ts";
import { hashFunction } from "./key-names.ts";
import { createLog } from "./log.ts";
import { createMetrics, withMetrics } from "./metrics.ts";
import { proveMarks } from "./prove-marks.ts";
import { integer, text } from "./settings.ts";
import { createSqs } from "./sqs.ts";

/** Most of a key's time is spent waiting; the concurrent requests to the gateway are limited by its connections. */
const KEYS_AT_ONCE = 256;

const { env } = process;
const metrics = createMetrics("gateway-sync");
const log = createLog();
const hashes = hashFunction(env);
const connections = integer(env, "GATEWAY_CONNECTIONS");
const gateway = { ...requiredGateway(env), connections };
const sqs = createSqs();
const dynamo = createDynamo();
const rows = createRows({
  dynamo,
  table: text(env, "SESSIONS_TABLE"),
  proveMarks: proveMarks(env, dynamo),
  now: Date.now,
});
const limit = createAbsenceLimit({
  dynamo,
  stateTable: text(env, "STATE_TABLE"),
  perHour: maxAbsences(env),
  now: Date.now,
});
const canary = canaryOf(env);
function tellHeld(why: string): void {
  log.error("an absence is not accepted", { why });
  metrics.count("AbsencesHeld");
}
const settle = createSettle({
  absence: createAbsence({
    canary,
    quickMs: gateway.timeoutMs / 2,
    ...limit,
    onCanaryMissing: () => tellHeld("the canary is missing"),
    now: Date.now,
  }),
  async admit() {
    const isAdmitted = await limit.admit();
    if (!isAdmitted) tellHeld("there are too many in this hour");
    return isAdmitted;
  },
  reject: createRejections({
    send: createQueueSender({ sqs, queueUrl: text(env, "SYNC_DEAD_LETTERS_QUEUE_URL") }),
    log,
    metrics,
  }),
  overrule({ key }, members) {
    log.warn("change overruled by a policy", { key_hash: shortKeyDigest(key), members: members.join() });
    metrics.count("SessionsOverruled");
  },
  markReset: rows.markReset,
  pause: delay,
  now: Date.now,
  cacheMs: cacheMs(env),
  giveUpMs: integer(env, "GATEWAY_GIVE_UP_SECONDS") * 1_000,
  hashed: gateway.hashed,
});
const sync = createSync({
  connect: () => connectGateway(gateway),
  ...(hashes && {
    check: createHashCheck({ hashFunction: hashes, canaryName: canaryName(env), canary, ...limit }),
  }),
  settle,
  rows,
  later: createLater({ sqs, queueUrl: text(env, "SYNC_QUEUE_URL") }),
  concurrency: KEYS_AT_ONCE,
  // A read, a proof of absence, a write and another read.
  keyMs: 8 * gateway.timeoutMs + 1_000,
  now: Date.now,
  random: Math.random,
  log,
  metrics,
});

/** Touches the rows that are due, so that the stream delivers them: only the stream has the order of each key. */
async function touchAll({ Records }: SQSEvent): Promise<SQSBatchResponse> {
  const touched = await Promise.allSettled(
    Records.map(async ({ body }) => {
      const key = keyIn(body);
      if (key === undefined) return log.error("a message that names no key", {});
      try {
        await rows.touch(key);
      } catch (thrown) {
        log.error("key not looked at again", { key_hash: shortKeyDigest(key), error: errorText(thrown) });
        throw thrown;
      }
    }),
  );
  const failed = Records.filter((_, at) => touched[at]?.status === "rejected");
  return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
}

/** Handles a batch of the sessions table's stream, or of the queue of keys that must be checked again. */
export const main = middy<DynamoDBStreamEvent | SQSEvent, SQSBatchResponse>()
  .use(withMetrics(metrics))
  .handler(async (batch, context) => {
    if (isQueue(batch)) return touchAll(batch);
    await sync(batch.Records, () => context.getRemainingTimeInMillis());
    return { batchItemFailures: [] };
  });

const isQueue = (batch: DynamoDBStreamEvent | SQSEvent): batch is SQSEvent =>
  batch.Records[0]?.eventSource === "aws:sqs";
