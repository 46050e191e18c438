import { randomUUID } from "node:crypto";
import { createAllowance, createKeeping } from "../lib/history/keeping.ts";
import { createRecorder, type Recorder } from "../lib/history/recorder.ts";
import { type AttemptRecord, FORMAT, type HistorySink, lineOf } from "../lib/history/records.ts";
import type { Log } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import { engineId } from "../lib/runtime/engine-id.ts";
import { DEFAULT_LIMITS, type Isolation, type Limits } from "../lib/runtime/protocol.ts";
import { once } from "./once.ts";
import { choice, type Env, flag, headerText, integer, text } from "./settings.ts";

/** Only in the local stack: a record is a line of this process's output, which the stack adds to its history. */
const LINES = "lines";

/** The dependencies of a recorder. */
export interface HistoryOptions {
  log: Log;
  metrics: Metrics;
  isolation: Isolation;
  limits: Partial<Limits>;
}

/** The recorder of a consumer's events, if they are recorded. */
export function createHistory(env: Env, options: HistoryOptions): Recorder | undefined {
  const { metrics, isolation, limits } = options;
  const common = { metrics, now: Date.now, container: randomUUID().slice(0, 8), isolation };
  if (env.GATEHOOK_HISTORY === LINES)
    return createRecorder({
      ...common,
      sink: toLines,
      engine: engineId(),
      limits: otherThanDefault(limits),
      allowMasterKeys: flag(env, "ALLOW_MASTER_KEYS"),
    });
  const history = choice(env, "HISTORY");
  if (history === "off") return undefined;
  return createRecorder({
    ...common,
    sink: toTable(env, common.container, options.log),
    keeps: createKeeping({
      history,
      share: Number(text(env, "HISTORY_SAMPLE")),
      slowMs: integer(env, "HISTORY_SLOW_MS"),
      random: Math.random,
    }),
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

/** Loaded with the first attempt that is kept, since most containers keep none. The settings are read now. */
function toTable(env: Env, container: string, log: Log): HistorySink {
  const settings = {
    table: text(env, "HISTORY_TABLE"),
    bucket: text(env, "HISTORY_BUCKET"),
    secret: headerText(env, "HISTORY_SECRET"),
    content: choice(env, "HISTORY_CONTENT"),
    ttlDays: integer(env, "HISTORY_TTL_DAYS"),
    container,
    log,
  };
  const allowed = createAllowance(integer(env, "HISTORY_MAX_PER_SECOND"), Date.now);
  const sink = once(async () => (await import("./history-table.ts")).createHistoryTable(env, settings));
  return async (attempts, ms) => {
    const kept = attempts.toSorted(troubleFirst).slice(0, allowed(attempts.length));
    const lost = kept.length > 0 ? await (await sink())(kept, ms) : 0;
    return attempts.length - kept.length + lost;
  };
}

/** Failed attempts come first, in case not all can be kept. */
const troubleFirst = (a: AttemptRecord, b: AttemptRecord) =>
  Number(a.outcome === "done") - Number(b.outcome === "done");
