import { setTimeout as delay } from "node:timers/promises";
import { createTurns } from "../lib/in-turn.ts";
import type { BucketFile } from "../lib/releases/bucket.ts";

/** S3's notices, which no emulator sends: looks what has changed in the bucket, and tells the releaser. */
export interface BucketWatch {
  /** Uploads and has it released; the releaser is not woken again for these files, unless that fails. */
  quietly<T>(upload: () => Promise<void>, release: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const LOOK_MS = 500;

/** Looks every 500 ms until it is closed. `onError`: a look failed, and the next one tries again. */
export function watchBucket(deps: {
  list: () => Promise<BucketFile[]>;
  /** Takes what S3 would send. */
  notify: (notice: unknown) => Promise<unknown>;
  onError: (error: Error) => void;
}): BucketWatch {
  const stop = new AbortController();
  let known = new Map<string, string>();
  const inTurn = createTurns();

  // S3 tells of a file also when it was put again as it was.
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

/** As S3 names keys in its notices: encoded as in a form. */
export function noticeOf(keys: string[]) {
  const encode = (key: string) => key.split("/").map(encodeURIComponent).join("/").replaceAll("%20", "+");
  return { Records: keys.map((key) => ({ eventSource: "aws:s3", s3: { object: { key: encode(key) } } })) };
}
