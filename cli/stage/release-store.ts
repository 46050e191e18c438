import { createS3 } from "../../functions/clients.ts";
import { createDocuments } from "../../functions/documents.ts";
import { text } from "../../functions/settings.ts";
import { createReleaseStore, type ReleaseStore } from "../../lib/releases/store.ts";

/** Opens the bucket and the table of FILES_BUCKET and STATE_TABLE, with AWS's own variables. */
export function openReleaseStore(): ReleaseStore {
  const { env } = process;
  return createReleaseStore({
    s3: createS3(env),
    bucket: text(env, "FILES_BUCKET"),
    dynamo: createDocuments(),
    table: text(env, "STATE_TABLE"),
    now: Date.now,
  });
}
