import type { AttemptRecord, RunRecord } from "./records.ts";

/**
 * How sure a rerun on the same release is to do the same. `exact`: all that the handlers saw is in the record. `chain`:
 * that too, once the runs before it in its sandbox are run again. `inputs`: the event, the answers and what else is
 * recorded; a difference may come from what is not. `outline`: nothing can be run again.
 */
export type Grade = "exact" | "chain" | "inputs" | "outline";

/** The grade of a recorded event, with what keeps it from being exact. */
export interface Graded {
  grade: Grade;
  why: string[];
}

/** Under global isolation, whether what its sandbox had run before can be run before it. */
export type Before = "recorded" | "missing" | "another release";

/** `engine`: of the machine that reruns it. */
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

/** A rerun stops where such a run did. */
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
