import { setTimeout as delay } from "node:timers/promises";
import middy from "@middy/core";
import { checkRelease } from "../lib/releases/check.ts";
import { createReleaser } from "../lib/releases/releaser.ts";
import { createReleaseStore } from "../lib/releases/store.ts";
import { createUploadLease } from "../lib/releases/upload-lease.ts";
import { createWake } from "../lib/releases/wake.ts";
import { loadAssets } from "../lib/runtime/assets.ts";
import { createS3 } from "./clients.ts";
import { createDocuments } from "./documents.ts";
import { createLog } from "./log.ts";
import { createMetrics, withMetrics } from "./metrics.ts";
import { choice, flag, integer, text } from "./settings.ts";

const { env } = process;
const assets = loadAssets();
const log = createLog();
const metrics = createMetrics("releaser");
const dynamo = createDocuments();
const table = text(env, "STATE_TABLE");
const wake = createWake({
  lease: createUploadLease({ dynamo, table, now: Date.now }),
  quietMs: integer(env, "RELEASE_QUIET_MS"),
  release: createReleaser({
    store: createReleaseStore({
      s3: createS3(env),
      bucket: text(env, "FILES_BUCKET"),
      dynamo,
      table,
      now: Date.now,
    }),
    check: (candidate) => checkRelease(candidate, assets),
    runsAll: choice(env, "GATEWAY_HANDLERS") === "all",
    strict: flag(env, "RELEASE_STRICT"),
    now: Date.now,
    log,
    metrics,
  }),
  now: Date.now,
  delay,
  log,
});

/**
 * Invoked by S3. The notification only says that something changed, so the releaser reads the current content of the
 * bucket.
 */
export const main = middy()
  .use(withMetrics(metrics))
  .handler(async (notice, context) => wake({ id: context.awsRequestId, notice }));
