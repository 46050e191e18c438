import type { AttemptRecord, RunRecord } from "./records.ts";

/** A run that a sandbox had, and its event. */
export interface Link {
  attempt: AttemptRecord;
  run: RunRecord;
}

/** More of them are not run again before one. */
const MOST_LINKS = 2_000;

/**
 * Under global isolation, what a run's sandbox had run before it, in order; undefined unless all of that is recorded.
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

/** Whether all that the run saw is in its record. */
const isWhole = ({ content }: AttemptRecord, { cut, used }: RunRecord) =>
  content === undefined && !cut && used !== undefined && !used.cut && !used.load.cut;
