import { randomUUID } from "node:crypto";
import { SendMessageCommand } from "@aws-sdk/client-sqs";
import middy from "@middy/core";
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { fifoOrder } from "../lib/events/fifo.ts";
import { createIngest } from "../lib/ingest/ingest.ts";
import { createReleaseReader } from "../lib/releases/reader.ts";
import { createReleaseStore } from "../lib/releases/store.ts";
import { createDocuments, createS3, createSqs } from "./clients.ts";
import { httpErrors, reply } from "./http-errors.ts";
import { readIngestAuth } from "./ingest-auth.ts";
import { createLog } from "./log.ts";
import { createMetrics, withMetrics } from "./metrics.ts";
import { text } from "./settings.ts";

const { env } = process;
const log = createLog("ingest");
const metrics = createMetrics("ingest");
const sqs = createSqs();
const queueUrl = text(env, "EVENTS_QUEUE_URL");
const checkToken = readIngestAuth(env);
const releases = createReleaseStore({
  s3: createS3(env),
  bucket: text(env, "FILES_BUCKET"),
  dynamo: createDocuments(),
  table: text(env, "STATE_TABLE"),
  now: Date.now,
});
const ingest = createIngest({
  release: createReleaseReader(releases),
  send: async (body, envelope) => {
    const order = fifoOrder(queueUrl, envelope);
    await sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: body, ...order }));
  },
  newId: randomUUID,
  hasGateway: Boolean(env.GATEWAY_URL),
  log,
  metrics,
});

/** POST /events/{api_id}: 202 once the queue has the event. */
export const main = middy<APIGatewayProxyEventV2>()
  .use(withMetrics(metrics))
  .use(httpErrors(log, (code) => metrics.countBy("EventsRefused", code)))
  .handler(async (request) => {
    checkToken(request.headers.authorization);
    const body = Buffer.from(request.body ?? "", request.isBase64Encoded ? "base64" : "utf8").toString();
    const { id, api_id, event } = await ingest(request.pathParameters?.api_id ?? "", body);
    return reply(202, { id, api_id, type: event.Type });
  });
