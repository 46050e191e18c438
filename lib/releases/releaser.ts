import type { Log } from "../log.ts";
import { buildRelease, type Problem } from "./build.ts";
import { type Release, sealRelease } from "./release.ts";
import type { ReleaseStore } from "./store.ts";

/** What became of an upload. */
export interface ReleaseReport {
  version: string;
  /** `live`: this call flipped to it; `unchanged`: it was live already; `refused`: the last good release goes on. */
  result: "live" | "unchanged" | "refused";
  apis: number;
  scripts: number;
  problems: Problem[];
}

/** Makes a release of what is in the bucket, checks it, and flips to it. Repeating it does no harm. */
export function createReleaser(deps: {
  store: ReleaseStore;
  check: (release: Release) => Promise<Problem[]>;
  log: Log;
}): () => Promise<ReleaseReport> {
  const { store, check, log } = deps;

  async function makeLive(): Promise<ReleaseReport> {
    const from = await store.liveVersion();
    const { release, problems } = buildRelease(await store.readSources());
    const { version, text } = sealRelease(release);
    const report = { version, apis: release.apis.length, scripts: release.scripts.length };
    if (version === from) return { ...report, result: "unchanged", problems: [] };
    problems.push(...(await check(release)));
    if (problems.length > 0) return { ...report, result: "refused", problems };
    await store.write(version, text);
    if (await store.flip(from, version)) return { ...report, result: "live", problems: [] };
    // Another releaser flipped meanwhile, perhaps to older files than ours: look again.
    return makeLive();
  }

  return async () => {
    const report = await makeLive();
    const level = report.result === "refused" ? "error" : "info";
    log[level](`release ${report.result}`, { release: report.version, problems: report.problems });
    return report;
  };
}
