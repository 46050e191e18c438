/** Waits until that number more may be sent or asked; false when it is time to stop instead. */
export type RateLimit = (count: number) => Promise<boolean>;

/** `now` in ms. Waiting goes through `delay`, so that tests decide how long it takes. */
export interface RateLimitDeps {
  /** How much of what is counted is let through per second. */
  rate: number;
  now: () => number;
  /** Resolves after that number of milliseconds, or as soon as `stop` wishes it. */
  delay: (ms: number) => Promise<void>;
  stop: AbortSignal;
}

/**
 * Spreads what is counted evenly over time, without bursts. Callers that wait at the same time are served in the order
 * of their calls. A call waits for what was counted before it, not for its own count, so the first one never waits.
 */
export function createRateLimit({ rate, now, delay, stop }: RateLimitDeps): RateLimit {
  let free = now();
  return async (count) => {
    // Taken before the wait: of several that wait, each has a time of its own.
    const mine = Math.max(free, now());
    free = mine + (count / rate) * 1_000;
    const wait = mine - now();
    if (wait > 0 && !stop.aborted) await delay(wait);
    return !stop.aborted;
  };
}
