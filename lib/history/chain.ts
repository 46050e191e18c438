import type { AttemptRecord, RunRecord } from "./records.ts";

/** A run of a sandbox, and its event. */
export interface Link {
  attempt: AttemptRecord;
  run: RunRecord;
}

/** The maximum number of earlier runs that are repeated before a rerun. */
const MOST_LINKS = 2_000;

/**
 * With global isolation, the earlier runs of a run's sandbox, in order; undefined unless all of them are recorded.
 * `attempts`: those of its container.
 */
export function chainBefore({ used }: RunRecord, attempts: AttemptRecord[]): Link[] | undefined {
  if (!used || used.nth > MOST_LINKS) return undefined;
  if (used.nth === 0) return [];
  const links = new Map<number, Link>();
  for (const attempt of attempts)
    for (const run of attempt.runs) {
      const { load, nth = -1 } = run.used ?? {};
      if (load?.id === used.load.id && nth < used.nth && isWhole(attempt, run))
        links.set(nth, { attempt, run });
    }
  if (links.size < used.nth) return undefined;
  return [...links].sort(([a], [b]) => a - b).map(([, link]) => link);
}

/** Whether the record contains everything that the run saw. */
const isWhole = ({ content }: AttemptRecord, { cut, used }: RunRecord) =>
  content === undefined && !cut && used !== undefined && !used.cut && !used.load.cut;
