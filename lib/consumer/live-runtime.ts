import { AppError, errorText } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { type LiveRelease, openRelease } from "../releases/release.ts";
import type { ReleaseStore } from "../releases/store.ts";
import type { Runtime } from "../runtime/runtime.ts";

/** A release with its scripts loaded and warm. */
export interface Loaded {
  release: LiveRelease;
  runtime: Runtime;
}

/** The runtime of a container, which follows the live release. */
export interface LiveRuntime {
  /**
   * The runtime of this version: it is loaded beside the old one, then swapped in, and then the old one is closed. If
   * it or one of its scripts cannot be loaded, the old one stays in use, and loading is retried a little later. Throws
   * `release-missing` if no release is live yet.
   */
  at(version: string | undefined): Promise<Loaded>;
  close(): Promise<void>;
}

/** The pause between two attempts, each of which may take as long as a whole batch. */
const RETRY_MS = 5_000;

/** Owns the runtimes that `start` creates: it closes a replaced runtime, and `close` closes the current one. */
export function createLiveRuntime(deps: {
  releases: Pick<ReleaseStore, "read">;
  start: (release: LiveRelease) => Promise<Runtime>;
  /** Makes the next start faster; called only after a release was used, so not during a cold start. */
  prepare?: () => void;
  log: Log;
  metrics: Metrics;
  /** A clock in milliseconds, for the pause between two attempts. */
  now?: () => number;
}): LiveRuntime {
  const { metrics } = deps;
  const now = deps.now ?? (() => performance.now());
  let held: Loaded | undefined;
  let failed = { version: "", until: 0 };

  async function load(version: string): Promise<Loaded> {
    const started = performance.now();
    const release = openRelease(version, await deps.releases.read(version));
    const runtime = await deps.start(release);
    const ms = Math.round(performance.now() - started);
    deps.log.info("release loaded", {
      release: version,
      scripts: release.scripts.length,
      faults: runtime.faults.length,
      ms,
    });
    // The releaser has loaded all of it, so the problem is in this container, and the next attempt may succeed.
    if (held && runtime.faults.length > 0) {
      await runtime.close();
      throw new Error(runtime.faults.map(({ path, error }) => `${path}: ${error.message}`).join("; "));
    }
    metrics.count("Reloads");
    metrics.observe("ReloadTime", ms);
    return { release, runtime };
  }

  return {
    async at(version) {
      if (held && (version === undefined || held.release.version === version)) {
        deps.prepare?.();
        return held;
      }
      if (version === undefined)
        throw new AppError("release-missing", "no release is live yet: upload apis/ and handlers/");
      const old = held;
      if (old && failed.version === version && now() < failed.until) return old;
      try {
        held = await load(version);
      } catch (thrown) {
        metrics.count("ReloadFailures");
        if (!old) throw thrown;
        failed = { version, until: now() + RETRY_MS };
        deps.log.error("release not loaded, the old one stays in use", {
          release: version,
          running: old.release.version,
          error: errorText(thrown),
        });
        return old;
      }
      // Nothing runs in the old runtime any more, so the batch need not wait for its threads to end.
      old?.runtime.close().catch((thrown: unknown) => {
        deps.log.warn("old release not closed", { release: old.release.version, error: errorText(thrown) });
      });
      return held;
    },
    close: async () => held?.runtime.close(),
  };
}
