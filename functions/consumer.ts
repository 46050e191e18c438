import middy from "@middy/core";
import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import { createConsumer } from "../lib/consumer/consumer.ts";
import { createDeadLetters } from "../lib/consumer/dead-letters.ts";
import { createLiveRuntime } from "../lib/consumer/live-runtime.ts";
import { createConsumerStore } from "../lib/consumer/store.ts";
import { createEgress } from "../lib/egress/client.ts";
import { batchRequest, makeHttpRequest } from "../lib/egress/tyk-http.ts";
import { createReleaseStore } from "../lib/releases/store.ts";
import { createStorage } from "../lib/storage/storage.ts";
import { createEntryStore } from "../lib/storage/store.ts";
import { createDynamo, createS3, createSqs } from "./clients.ts";
import { createLog } from "./log.ts";
import { flag, integer, list, text } from "./settings.ts";
import { runtimeSettings, starter } from "./warm-runtime.ts";

const { env } = process;
const log = createLog("consumer");
const dynamo = createDynamo();
const stateTable = text(env, "STATE_TABLE");
const egress = createEgress({
  allowHosts: list(env, "HTTP_ALLOW_HOSTS"),
  maxResponseBytes: integer(env, "HTTP_MAX_RESPONSE_BYTES", 1_048_576, 1, 16_777_216),
});
const consume = createConsumer({
  store: createConsumerStore({
    dynamo,
    sessionsTable: text(env, "SESSIONS_TABLE"),
    stateTable,
    ledgerTtlSeconds: integer(env, "LEDGER_TTL_SECONDS", 21 * 86_400, 60, 366 * 86_400),
    now: Date.now,
    random: Math.random,
  }),
  live: createLiveRuntime({
    releases: createReleaseStore({
      s3: createS3(env),
      bucket: text(env, "FILES_BUCKET"),
      dynamo,
      table: stateTable,
      now: Date.now,
    }),
    start: (release) => starter.start(release.scripts),
    prepare: starter.prepare,
    log,
  }),
  sendDeadLetter: createDeadLetters({ sqs: createSqs(), queueUrl: text(env, "DEAD_LETTERS_QUEUE_URL") }),
  makeHttpRequest: (request, run) => makeHttpRequest(request, { egress, ...run }),
  batchRequest: (request, run) => batchRequest(request, { egress, ...run }),
  storage: createStorage({ entries: createEntryStore({ dynamo, table: stateTable }), now: Date.now }),
  allowMasterKeys: flag(env, "ALLOW_MASTER_KEYS", false),
  timeoutMs: runtimeSettings.limits.timeoutMs,
  graceMs: runtimeSettings.limits.graceMs,
  workers: runtimeSettings.workers,
  maxReceives: integer(env, "MAX_RECEIVES", 5, 1, 1_000),
  now: Date.now,
  log,
});

/** An SQS batch in, the messages that SQS must deliver again out. */
export const main = middy<SQSEvent, SQSBatchResponse>().handler(async (batch, context) => {
  const failed = await consume(batch.Records, () => context.getRemainingTimeInMillis());
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
});
