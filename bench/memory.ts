// npm run bench:memory: resident memory of a container by its number of workers, after batches that keep all of them
// busy. `npm run soak:memory` shows whether it grows over a million events.
import { startContainer } from "./shared/container.ts";
import { rounded, slope } from "./shared/figures.ts";
import { type Part, runPart } from "./shared/part.ts";
import { openPlace } from "./shared/place.ts";
import { EDITOR_RELEASE, keysOf, SESSIONS } from "./shared/samples.ts";

const WORKERS = [1, 2, 4, 8, 16];
const KEYS = 1_000;
const BATCH = 100;

export interface MemoryResult {
  rows: { workers: number; resident_mb: number }[];
  /** The additional memory of each further worker. */
  mb_per_worker: number;
}

async function measure({ quick }: { quick: boolean }): Promise<MemoryResult> {
  const place = await openPlace();
  try {
    const { env, putSessions } = await place.space(EDITOR_RELEASE);
    await putSessions(keysOf("k", KEYS), SESSIONS["2.7 KB"]);
    const rows: MemoryResult["rows"] = [];
    for (const workers of WORKERS) {
      const settings = { RUNTIME_ISOLATION: "event", RUNTIME_WORKERS: String(workers) };
      const container = await startContainer("gatehook", { ...env, ...settings });
      try {
        const { rssMb } = await container.run({
          batch: BATCH,
          batches: quick ? 1 : 20,
          prefix: "k",
          keys: KEYS,
        });
        rows.push({ workers, resident_mb: rounded(rssMb) });
      } finally {
        await container.close();
      }
    }
    const points = rows.map(({ workers, resident_mb }) => [workers, resident_mb] as const);
    return { rows, mb_per_worker: rounded(slope(points)) };
  } finally {
    await place.close();
  }
}

export const memory: Part<MemoryResult> = {
  name: "memory",
  measure,
  tables: ({ rows, mb_per_worker }) => [
    {
      title: `Memory by workers: ${mb_per_worker} MB for each`,
      heads: ["workers", "resident MB"],
      rows: rows.map((row) => Object.values(row)),
    },
  ],
};

if (import.meta.main) await runPart(memory);
