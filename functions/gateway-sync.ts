import middy from "@middy/core";
import type { DynamoDBBatchResponse, DynamoDBStreamEvent, ScheduledEvent } from "aws-lambda";
import { createDeadLetters } from "../lib/gateway-sync/dead-letters.ts";
import { connectGateway } from "../lib/gateway-sync/gateway.ts";
import { createParkedChanges } from "../lib/gateway-sync/parked.ts";
import { createRetry } from "../lib/gateway-sync/retry.ts";
import { createGatewaySync } from "../lib/gateway-sync/sync.ts";
import { createDynamo, createSqs } from "./clients.ts";
import { createLog } from "./log.ts";
import { createMetrics, withMetrics } from "./metrics.ts";
import { baseUrl, flag, headerText, integer, text } from "./settings.ts";

const { env } = process;
const metrics = createMetrics("gateway-sync");
const timeoutMs = integer(env, "GATEWAY_TIMEOUT_MS", 3_000, 100, 60_000);
const gateway = {
  url: baseUrl(env, "GATEWAY_URL"),
  secret: headerText(env, "GATEWAY_SECRET"),
  timeoutMs,
  hashedKeys: flag(env, "GATEWAY_HASHED_KEYS", false),
};
const log = createLog("gateway-sync");
const deps = {
  connect: () => connectGateway(gateway),
  parked: createParkedChanges({ dynamo: createDynamo(), table: text(env, "STATE_TABLE"), now: Date.now }),
  sendRefusal: createDeadLetters({ sqs: createSqs(), queueUrl: text(env, "SYNC_DEAD_LETTERS_QUEUE_URL") }),
  holdSeconds: integer(env, "GATEWAY_HOLD_SECONDS", 300, 0, 80_000),
  retrySeconds: integer(env, "GATEWAY_RETRY_SECONDS", 60, 0, 900),
  giveUpSeconds: integer(env, "GATEWAY_GIVE_UP_SECONDS", 86_400, 0, 1_209_600),
  // Two requests, the update and the creation, and the words to the table and the queue.
  changeMs: 2 * timeoutMs + 2_000,
  now: Date.now,
  log,
  metrics,
};
const sync = createGatewaySync(deps);
const retry = createRetry(deps);

/**
 * A batch of the sessions table's stream in, the record from which the stream has to go on out. Called by the
 * schedule instead, it tries again what is parked.
 */
export const main = middy<DynamoDBStreamEvent | ScheduledEvent, DynamoDBBatchResponse>()
  .use(withMetrics(metrics))
  .handler(async (notice, context) => {
    const timeLeft = () => context.getRemainingTimeInMillis();
    const failed = "Records" in notice ? await sync(notice.Records, timeLeft) : await retry(timeLeft);
    return { batchItemFailures: failed ? [{ itemIdentifier: failed }] : [] };
  });
