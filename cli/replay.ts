import { AppError } from "../lib/errors.ts";
import type { AttemptRecord } from "../lib/history/records.ts";
import { createReruns, type Rerun } from "../lib/history/rerun.ts";
import { loadAssets } from "../lib/runtime/assets.ts";
import { engineId } from "../lib/runtime/engine-id.ts";
import { attemptsOf, type FolderOptions, findEvent, recordedFolder } from "./events-open.ts";
import { print, printJson, printText } from "./print.ts";
import { openLiveHttp } from "./rerun-http.ts";
import { differenceLines, verdictText } from "./rerun-lines.ts";
import { type NamedTarget, targetOf } from "./rerun-target.ts";

export interface ReplayOptions extends FolderOptions {
  /** A version, `live`, or `working`: the files of the folder. */
  release: string;
  /** `live`: what the record does not have is asked for real. */
  http: "recorded" | "live";
  api?: string;
  json?: boolean;
}

/**
 * `gatehook replay`: runs the handlers of recorded events again, dry. Exit code 1 when one does not do the same as then,
 * and is not done after it had failed.
 */
export async function replay(ids: string[], options: ReplayOptions): Promise<void> {
  const dir = recordedFolder(options);
  const target = await targetOf(options.release, dir);
  const asked: AttemptRecord[] = [];
  for (const id of ids) asked.push(await lastRun(id, options));
  const attempts = await attemptsOf(new Set(asked.map(({ container }) => container)), options);
  const http = options.http === "live" ? await openLiveHttp(dir) : undefined;
  const reruns = createReruns({ assets: loadAssets(), engine: engineId() });
  const replays: (Rerun & { id: string; api_id: string; attempt: number })[] = [];
  try {
    for (const attempt of asked) {
      const { id, api_id, n } = attempt;
      const rerun = await reruns.rerun(attempt, target, { attempts, live: http?.live });
      replays.push({ id, api_id, attempt: n, ...rerun });
      if (!options.json) tell(attempt, rerun, target);
    }
  } finally {
    await reruns.close();
    await http?.close();
  }
  if (replays.some(({ verdict }) => verdict === "fails" || verdict === "differs")) process.exitCode = 1;
  if (options.json) printJson({ release: target.version, replays });
}

/** The last attempt at which a handler ran. */
async function lastRun(id: string, options: ReplayOptions): Promise<AttemptRecord> {
  const { attempts, row } = await findEvent(id, options);
  const ran = attempts.findLast(({ runs }) => runs.length > 0);
  if (ran) return ran;
  throw new AppError("not-recorded", `no handler ran for event ${row.id}: it is ${row.outcome}`);
}

function tell({ id, event }: AttemptRecord, rerun: Rerun, { atSources }: NamedTarget): void {
  printText(`${id} ${event.Type}: ${verdictText(rerun)}`);
  print(...differenceLines(rerun, atSources));
}
