import middy from "@middy/core";
import { checkRelease } from "../lib/releases/check.ts";
import { createReleaser } from "../lib/releases/releaser.ts";
import { createReleaseStore } from "../lib/releases/store.ts";
import { loadAssets } from "../lib/runtime/assets.ts";
import { createDynamo, createS3 } from "./clients.ts";
import { createLog } from "./log.ts";
import { text } from "./settings.ts";

const { env } = process;
const assets = loadAssets();
const release = createReleaser({
  store: createReleaseStore({
    s3: createS3(env),
    bucket: text(env, "FILES_BUCKET"),
    dynamo: createDynamo(),
    table: text(env, "STATE_TABLE"),
    now: Date.now,
  }),
  check: (candidate) => checkRelease(candidate, assets),
  log: createLog("releaser"),
});

/** Woken by S3; the notice only says that something changed, so what is in the bucket now is what counts. */
export const main = middy().handler(async () => release());
