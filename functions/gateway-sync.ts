import middy from "@middy/core";
import type { DynamoDBBatchResponse, DynamoDBStreamEvent } from "aws-lambda";
import { createDeadLetters } from "../lib/gateway-sync/dead-letters.ts";
import { connectGateway } from "../lib/gateway-sync/gateway.ts";
import { createGatewaySync } from "../lib/gateway-sync/sync.ts";
import { createSqs } from "./clients.ts";
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
const sync = createGatewaySync({
  connect: () => connectGateway(gateway),
  sendRefusal: createDeadLetters({ sqs: createSqs(), queueUrl: text(env, "SYNC_DEAD_LETTERS_QUEUE_URL") }),
  giveUpSeconds: integer(env, "GATEWAY_GIVE_UP_SECONDS", 300, 0, 86_400),
  // Two requests, the update and the creation, and a word to the queue.
  changeMs: 2 * timeoutMs + 1_000,
  now: Date.now,
  log: createLog("gateway-sync"),
  metrics,
});

/** A batch of the sessions table's stream in, the record from which the stream has to go on out. */
export const main = middy<DynamoDBStreamEvent, DynamoDBBatchResponse>()
  .use(withMetrics(metrics))
  .handler(async (batch, context) => {
    const failed = await sync(batch.Records, () => context.getRemainingTimeInMillis());
    return { batchItemFailures: failed === undefined ? [] : [{ itemIdentifier: failed }] };
  });
