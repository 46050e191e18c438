/** Waits until this number of further messages or requests is allowed; returns false if it is time to stop. */
export type RateLimit = (count: number) => Promise<boolean>;

/** `now` in ms. Tests replace `delay` to control the waiting time. */
export interface RateLimitDeps {
  /** The number of messages or requests per second. */
  rate: number;
  now: () => number;
  /** Resolves after this number of milliseconds, or when `stop` is aborted. */
  delay: (ms: number) => Promise<void>;
  stop: AbortSignal;
}

/**
 * Spreads messages or requests evenly over time, without bursts. Concurrent callers are served in the order of their
 * calls. A call waits for the counts before it, not for its own, so the first call never waits.
 */
export function createRateLimit({ rate, now, delay, stop }: RateLimitDeps): RateLimit {
  let free = now();
  return async (count) => {
    // Reserved before the wait, so that each concurrent caller has its own time.
    const mine = Math.max(free, now());
    free = mine + (count / rate) * 1_000;
    const wait = mine - now();
    if (wait > 0 && !stop.aborted) await delay(wait);
    return !stop.aborted;
  };
}
