import type { AttemptRecord } from "../../lib/history/records.ts";
import { createReruns, type Rerun, type Verdict } from "../../lib/history/rerun.ts";
import { loadAssets } from "../../lib/runtime/assets.ts";
import { engineId } from "../../lib/runtime/engine-id.ts";
import {
  attemptsBefore,
  type FolderOptions,
  findEvent,
  lastAttempts,
  recordedFolder,
} from "../events-open.ts";
import { openLiveHttp } from "../rerun-http.ts";
import { type NamedTarget, targetOf } from "../rerun-target.ts";
import { countOf } from "../terminal/count.ts";
import { print, printJson, printText } from "../terminal/print.ts";
import { differenceLines, verdictText } from "../terminal/rerun-lines.ts";
import { UsageError } from "../terminal/usage.ts";
import { ranAttempt } from "./events-pin.ts";
import { chosenAttempts } from "./events-show.ts";

/** The options of `gatehook replay`. `query` selects among the newest events, with `last`. */
export interface ReplayOptions extends FolderOptions {
  /** A version, `live`, or `working`: the files of the folder. */
  release: string;
  /** `live`: requests without a recorded answer are sent. */
  http: "recorded" | "live";
  /** Instead of ids: the number of newest events for which a handler ran. */
  last?: number;
  query?: string;
  api?: string;
  /** The number of the recorded attempt, from 1; by default the last one in which a handler ran. */
  attempt?: number;
  json?: boolean;
}

type Replay = Rerun & { id: string; api_id: string; attempt: number };

/**
 * `gatehook replay`: runs the handlers of recorded events again, without effects. Exit code 1 if an event neither does
 * the same as before, nor is done after a failure.
 */
export async function replay(ids: string[], options: ReplayOptions): Promise<void> {
  checkTogether(ids, options);
  if (!(await replayAll(ids, options))) process.exitCode = 1;
}

/** Returns whether all events do the same, or are done after a failure. */
export async function replayAll(ids: string[], options: ReplayOptions): Promise<boolean> {
  const dir = recordedFolder(options);
  const asked = await askedFor(ids, options);
  const target = await targetOf(options.release, dir);
  const onTheirs = asked.filter(({ release }) => release === target.version);
  const attempts = await attemptsBefore(onTheirs, options);
  const http = options.http === "live" ? await openLiveHttp(dir) : undefined;
  const reruns = createReruns({ assets: loadAssets(), engine: engineId() });
  const replays: Replay[] = [];
  try {
    for (const attempt of asked) {
      const { id, api_id, n } = attempt;
      const rerun = await reruns.rerun(attempt, target, { attempts, live: http?.live });
      replays.push({ id, api_id, attempt: n, ...rerun });
      const isShown = options.last === undefined || rerun.verdict !== "same";
      if (!options.json && isShown) tell(attempt, rerun, target);
    }
  } finally {
    await reruns.close();
    await http?.close();
  }
  if (options.json) printJson({ release: target.version, replays });
  else if (options.last !== undefined) printText(sumText(replays));
  return replays.every(({ verdict }) => verdict === "same" || verdict === "done");
}

function checkTogether(ids: string[], { last, query, attempt }: ReplayOptions): void {
  if ((ids.length === 0) === (last === undefined))
    throw new UsageError("name the events by their ids, or with --last how many of the newest");
  if (query !== undefined && last === undefined)
    throw new UsageError("--query goes with --last: it chooses among the newest events");
  if (attempt !== undefined && ids.length !== 1)
    throw new UsageError("--attempt goes with one event: its attempts are counted");
}

async function askedFor(ids: string[], options: ReplayOptions): Promise<AttemptRecord[]> {
  const { last, dir, api, query } = options;
  if (last !== undefined) return lastAttempts(last, { dir, ...(api && { api }), ...(query && { query }) });
  const asked: AttemptRecord[] = [];
  for (const id of ids) {
    const { attempts, row } = await findEvent(id, options);
    asked.push(ranAttempt(chosenAttempts({ attempts }, options.attempt), row));
  }
  return asked;
}

function tell({ id, event }: AttemptRecord, rerun: Rerun, target: NamedTarget): void {
  printText(`${id} ${event.Type}: ${verdictText(rerun)}`);
  print(...differenceLines(rerun, target));
}

const SUMS: Record<Verdict, string> = {
  same: "the same",
  done: "done that had failed",
  differs: "different",
  fails: "failing",
};

function sumText(replays: Replay[]): string {
  const counts = Object.entries(SUMS).flatMap(([verdict, word]) => {
    const count = replays.filter((each) => each.verdict === verdict).length;
    return count > 0 ? `${count} ${word}` : [];
  });
  return `${countOf(replays.length, "event")}: ${counts.join(", ") || "none for which a handler ran"}`;
}
