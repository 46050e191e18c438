import type { Log } from "../log.ts";
import type { ReleaseReport } from "./report.ts";
import { isModuleFile, isSource } from "./sources.ts";
import type { UploadLease } from "./upload-lease.ts";

/** How often the leader looks again, at most, while more files keep coming. */
const MAX_LOOKS = 10;
/** How much longer than its longest wait an invocation leads: then it has died. */
const LEASE_RESERVE_MS = 10_000;

/** One invocation of the releaser. */
export interface Waking {
  /** The invocation's id; a repetition of the same invocation has the same. */
  id: string;
  /** What Lambda was called with. */
  notice: unknown;
}

/**
 * Makes one release of many files. S3 sends a notice for each: the first invocation waits until no more come, then
 * builds; those that come while it waits end immediately, since what they tell of is in the bucket before it looks. An
 * invocation that is not a notice of S3 builds immediately.
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
    // Other objects are releases, which are in the same bucket. A file that is not a script yet must be reported.
    if (!keys.some((key) => isSource(key) || isModuleFile(key))) return undefined;
    await lease.count();
    if (!(await lease.lead(id, deps.now() + MAX_LOOKS * quietMs + LEASE_RESERVE_MS))) {
      deps.log.info("notice left to the invocation that waits already", { keys });
      return undefined;
    }
    await untilQuiet();
    // Before the bucket is read: an upload from here on is not left to this invocation.
    await lease.letGo(id);
    return deps.release();
  };
}

/** Of S3's own notices; https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html */
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
