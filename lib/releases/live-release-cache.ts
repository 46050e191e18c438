import { type LiveRelease, openRelease } from "./release.ts";
import type { ReleaseStore } from "./store.ts";

/**
 * Keeps the live release in memory; `fresh` compares its version with the store's, one small read. The object
 * itself is immutable and read once per version.
 */
export function createLiveReleaseCache(
  store: Pick<ReleaseStore, "read" | "liveVersion">,
): (options: { fresh: boolean }) => Promise<LiveRelease | undefined> {
  let held: LiveRelease | undefined;
  return async ({ fresh }) => {
    if (held && !fresh) return held;
    const version = await store.liveVersion();
    if (version && version !== held?.version) held = openRelease(version, await store.read(version));
    return held;
  };
}
