import { AppError } from "../errors.ts";
import { openRelease, type Release } from "../releases/release.ts";
import type { RuntimeAssets } from "../runtime/assets.ts";
import type { Session } from "../sessions/session.ts";
import { chainBefore, type Link } from "./chain.ts";
import { type Grade, type Graded, gradeOf, isOutOfTime } from "./grade.ts";
import type { AttemptRecord, RunRecord } from "./records.ts";
import { type LiveHttp, type ReplayDeps, type Sessions, sessionsOf } from "./replay-host.ts";
import { type Planned, planOf } from "./rerun-plan.ts";
import { noteChanges, rerunOne } from "./rerun-run.ts";
import { createRerunRuntimes, type RuntimeOf } from "./rerun-runtimes.ts";
import { pairsOf, type StepPair, stepsOf } from "./steps.ts";

/** The actions of handlers, in the record or now. */
export interface Side {
  release: string;
  outcome: "done" | "failed";
  /** The reason of the first handler that failed. */
  reason?: string;
  error?: string;
  runs: RunRecord[];
}

/**
 * `same`: each handler did the same as in the record. Otherwise `done`: the event failed then, and is done now;
 * `fails`: it fails now; `differs`: it is done, with different actions.
 */
export type Verdict = "same" | "done" | "fails" | "differs";

/** The result of a rerun, compared with the record. */
export interface Rerun {
  verdict: Verdict;
  grade: Grade;
  /** The reasons why it is not exact. */
  why: string[];
  /** Grade `exact` or `chain`: any difference comes from the release. */
  exact: boolean;
  /** The index of the first difference in `diff`. */
  diverged_at: number | null;
  then: Side;
  now: Side;
  /** Handler by handler, step by step. */
  diff: StepPair[];
}

/** The release to run it on. `version`: as in recorded attempts, or any other word for files that are not released. */
export interface Target {
  version: string;
  release: Release;
}

/** Without options, a rerun needs only the attempt itself and sends nothing. */
export interface RerunOptions {
  /** The attempts of its container, if available: with global isolation, the earlier runs are repeated first. */
  attempts?: AttemptRecord[];
  /** Sends the requests whose answers the record does not have. */
  live?: LiveHttp | undefined;
}

/** Runs recorded attempts again. Nothing is written or sent; several on one target share a warm sandbox. */
export interface Reruns {
  /** Throws `not-recorded` for one of grade `outline` or without a run, and `release-invalid` for scripts that do not load. */
  rerun(attempt: AttemptRecord, target: Target, options?: RerunOptions): Promise<Rerun>;
  grade(attempt: AttemptRecord, attempts?: AttemptRecord[]): Graded;
  close(): Promise<void>;
}

/** `engine`: the id of the engine in `assets`, from `engineId`. */
export function createReruns({ assets, engine }: { assets: RuntimeAssets; engine: string }): Reruns {
  const runtimes = createRerunRuntimes(assets);

  return {
    grade: (attempt, attempts) =>
      gradeOf(attempt, engine, chainsOf(attempt, attempts) ? "recorded" : "missing"),
    async rerun(attempt, { version, release }, { attempts, live } = {}) {
      const isSame = version === attempt.release;
      const chains = attempt.isolation === "global" && isSame ? chainsOf(attempt, attempts) : undefined;
      const graded = gradeOf(attempt, engine, chains ? "recorded" : isSame ? "missing" : "another release");
      if (graded.grade === "outline")
        throw new AppError(
          "not-recorded",
          `event ${attempt.id} cannot be run again: ${graded.why.join("; ")}; it can be sent again`,
        );
      if (attempt.runs.length === 0)
        throw new AppError("not-recorded", `event ${attempt.id} cannot be run again: no handler ran for it`);
      const target = openRelease(version, release);
      const planned = planOf(attempt, target, isSame);
      const one = {
        attempt,
        planned,
        how: { live, others: othersOf(attempt) },
      };
      async function once(before?: Link[][]): Promise<Rerun> {
        const runs = await runtimes.use({ attempt, target, chains: before }, (runtimeOf) =>
          rerunAll(one, runtimeOf),
        );
        return resultOf(attempt, graded, version, planned, runs);
      }
      // Most handlers keep no state in the globals: then the earlier runs make no difference and are not repeated.
      const alone = await once();
      return alone.verdict === "same" || !chains || isFirstOfAll(chains) ? alone : once(chains);
    },
    close: runtimes.close,
  };
}

const isFirstOfAll = (chains: Link[][]) => chains.every((chain) => chain.length === 0);

/** For each run the earlier runs of its sandbox; undefined if they are not recorded. */
function chainsOf({ runs }: AttemptRecord, attempts: AttemptRecord[] = []): Link[][] | undefined {
  const chains = runs.map((run) => chainBefore(run, attempts));
  return chains.every((chain) => chain !== undefined) ? chains : undefined;
}

const othersOf = ({ runs }: AttemptRecord): Sessions =>
  new Map(runs.toReversed().flatMap((run) => [...sessionsOf(run)]));

interface OneRerun {
  attempt: AttemptRecord;
  planned: Planned[];
  how: Omit<ReplayDeps, "changed" | "onWrite" | "onName">;
}

async function rerunAll(
  { attempt, planned, how }: OneRerun,
  runtimeOf: RuntimeOf,
): Promise<(RunRecord | undefined)[]> {
  const changed = new Map<string, Session | undefined>();
  const runs: (RunRecord | undefined)[] = [];
  for (const { recorded, run } of planned) {
    const now = run && (await rerunOne(attempt, run, await runtimeOf(run), { ...how, changed }));
    noteChanges(changed, recorded, now);
    runs.push(now?.record);
  }
  return runs;
}

function resultOf(
  attempt: AttemptRecord,
  { grade, why }: Graded,
  version: string,
  planned: Planned[],
  runs: (RunRecord | undefined)[],
): Rerun {
  const diff = planned.flatMap(({ recorded }, at) => pairsFor(recorded, runs[at]));
  const first = diff.findIndex(({ same }) => !same);
  const then = sideOf(attempt.release ?? "", attempt.runs);
  const now = sideOf(
    version,
    runs.flatMap((run) => run ?? []),
  );
  return {
    verdict: verdictOf(first >= 0, then, now),
    grade,
    why,
    exact: grade === "exact" || grade === "chain",
    diverged_at: first < 0 ? null : first,
    then,
    now,
    diff,
  };
}

function pairsFor(then: RunRecord | undefined, now: RunRecord | undefined): StepPair[] {
  const stepsThen = then ? stepsOf(then) : [];
  const stepsNow = now ? stepsOf(now) : [];
  const handler = (then ?? now)?.handler ?? "";
  if (!then || !isOutOfTime(then)) return pairsOf(handler, stepsThen, stepsNow);
  // The place where it timed out is not the place where another run would.
  const shown = stepsThen.slice(0, -1);
  return pairsOf(handler, shown, stepsNow.slice(0, shown.length));
}

function verdictOf(differs: boolean, then: Side, now: Side): Verdict {
  if (!differs) return "same";
  if (now.outcome === "failed") return "fails";
  return then.outcome === "failed" ? "done" : "differs";
}

function sideOf(release: string, runs: RunRecord[]): Side {
  const failed = runs.find(({ outcome }) => outcome === "failed");
  const { reason, error } = failed ?? {};
  return {
    release,
    outcome: failed ? "failed" : "done",
    ...(reason && { reason }),
    ...(error && { error }),
    runs,
  };
}
