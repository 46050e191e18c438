import type { AttemptRecord } from "./records.ts";

/** Which attempts a deployment keeps, in addition to those that failed or were slow. */
export interface Keeping {
  /** `failed`: nothing more. `sampled`: a share of the others. `all`: the others too. */
  history: "failed" | "sampled" | "all";
  /** From 0 to 1. */
  share: number;
  /** Attempts of at least this duration are kept too, in ms. */
  slowMs: number;
  random: () => number;
}

type Facts = Pick<AttemptRecord, "outcome" | "n" | "ms" | "conflicts">;

/** Whether an attempt is to be kept. */
export function createKeeping({ history, share, slowMs, random }: Keeping): (attempt: Facts) => boolean {
  return (attempt) => {
    if (history === "all" || isTrouble(attempt, slowMs)) return true;
    return history === "sampled" && random() < share;
  };
}

/**
 * Attempts that only wait for a dependency or for time are not kept, since an outage causes thousands. The outcome of a
 * retried event is kept, or an event that failed once would be shown as failed forever.
 */
function isTrouble({ outcome, n, ms, conflicts = 0 }: Facts, slowMs: number): boolean {
  if (ms >= slowMs || conflicts > 0) return true;
  if (outcome === "done") return n > 1;
  return outcome !== "unstarted" && outcome !== "handed-back";
}

/** The number of seconds of allowance that a burst may use up immediately. */
const BURST_SECONDS = 10;

/**
 * Returns how many of a number of attempts may be kept now: on average `perSecond`, so that a bad release has a limited
 * cost.
 */
export function createAllowance(perSecond: number, now: () => number): (wanted: number) => number {
  const most = perSecond * BURST_SECONDS;
  let left = most;
  let at = now();
  return (wanted) => {
    const time = now();
    left = Math.min(most, left + (Math.max(0, time - at) / 1000) * perSecond);
    at = time;
    const allowed = Math.min(wanted, Math.floor(left));
    left -= allowed;
    return allowed;
  };
}
