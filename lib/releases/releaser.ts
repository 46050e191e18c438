import { AppError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { type Changes, changesBetween } from "./changes.ts";
import { type Candidate, type Check, examine, readCandidate } from "./examine.ts";
import { firstChanges, firstOf, type ReleaseReport } from "./report.ts";
import { type Problem, scriptFile } from "./sources.ts";
import type { Pointer, ReleaseStore } from "./store.ts";

export type ReleaserStore = Pick<
  ReleaseStore,
  "readSources" | "read" | "write" | "pointer" | "record" | "entry"
>;

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
    const isNewest = version === from.built && !from.refused;
    if (!isNewest && version !== from.version) return attemptNew(from, candidate);
    // Built, checked and written before; what is live must still be there for those that start.
    if (!(await isWhole(version))) {
      await store.write(version, candidate.text);
      log.warn("release written again, since its object was gone or damaged", { release: version });
    }
    const warnings = [...candidate.warnings, ...(await scriptWarningsOf(candidate))];
    // A rollback stands, unless what it went back to is gone.
    const lost = version !== from.version && !(from.version && (await isWhole(from.version)));
    if (lost)
      log.warn("the newest upload takes the place of a live release that is gone", { gone: from.version });
    const report = reportOf(candidate, { result: lost ? "live" : "unchanged", errors: [], warnings });
    // Uploaded anew what is live already: there is nothing to flip, but it is the newest upload again.
    if (isNewest && !lost) return report;
    return (await record(from, report)) ? report : undefined;
  }

  async function attemptNew(from: Pointer, candidate: Candidate): Promise<ReleaseReport | undefined> {
    const { errors, warnings } = await examine(candidate, deps.check);
    const changes = await changesSince(from, candidate);
    if (errors.length > 0) {
      const report = reportOf(candidate, { result: "refused", errors, warnings, changes });
      return (await record(from, report, errors.length)) ? report : undefined;
    }
    await store.write(candidate.version, candidate.text);
    const report = reportOf(candidate, { result: "live", errors, warnings, changes });
    return (await record(from, report)) ? report : undefined;
  }

  async function isWhole(version: string): Promise<boolean> {
    try {
      await store.read(version);
      return true;
    } catch (thrown) {
      if (thrown instanceof AppError && thrown.code === "release-missing") return false;
      throw thrown;
    }
  }

  /** What loading its scripts showed when it was built. */
  async function scriptWarningsOf({ version, release }: Candidate): Promise<Problem[]> {
    const files = new Set(release.scripts.map(({ path }) => scriptFile(path)));
    const entry = await store.entry(version);
    return entry?.warnings.filter(({ file }) => files.has(file)) ?? [];
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
  { version, release }: Candidate,
  {
    result,
    errors,
    warnings,
    changes,
  }: Pick<ReleaseReport, "result" | "errors" | "warnings"> & { changes?: Changes | undefined },
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
