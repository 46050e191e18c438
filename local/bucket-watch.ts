import { setTimeout as delay } from "node:timers/promises";
import { createTurns } from "../lib/in-turn.ts";
import type { BucketFile } from "../lib/releases/bucket.ts";

/**
 * Replaces S3's notifications, which emulators do not send: detects changes in the bucket, and notifies the releaser.
 */
export interface BucketWatch {
  /** Uploads and releases files, without another notification for them unless the release fails. */
  quietly<T>(upload: () => Promise<void>, release: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const LOOK_MS = 500;

/** Reads the bucket every 500 ms until it is closed. `onError`: a read failed, and is repeated the next time. */
export function watchBucket(deps: {
  list: () => Promise<BucketFile[]>;
  /** Receives the notification that S3 would send. */
  notify: (notice: unknown) => Promise<unknown>;
  onError: (error: Error) => void;
}): BucketWatch {
  const stop = new AbortController();
  let known = new Map<string, string>();
  const inTurn = createTurns();

  // S3 also notifies when an unchanged file is uploaded again.
  const stateNow = async () =>
    new Map((await deps.list()).map(({ path, etag, putAt }) => [path, `${etag} ${putAt}`]));

  async function look(): Promise<void> {
    if (stop.signal.aborted) return;
    const now = await stateNow();
    const changed = new Set(
      [...known.keys(), ...now.keys()].filter((key) => known.get(key) !== now.get(key)),
    );
    if (changed.size > 0) await deps.notify(noticeOf([...changed]));
    known = now;
  }

  async function loop(): Promise<void> {
    while (!stop.signal.aborted) {
      await inTurn(look).catch((thrown: unknown) => {
        if (!stop.signal.aborted) deps.onError(thrown as Error);
      });
      await delay(LOOK_MS, undefined, { signal: stop.signal }).catch(() => {});
    }
  }

  const running = loop();
  return {
    quietly: (upload, release) =>
      inTurn(async () => {
        await upload();
        const uploaded = await stateNow();
        const released = await release();
        known = uploaded;
        return released;
      }),
    async close() {
      stop.abort();
      await running;
    },
  };
}

/** As in S3's notifications, where keys are form-encoded. */
export function noticeOf(keys: string[]) {
  const encode = (key: string) => key.split("/").map(encodeURIComponent).join("/").replaceAll("%20", "+");
  return { Records: keys.map((key) => ({ eventSource: "aws:s3", s3: { object: { key: encode(key) } } })) };
}
