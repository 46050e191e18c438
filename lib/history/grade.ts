import type { AttemptRecord, RunRecord } from "./records.ts";

/**
 * How certain it is that a rerun on the same release does the same. `exact`: the record contains everything that the
 * handlers saw. `chain`: the same, if the earlier runs of its sandbox are repeated first. `inputs`: the event, the
 * answers and other data are recorded, but a difference may come from data that is not. `outline`: nothing can be run
 * again.
 */
export type Grade = "exact" | "chain" | "inputs" | "outline";

/** The grade of a recorded event, with the reasons why it is not exact. */
export interface Graded {
  grade: Grade;
  why: string[];
}

/** With global isolation, whether the earlier runs of its sandbox can be repeated before it. */
export type Before = "recorded" | "missing" | "another release";

/** `engine`: that of the machine of the rerun. */
export function gradeOf(attempt: AttemptRecord, engine: string, before: Before): Graded {
  const { content, runs, isolation } = attempt;
  if (content !== undefined) return { grade: "outline", why: ["what was in it was taken out"] };
  if (runs.some(({ cut }) => cut))
    return { grade: "outline", why: ["there was more text than a record holds"] };
  const why = [
    ...(attempt.engine === engine ? [] : ["it ran on another version of the engine"]),
    ...new Set(runs.flatMap(gapsOf)),
  ];
  const isFirst = isolation === "event" || runs.every(({ used }) => used?.nth === 0);
  if (!isFirst && before !== "recorded") why.push(GLOBALS[before]);
  if (why.length > 0) return { grade: "inputs", why };
  return { grade: isFirst ? "exact" : "chain", why };
}

const GLOBALS = {
  missing: "not all is recorded that ran before it in its sandbox",
  "another release": "on another release, its globals start as the scripts leave them",
};

/** A rerun stops at the same place as such a run. */
export const isOutOfTime = ({ reason }: RunRecord) =>
  reason === "handler-timeout" || reason === "handler-killed";

function gapsOf(run: RunRecord): string[] {
  const { used, reason, calls } = run;
  if (isOutOfTime(run)) return ["its time was over, and no rerun takes the same time"];
  if (reason === "commit-impossible") return ["it failed after its script, when its work was to be stored"];
  if (reason === "dependency-failed" && !calls.some(({ failure }) => failure))
    return ["it failed while it waited for a table"];
  if (!used) return ["what it took of clock and chance is not recorded"];
  if (used.cut || used.load.cut) return ["it looked at the clock more often than a record holds"];
  return [];
}
