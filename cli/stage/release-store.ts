import { createS3 } from "../../functions/clients.ts";
import { createDocuments } from "../../functions/documents.ts";
import { text } from "../../functions/settings.ts";
import { AppError } from "../../lib/errors.ts";
import type { Release } from "../../lib/releases/release.ts";
import { createReleaseStore, type ReleaseStore } from "../../lib/releases/store.ts";
import { UsageError } from "../terminal/usage.ts";

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

/** The release of an argument: `live`, or a version. */
export async function namedRelease(
  store: Pick<ReleaseStore, "liveVersion" | "read" | "entry">,
  name: string,
): Promise<{ version: string; release: Release }> {
  const version = name === "live" ? await store.liveVersion() : name;
  if (!version) throw new UsageError("no release is live yet");
  try {
    return { version, release: await store.read(version) };
  } catch (cause) {
    // Without a report, the version is mistyped, and the bucket has not lost anything.
    if (!(cause instanceof AppError) || (await store.entry(version))) throw cause;
    throw new AppError("release-missing", `there is no release ${version}: gatehook releases lists them`, {
      cause,
    });
  }
}
