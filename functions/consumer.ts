import { randomUUID } from "node:crypto";
import middy from "@middy/core";
import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import { createCircuit } from "../lib/consumer/circuit.ts";
import { createConfigData, type ReadValue } from "../lib/consumer/config-data.ts";
import { createConsumer } from "../lib/consumer/consumer.ts";
import { createDeadLetters } from "../lib/consumer/dead-letters.ts";
import { createHandBack } from "../lib/consumer/hand-back.ts";
import { createLiveRuntime } from "../lib/consumer/live-runtime.ts";
import { neededMemoryMb } from "../lib/consumer/memory.ts";
import { createRequeue } from "../lib/consumer/requeue.ts";
import { createRetryDelay } from "../lib/consumer/retry-delay.ts";
import { createConsumerStore } from "../lib/consumer/store.ts";
import { createEgress } from "../lib/egress/client.ts";
import { batchRequest, makeHttpRequest } from "../lib/egress/tyk-http.ts";
import { createQueueSender } from "../lib/events/send.ts";
import { isAsked } from "../lib/gateway/asked.ts";
import { changedState } from "../lib/gateway/change.ts";
import type { Gateway } from "../lib/gateway/client.ts";
import { createFullNames } from "../lib/gateway/full-name.ts";
import { renamedConsumerStore, renamedRows } from "../lib/gateway/hashed-keys.ts";
import { createMirror } from "../lib/gateway/mirror.ts";
import { createReadThrough, withReadThrough } from "../lib/gateway/read-through.ts";
import { createRows } from "../lib/gateway/rows.ts";
import { createReleaseStore } from "../lib/releases/store.ts";
import type { StoredSession } from "../lib/sessions/item.ts";
import { createStorage } from "../lib/storage/storage.ts";
import { createEntryStore } from "../lib/storage/store.ts";
import { createDocuments, createDynamo, createS3, createSqs } from "./clients.ts";
import { gatewayOptions, perInvocation } from "./gateway.ts";
import { keyName } from "./key-names.ts";
import { createLocalReferences } from "./local-references.ts";
import { createLog } from "./log.ts";
import { createMetrics, withMetrics } from "./metrics.ts";
import { choice, flag, integer, list, text } from "./settings.ts";
import { runtimeSettings, starter } from "./warm-runtime.ts";

/** Without it, Lambda may end the function while handlers fill what they are allowed. */
const TOO_LITTLE = "raise consumerMemory, or lower RUNTIME_WORKERS or RUNTIME_MEMORY_MB";

const { env } = process;
const log = createLog();
const metrics = createMetrics("consumer");
const dynamoClient = createDynamo();
const dynamo = createDocuments(dynamoClient);
const sqs = createSqs();
const chance = { random: Math.random, now: Date.now };
const stateTable = text(env, "STATE_TABLE");
const egress = createEgress({
  allowHosts: list(env, "HTTP_ALLOW_HOSTS"),
  maxResponseBytes: integer(env, "HTTP_MAX_RESPONSE_BYTES"),
});
const sessionsTable = text(env, "SESSIONS_TABLE");
const nameOf = keyName(env);
const table = renamedConsumerStore(
  createConsumerStore({
    dynamo: dynamoClient,
    sessionsTable,
    stateTable,
    ledgerTtlSeconds: integer(env, "LEDGER_TTL_SECONDS"),
    newToken: randomUUID,
    ...chance,
  }),
  nameOf,
);
const owner = gatewayOptions(env);
const gateway = owner && perInvocation(owner);
const consume = createConsumer({
  ...(gateway ? ownedBy(gateway) : { store: table }),
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
    metrics,
  }),
  circuit: createCircuit(chance),
  sendDeadLetter: createDeadLetters(
    createQueueSender({ sqs, queueUrl: text(env, "DEAD_LETTERS_QUEUE_URL") }),
  ),
  handBack: createHandBack({ sqs, queueUrl: text(env, "EVENTS_QUEUE_URL"), log }),
  requeue: createRequeue(createQueueSender({ sqs, queueUrl: text(env, "EVENTS_QUEUE_URL") })),
  retryDelay: createRetryDelay({
    baseSeconds: integer(env, "RETRY_BASE_SECONDS"),
    maxSeconds: integer(env, "RETRY_MAX_SECONDS"),
    random: Math.random,
  }),
  makeHttpRequest: (request, run) => makeHttpRequest(request, { egress, ...run }),
  batchRequest: (request, run) => batchRequest(request, { egress, ...run }),
  storage: createStorage({
    entries: createEntryStore({ dynamo, table: stateTable, newToken: randomUUID, random: Math.random }),
    now: Date.now,
  }),
  configOf: createConfigData({ read: references(), log }),
  allowMasterKeys: flag(env, "ALLOW_MASTER_KEYS"),
  timeoutMs: runtimeSettings.limits.timeoutMs,
  graceMs: runtimeSettings.limits.graceMs,
  maxAttempts: integer(env, "MAX_ATTEMPTS"),
  receiveLimit: integer(env, "RECEIVE_LIMIT"),
  handlerErrors: choice(env, "HANDLER_ERRORS"),
  ...chance,
  log,
  metrics,
});

const memoryMb = Number(env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE);
const neededMb = neededMemoryMb(runtimeSettings.workers, integer(env, "RUNTIME_MEMORY_MB"));
if (memoryMb < neededMb)
  log.warn("too little memory", { memory_mb: memoryMb, needed_mb: neededMb, fix: TOO_LITTLE });

/** AWS's two stores are loaded with the first reference to one of them. */
function references(): ReadValue {
  const settings = {
    prefixes: { parameters: text(env, "REFERENCE_PARAMETERS"), secrets: text(env, "REFERENCE_SECRETS") },
    maxAge: integer(env, "REFERENCE_MAX_AGE_SECONDS"),
  };
  if (choice(env, "REFERENCES_FROM") === "environment") return createLocalReferences(env);
  let loading: Promise<ReadValue> | undefined;
  return async (reference) => {
    loading ??= import("./references.ts").then(({ createReferences }) => createReferences(settings));
    return (await loading)(reference);
  };
}

/** What a gateway that owns the sessions changes. */
function ownedBy(gateway: Pick<Gateway, "get">) {
  const rows = renamedRows(createRows({ dynamo: dynamoClient, table: sessionsTable, now: Date.now }), nameOf);
  const findName = createFullNames();
  const complete = createReadThrough({
    gateway,
    mode: choice(env, "GATEWAY_READ"),
    isAsked,
    keep: rows.keep,
    doubt: rows.doubt,
    fullName: (key, orgId) => findName(gateway, key, orgId),
    read: table.readSession,
    log,
    metrics,
  });
  return {
    store: withReadThrough(table, complete),
    mirror: createMirror({ doubt: rows.doubt, isAsked }),
    changedState: (stored: StoredSession, reset: boolean) => changedState(stored, { reset, now: Date.now() }),
  };
}

/** An SQS batch in, the messages that SQS must deliver again out. */
export const main = middy<SQSEvent, SQSBatchResponse>()
  .use(withMetrics(metrics))
  .handler(async (batch, context) => {
    const failed = await consume(batch.Records, () => context.getRemainingTimeInMillis());
    await gateway?.end();
    return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
  });
