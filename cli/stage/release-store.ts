import { createS3 } from "../../functions/clients.ts";
import { createDocuments } from "../../functions/documents.ts";
import { text } from "../../functions/settings.ts";
import { createReleaseStore, type ReleaseStore } from "../../lib/releases/store.ts";

/** The bucket and the table that FILES_BUCKET, STATE_TABLE and AWS's own variables name. */
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
