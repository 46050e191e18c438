import { randomUUID } from "node:crypto";
import { createRecorder, type Recorder } from "../lib/history/recorder.ts";
import { FORMAT, type HistorySink, lineOf } from "../lib/history/records.ts";
import type { Metrics } from "../lib/metrics.ts";
import { engineId } from "../lib/runtime/engine-id.ts";
import { DEFAULT_LIMITS, type Isolation, type Limits } from "../lib/runtime/protocol.ts";
import { flag } from "./settings.ts";

/** In the local stack alone: a record is a line of this process's output, which the stack takes for its history. */
const LINES = "lines";

export function createHistory(
  env: Record<string, string | undefined>,
  { metrics, isolation, limits }: { metrics: Metrics; isolation: Isolation; limits: Partial<Limits> },
): Recorder | undefined {
  if (env.GATEHOOK_HISTORY !== LINES) return undefined;
  const container = randomUUID().slice(0, 8);
  return createRecorder({
    sink: toLines,
    metrics,
    now: Date.now,
    container,
    isolation,
    engine: engineId(),
    limits: otherThanDefault(limits),
    allowMasterKeys: flag(env, "ALLOW_MASTER_KEYS"),
  });
}

const otherThanDefault = (limits: Partial<Limits>): Partial<Limits> =>
  Object.fromEntries(
    Object.entries(limits).filter(([name, value]) => value !== DEFAULT_LIMITS[name as keyof Limits]),
  );

const toLines: HistorySink = async (attempts) => {
  process.stdout.write(attempts.map((attempt) => `${lineOf({ history: FORMAT, attempt })}\n`).join(""));
  return 0;
};
