// npm run bench:reload: how long a warm container takes to load a new release, by its number of scripts: from the batch
// that notices it to the ready runtime, including the read of the object. The next thread is started ahead, as in the
// consumer.
import { setTimeout as delay } from "node:timers/promises";
import { createLiveRuntime } from "../lib/consumer/live-runtime.ts";
import { readCandidate } from "../lib/releases/examine.ts";
import { loadAssets } from "../lib/runtime/assets.ts";
import { createStarter } from "../lib/runtime/starter.ts";
import { median, rounded, slope } from "./shared/figures.ts";
import { type Part, runPart } from "./shared/part.ts";
import { scriptFiles } from "./shared/script-files.ts";

const SCRIPTS = [1, 10, 100, 1_000];
const TIMES = 8;
/** Waits until the thread that is started ahead is ready. */
const PAUSE_MS = 300;

export interface ReloadResult {
  rows: { scripts: number; first_ms: number; median_ms: number; worst_ms: number }[];
  /** The additional time of each further script. */
  ms_per_script: number;
}

async function reload(scripts: number, times: number): Promise<number[]> {
  const releases = new Map(
    Array.from({ length: times + 1 }, (_, nth) => {
      const { version, release } = readCandidate(scriptFiles(scripts, String(nth)));
      return [version, release];
    }),
  );
  const starter = createStarter({ assets: loadAssets() });
  const live = createLiveRuntime({
    releases: { read: async (version) => releases.get(version) ?? { format: 1, apis: [], scripts: [] } },
    start: (release) => starter.start(release.scripts),
    prepare: starter.prepare,
    log: { info() {}, warn() {}, error() {} },
    metrics: { count() {}, countBy() {}, observe() {} },
  });
  const all: number[] = [];
  for (const version of releases.keys()) {
    const started = performance.now();
    await live.at(version);
    all.push(performance.now() - started);
    await live.at(version); // the next batch, which has the next thread started
    await delay(PAUSE_MS);
  }
  await Promise.all([live.close(), starter.close()]);
  return all;
}

async function measure({ quick }: { quick: boolean }): Promise<ReloadResult> {
  const rows: ReloadResult["rows"] = [];
  for (const scripts of SCRIPTS) {
    const [first = 0, ...warm] = await reload(scripts, quick ? 1 : TIMES);
    rows.push({
      scripts,
      first_ms: rounded(first),
      median_ms: rounded(median(warm)),
      worst_ms: rounded(Math.max(...warm)),
    });
  }
  const points = rows.map(({ scripts, median_ms }) => [scripts, median_ms] as const);
  return { rows, ms_per_script: rounded(slope(points), 2) };
}

export const reloading: Part<ReloadResult> = {
  name: "reload",
  measure,
  tables: ({ rows, ms_per_script }) => [
    {
      title: `Reload by scripts: ${ms_per_script} ms for one more`,
      heads: ["scripts", "first load, ms", "reload, median ms", "worst ms"],
      rows: rows.map((row) => Object.values(row)),
    },
  ],
};

if (import.meta.main) await runPart(reloading);
