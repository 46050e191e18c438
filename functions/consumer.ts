import { randomUUID } from "node:crypto";
import middy from "@middy/core";
import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import { createConsumerStore } from "../lib/commit/store.ts";
import { createCircuit } from "../lib/consumer/circuit.ts";
import { createConfigData, type ReadValue } from "../lib/consumer/config-data.ts";
import { createConsumer } from "../lib/consumer/consumer.ts";
import { createLiveRuntime } from "../lib/consumer/live-runtime.ts";
import { neededMemoryMb } from "../lib/consumer/memory.ts";
import type { Gateway } from "../lib/gateway/client.ts";
import { renamedConsumerStore } from "../lib/gateway/hashed-keys.ts";
import { createRetryDelay } from "../lib/queue/retry-delay.ts";
import { createBucket } from "../lib/releases/bucket.ts";
import { createStoredReleases } from "../lib/releases/stored.ts";
import type { SendTask } from "../lib/tasks/tasks.ts";
import { createDynamo, createS3 } from "./clients.ts";
import { gatewayOptions, perInvocation } from "./gateway.ts";
import { keyName } from "./key-names.ts";
import { createLocalReferences } from "./local-references.ts";
import { createLog } from "./log.ts";
import { createMetrics, withMetrics } from "./metrics.ts";
import { once } from "./once.ts";
import { choice, flag, integer, list, text } from "./settings.ts";
import { warmRuntime } from "./warm-runtime.ts";

/** Without this check, Lambda may kill the function when handlers use all their allowed memory. */
const TOO_LITTLE = "raise consumerMemory, or lower RUNTIME_WORKERS or RUNTIME_MEMORY_MB";

const { settings: runtimeSettings, starter } = warmRuntime();
const { env } = process;
const log = createLog();
const metrics = createMetrics("consumer");
const dynamo = createDynamo();
const clockAndRandom = { random: Math.random, now: Date.now };
const stateTable = text(env, "STATE_TABLE");
const sessionsTable = text(env, "SESSIONS_TABLE");
const nameOf = keyName(env);
const table = renamedConsumerStore(
  createConsumerStore({
    dynamo,
    sessionsTable,
    stateTable,
    ledgerTtlSeconds: integer(env, "LEDGER_TTL_SECONDS"),
    newToken: randomUUID,
    ...clockAndRandom,
  }),
  nameOf,
);
const owner = gatewayOptions(env);
const gateway = owner && perInvocation(owner);
const owned = gateway && (await loadOwned(gateway));
// Modules that few starts need are loaded at their first use. Their settings are read now, so that an invalid one stops
// the start.
const queues = { deadLetters: text(env, "DEAD_LETTERS_QUEUE_URL"), events: text(env, "EVENTS_QUEUE_URL") };
const returns = once(async () => (await import("./returns.ts")).createReturns({ ...queues, log }));
const io = {
  allowHosts: list(env, "HTTP_ALLOW_HOSTS"),
  maxResponseBytes: integer(env, "HTTP_MAX_RESPONSE_BYTES"),
  dynamo,
  table: stateTable,
};
const scriptIo = once(async () => (await import("./script-io.ts")).createScriptIo(io));
// Only the address policy can check an entry.
if (io.allowHosts.length > 0) await scriptIo();
const sendTask: SendTask = async (...task) => (await returns()).sendTask(...task);
const hooks = {
  allowHosts: io.allowHosts,
  secrets: list(env, "WEBHOOK_SECRETS").join(" "),
  timeoutMs: integer(env, "WEBHOOK_TIMEOUT_MS"),
  ttlSeconds: integer(env, "LEDGER_TTL_SECONDS"),
};
const webhooks = once(async () =>
  (await import("./webhooks.ts")).createWebhooks({
    ...hooks,
    dynamo,
    table: stateTable,
    sendTask,
    log,
    metrics,
  }),
);
if (hooks.secrets) await webhooks();
const windows = once(async () =>
  (await import("./windows.ts")).createWindowCounts({
    dynamo,
    table: stateTable,
    ttlSeconds: hooks.ttlSeconds,
    sendTask,
    metrics,
  }),
);
const consume = createConsumer({
  ...(owned ?? { store: table }),
  live: createLiveRuntime({
    releases: createStoredReleases(createBucket({ s3: createS3(env), bucket: text(env, "FILES_BUCKET") })),
    start: (release) => starter.start(release.scripts),
    prepare: starter.prepare,
    log,
    metrics,
  }),
  circuit: createCircuit(clockAndRandom),
  sendDeadLetter: async (record, verdict) => (await returns()).sendDeadLetter(record, verdict),
  changeVisibility: async (left) => (await returns()).changeVisibility(left),
  requeue: async (record, how) => (await returns()).requeue(record, how),
  sendTask,
  windows: {
    async take(deliveries, release, ...how) {
      if (release.coalesces) await (await windows()).take(deliveries, release, ...how);
    },
    close: async (delivery) => (await windows()).close(delivery),
  },
  deliver: async (...given) => (await webhooks())(...given),
  retryDelay: createRetryDelay({
    baseSeconds: integer(env, "RETRY_BASE_SECONDS"),
    maxSeconds: integer(env, "RETRY_MAX_SECONDS"),
    random: Math.random,
  }),
  makeHttpRequest: async (request, run) => (await scriptIo()).makeHttpRequest(request, run),
  batchRequest: async (request, run) => (await scriptIo()).batchRequest(request, run),
  storage: { call: async (...asked) => (await scriptIo()).storage.call(...asked) },
  configOf: createConfigData({ read: references(), log }),
  allowMasterKeys: flag(env, "ALLOW_MASTER_KEYS"),
  timeoutMs: runtimeSettings.limits.timeoutMs,
  graceMs: runtimeSettings.limits.graceMs,
  maxAttempts: integer(env, "MAX_ATTEMPTS"),
  receiveLimit: integer(env, "RECEIVE_LIMIT"),
  handlerErrors: choice(env, "HANDLER_ERRORS"),
  ...clockAndRandom,
  log,
  metrics,
  history: await history(),
});

/** The local stack keeps a history itself; a deployment writes to a table as HISTORY determines. */
async function history() {
  if (env.GATEHOOK_HISTORY === undefined && choice(env, "HISTORY") === "off") return undefined;
  const { createHistory } = await import("./history.ts");
  return createHistory(env, { log, metrics, ...runtimeSettings });
}

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
  const loaded = once(async () => (await import("./references.ts")).createReferences(settings));
  return async (reference) => (await loaded())(reference);
}

async function loadOwned(client: Pick<Gateway, "get">) {
  const { ownedSessions } = await import("./owned-sessions.ts");
  return ownedSessions({ gateway: client, store: table, dynamo, table: sessionsTable, nameOf, log, metrics });
}

/** An SQS batch in, the messages that SQS must deliver again out. */
export const main = middy<SQSEvent, SQSBatchResponse>()
  .use(withMetrics(metrics))
  .handler(async (batch, context) => {
    const failed = await consume(batch.Records, () => context.getRemainingTimeInMillis());
    await gateway?.end();
    return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
  });
