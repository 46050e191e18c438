import { AppError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { type Changes, changesBetween } from "./changes.ts";
import { type Candidate, type Check, errorsOf, readCandidate } from "./examine.ts";
import { firstChanges, firstOf, type ReleaseReport } from "./report.ts";
import type { Pointer, ReleaseStore } from "./store.ts";

export type ReleaserStore = Pick<ReleaseStore, "readSources" | "read" | "write" | "pointer" | "record">;

/** How often it starts anew because somebody else flipped meanwhile. */
const ATTEMPTS = 10;

/** Makes a release of what is in the bucket, checks it, and flips to it. Repeating it does no harm. */
export function createReleaser(deps: {
  store: ReleaserStore;
  check: Check;
  now: () => number;
  log: Log;
  metrics: Metrics;
}): () => Promise<ReleaseReport> {
  const { store, log, metrics } = deps;

  /** Undefined when somebody else flipped meanwhile, perhaps to older files than those read here. */
  async function attempt(): Promise<ReleaseReport | undefined> {
    // The pointer first: whoever flips after this line makes our own flip fail, so no older files ever win.
    const from = await store.pointer();
    const candidate = readCandidate(await store.readSources());
    const { version } = candidate;
    if (version === from.built && !from.refused)
      return reportOf(candidate, { result: "unchanged", errors: [] });
    // Uploaded anew what is live already: there is nothing to flip, but it is the newest upload again.
    if (version === from.version) {
      const report = reportOf(candidate, { result: "unchanged", errors: [] });
      return (await record(from, report)) ? report : undefined;
    }
    const errors = await errorsOf(candidate, deps.check);
    const changes = await changesSince(from, candidate);
    if (errors.length > 0) {
      const report = reportOf(candidate, { result: "refused", errors, changes });
      return (await record(from, report, errors.length)) ? report : undefined;
    }
    await store.write(version, candidate.text);
    const report = reportOf(candidate, { result: "live", errors, changes });
    return (await record(from, report)) ? report : undefined;
  }

  async function record(from: Pointer, report: ReleaseReport, errorCount = 0): Promise<boolean> {
    const { result, ...facts } = report;
    const at = new Date(deps.now()).toISOString();
    const refused = result === "refused";
    const entry = {
      ...facts,
      result: refused ? ("refused" as const) : ("live" as const),
      built_at: at,
      ...(result === "live" && { live_at: at }),
      error_count: errorCount,
      warning_count: report.warnings.length,
    };
    const version = refused ? from.version : report.version;
    return store.record(from, { version, built: report.version, refused }, entry);
  }

  async function changesSince({ version }: Pointer, { release }: Candidate): Promise<Changes | undefined> {
    try {
      return changesBetween(version ? await store.read(version) : undefined, release);
    } catch (thrown) {
      // Only the report is poorer for it.
      if (!(thrown instanceof AppError)) throw thrown;
      return undefined;
    }
  }

  return async () => {
    for (let nth = 1; nth <= ATTEMPTS; nth += 1) {
      const report = await attempt();
      if (!report) continue;
      const { version: release, result, errors, warnings } = report;
      log[result === "refused" ? "error" : "info"](`release ${result}`, { release, errors, warnings });
      if (result === "live") metrics.count("ReleasesLive");
      if (result === "refused") metrics.count("ReleasesRefused");
      return report;
    }
    throw new AppError(
      "release-conflict",
      "other releases went live again and again: wake the releaser later",
    );
  };
}

function reportOf(
  { version, release, warnings }: Candidate,
  { result, errors, changes }: Pick<ReleaseReport, "result" | "errors"> & { changes?: Changes | undefined },
): ReleaseReport {
  return {
    version,
    result,
    apis: release.apis.length,
    scripts: release.scripts.length,
    errors: firstOf(errors),
    warnings: firstOf(warnings),
    ...(changes && { changes: firstChanges(changes) }),
  };
}
