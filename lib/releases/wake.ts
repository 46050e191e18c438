import type { Log } from "../log.ts";
import type { ReleaseReport } from "./report.ts";
import { isModuleFile, isSource } from "./sources.ts";
import type { UploadLease } from "./upload-lease.ts";

/** How often the leader waits again at most while more files arrive. */
const MAX_LOOKS = 10;
/** How much longer than its longest wait a lease is valid: after that the invocation has died. */
const LEASE_RESERVE_MS = 10_000;

/** One invocation of the releaser. */
export interface Waking {
  /** The invocation's id, which is the same for its retries. */
  id: string;
  /** The event of the Lambda invocation. */
  notice: unknown;
}

/**
 * Makes one release from many files. S3 sends a notification for each: the first invocation waits until no more arrive,
 * then builds; the others end immediately, since their files are in the bucket before it reads them. An invocation
 * without an S3 notification builds immediately.
 */
export function createWake(deps: {
  lease: UploadLease;
  quietMs: number;
  now: () => number;
  delay: (ms: number) => Promise<unknown>;
  release: () => Promise<ReleaseReport>;
  log: Log;
}): (waking: Waking) => Promise<ReleaseReport | undefined> {
  const { lease, quietMs } = deps;

  async function untilQuiet(): Promise<void> {
    let before = await lease.counted();
    for (let look = 1; look <= MAX_LOOKS; look += 1) {
      await deps.delay(quietMs);
      const now = await lease.counted();
      if (now === before) return;
      before = now;
    }
  }

  return async ({ id, notice }) => {
    const keys = noticedKeys(notice);
    if (!keys) return deps.release();
    // Other objects are releases, which are in the same bucket. A file that is not bundled must be reported.
    if (!keys.some((key) => isSource(key) || isModuleFile(key))) return undefined;
    await lease.count();
    if (!(await lease.lead(id, deps.now() + MAX_LOOKS * quietMs + LEASE_RESERVE_MS))) {
      deps.log.info("notice left to the invocation that waits already", { keys });
      return undefined;
    }
    await untilQuiet();
    // Before the bucket is read: later uploads are handled by another invocation.
    await lease.release(id);
    return deps.release();
  };
}

/** S3's own notifications; https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html */
function noticedKeys(notice: unknown): string[] | undefined {
  const { Records } = (notice ?? {}) as { Records?: { s3?: { object?: { key?: string } } }[] };
  const keys = Array.isArray(Records) ? Records.flatMap((record) => record?.s3?.object?.key ?? []) : [];
  return keys.length > 0 ? keys.map(decodeKey) : undefined;
}

function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll("+", " "));
  } catch {
    return key;
  }
}
