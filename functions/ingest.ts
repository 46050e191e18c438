import { randomUUID } from "node:crypto";
import middy from "@middy/core";
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { createSend } from "../lib/events/send.ts";
import { createIngest } from "../lib/ingest/ingest.ts";
import { createLiveReleaseCache } from "../lib/releases/live-release-cache.ts";
import { createReleaseStore } from "../lib/releases/store.ts";
import { createS3 } from "./clients.ts";
import { createDocuments } from "./documents.ts";
import { httpErrors, reply } from "./http-errors.ts";
import { asHttpRequest } from "./http-request.ts";
import { readIngestAuth } from "./ingest-auth.ts";
import { createLog } from "./log.ts";
import { createMetrics, withMetrics } from "./metrics.ts";
import { readRedact } from "./redact.ts";
import { choice, isSet, text } from "./settings.ts";
import { createSqs } from "./sqs.ts";

const { env } = process;
const log = createLog();
const metrics = createMetrics("ingest");
const releases = createReleaseStore({
  s3: createS3(env),
  bucket: text(env, "FILES_BUCKET"),
  dynamo: createDocuments(),
  table: text(env, "STATE_TABLE"),
  now: Date.now,
});
const ingest = createIngest({
  checkToken: readIngestAuth(env),
  release: createLiveReleaseCache(releases),
  send: createSend({ sqs: createSqs(), queueUrl: text(env, "EVENTS_QUEUE_URL") }),
  newId: randomUUID,
  redact: readRedact(env),
  oversize: choice(env, "OVERSIZE"),
  hasGateway: isSet(env, "GATEWAY_URL"),
  log,
  metrics,
});

/** Events over HTTP, at /events/{api_id}: answers 202 when the queue has them. */
export const main = middy<APIGatewayProxyEventV2>()
  .use(withMetrics(metrics))
  .use(httpErrors(log, (code) => metrics.countBy("EventsRefused", code)))
  .handler(async (request) => {
    const { status, body } = await ingest(asHttpRequest(request));
    return reply(status, body);
  });
