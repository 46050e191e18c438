import { AppError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { type Changes, changesBetween } from "./changes.ts";
import { type Candidate, type Check, examine, readCandidate } from "./examine.ts";
import { examinePartly, type Live } from "./partly.ts";
import { firstChanges, firstHeld, firstOf, type HeldBack, type ReleaseReport } from "./report.ts";
import { type Problem, scriptFile } from "./sources.ts";
import type { Pointer, ReleaseStore } from "./store.ts";

/** The part of the store for writing releases and moving the pointer. */
export type ReleaserStore = Pick<
  ReleaseStore,
  "readSources" | "read" | "write" | "pointer" | "record" | "entry" | "history"
>;

/** How often it starts again because another release went live first. */
const ATTEMPTS = 10;

/** The findings of an attempt, for the report. */
interface Outcome extends Pick<ReleaseReport, "result" | "errors" | "warnings"> {
  held?: HeldBack;
  changes?: Changes | undefined;
}

/** Makes a release from the bucket, checks it, and makes it live. It is idempotent. */
export function createReleaser(deps: {
  store: ReleaserStore;
  check: Check;
  /** gatehook also runs webhooks and log handlers without a member `gatehook`. */
  runsAll?: boolean;
  /** Rejects the whole upload if it has an error. */
  strict: boolean;
  now: () => number;
  log: Log;
  metrics: Metrics;
}): () => Promise<ReleaseReport> {
  const { store, log, metrics } = deps;

  /** Undefined if another release went live first, perhaps with older files than those read here. */
  async function attempt(): Promise<ReleaseReport | undefined> {
    // The pointer first: if it is moved after this line, our own move fails, so older files never win.
    const from = await store.pointer();
    const upload = readCandidate(await store.readSources(), { runsAll: deps.runsAll });
    const isNewest = upload.version === from.built;
    if (upload.version === from.version || (isNewest && wasWhole(from))) return attemptKnown(from, upload);
    const isRolledBack = isNewest && from.settled !== undefined && from.version !== from.settled;
    // A rollback stays in effect, even if the upload might pass the check now.
    if (isRolledBack && from.version && (await isWhole(from.version)))
      return reportOf(upload, { result: "unchanged", errors: [], warnings: upload.warnings });
    return attemptNew(from, upload);
  }

  /**
   * The upload was built, checked and written before; the live release's object must still exist for consumers that
   * start.
   */
  async function attemptKnown(from: Pointer, upload: Candidate): Promise<ReleaseReport | undefined> {
    const { version } = upload;
    const isNewest = version === from.built && !from.refused;
    await writeIfLost(upload);
    const warnings = [...upload.warnings, ...(await scriptWarningsOf(upload))];
    // A rollback stays in effect, unless the object of its release is missing.
    const lost = version !== from.version && !(from.version && (await isWhole(from.version)));
    if (lost)
      log.warn("the newest upload takes the place of a live release that is gone", { gone: from.version });
    const report = reportOf(upload, { result: lost ? "live" : "unchanged", errors: [], warnings });
    // The live content was uploaded again: the pointer is not moved, but this is the newest upload again.
    if (isNewest && !lost) return report;
    return (await record(from, upload, report)) ? report : undefined;
  }

  async function attemptNew(from: Pointer, upload: Candidate): Promise<ReleaseReport | undefined> {
    const { errors, warnings } = await examine(upload, deps.check);
    if (errors.length > 0) return attemptPart(from, upload, { errors, warnings });
    await store.write(upload.version, upload.text);
    const changes = await changesSince(from, upload);
    const report = reportOf(upload, { result: "live", errors, warnings, changes });
    return (await record(from, upload, report)) ? report : undefined;
  }

  /** Makes the valid part of an upload with errors live, and keeps the rest. */
  async function attemptPart(
    from: Pointer,
    upload: Candidate,
    found: { errors: Problem[]; warnings: Problem[] },
  ): Promise<ReleaseReport | undefined> {
    const partly = await rightPartOf(from, upload, found.errors);
    const isLive = partly?.candidate.version === from.version;
    const isAgain = upload.version === from.built && !from.refused;
    if (!partly || (isLive && !isAgain)) {
      const changes = await changesSince(from, upload);
      const report = reportOf(upload, { result: "refused", ...found, changes });
      return (await record(from, upload, report, found.errors.length)) ? report : undefined;
    }
    const { candidate, kept, leftOut, errors } = partly;
    const outcome = {
      errors,
      warnings: [...upload.warnings, ...partly.warnings],
      held: { kept, left_out: leftOut },
    };
    if (isLive) {
      await writeIfLost(candidate);
      return reportOf(candidate, { result: "unchanged", ...outcome });
    }
    await store.write(candidate.version, candidate.text);
    const changes = await changesSince(from, candidate);
    const report = reportOf(candidate, { result: "partly", ...outcome, changes });
    return (await record(from, upload, report, errors.length)) ? report : undefined;
  }

  async function rightPartOf(from: Pointer, upload: Candidate, errors: Problem[]) {
    if (deps.strict) return undefined;
    const live = await lastLive(from);
    // Without it, an API at fault would be missing, and its events would become dead letters.
    if (from.version && !live) return undefined;
    return examinePartly(upload, live, errors, deps.check);
  }

  /** The live release; if its object is missing, the newest older release that was live and exists. */
  async function lastLive({ version }: Pointer): Promise<Live | undefined> {
    if (!version) return undefined;
    const release = await readIfThere(version);
    if (release) return { version, release };
    for (const entry of await store.history()) {
      const older = entry.live_at ? await readIfThere(entry.version) : undefined;
      if (older) return { version: entry.version, release: older };
    }
    return undefined;
  }

  async function readIfThere(version: string) {
    try {
      return await store.read(version);
    } catch (thrown) {
      if (thrown instanceof AppError && thrown.code === "release-missing") return undefined;
      throw thrown;
    }
  }

  const isWhole = async (version: string) => (await readIfThere(version)) !== undefined;

  async function writeIfLost({ version, text }: Candidate): Promise<void> {
    if (await isWhole(version)) return;
    await store.write(version, text);
    log.warn("release written again, since its object was gone or damaged", { release: version });
  }

  /** The result of loading its scripts when it was built. */
  async function scriptWarningsOf({ version, release }: Candidate): Promise<Problem[]> {
    const files = new Set(release.scripts.map(({ path }) => scriptFile(path)));
    const entry = await store.entry(version);
    return entry?.warnings.filter(({ file }) => files.has(file)) ?? [];
  }

  async function record(
    from: Pointer,
    upload: Candidate,
    report: ReleaseReport,
    errorCount = 0,
  ): Promise<boolean> {
    const { result, ...facts } = report;
    const at = new Date(deps.now()).toISOString();
    const refused = result === "refused";
    const flips = result === "live" || result === "partly";
    const entry = {
      ...facts,
      result: result === "unchanged" ? ("live" as const) : result,
      ...(report.version !== upload.version && { upload: upload.version }),
      built_at: at,
      ...(flips && { live_at: at }),
      error_count: errorCount,
      warning_count: report.warnings.length,
    };
    const version = refused ? from.version : report.version;
    return store.record(from, { version, built: upload.version, refused, settled: version }, entry);
  }

  async function changesSince({ version }: Pointer, { release }: Candidate): Promise<Changes | undefined> {
    try {
      return changesBetween(version ? await store.read(version) : undefined, release);
    } catch (thrown) {
      // Only the report has less detail.
      if (!(thrown instanceof AppError)) throw thrown;
      return undefined;
    }
  }

  function tell({ version: release, result, errors, warnings, held }: ReleaseReport): void {
    const fails = result === "refused" || result === "partly";
    log[fails ? "error" : "info"](result === "partly" ? "release partly live" : `release ${result}`, {
      release,
      ...held,
      errors,
      warnings,
    });
    if (result === "live") metrics.count("ReleasesLive");
    if (result === "partly") metrics.count("ReleasesPartlyLive");
    if (fails) metrics.count("ReleasesRefused");
  }

  return async () => {
    for (let nth = 1; nth <= ATTEMPTS; nth += 1) {
      const report = await attempt();
      if (!report) continue;
      tell(report);
      return report;
    }
    throw new AppError(
      "release-conflict",
      "other releases went live again and again: wake the releaser later",
    );
  };
}

/** Whether the last upload went live completely. */
const wasWhole = ({ built, refused, settled }: Pointer) =>
  !refused && (settled === undefined || settled === built);

function reportOf(
  { version, release }: Candidate,
  { result, errors, warnings, held, changes }: Outcome,
): ReleaseReport {
  return {
    version,
    result,
    apis: release.apis.length,
    scripts: release.scripts.length,
    errors: firstOf(errors),
    warnings: firstOf(warnings),
    ...(held && { held: firstHeld(held) }),
    ...(changes && { changes: firstChanges(changes) }),
  };
}
