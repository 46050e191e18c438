/** Seconds from a failed delivery to the next. */
export type RetryDelay = (receives: number) => number;

/** Twice as long after each receive, at most `maxSeconds`; a random part between half of that and all of it. */
export function createRetryDelay(deps: {
  baseSeconds: number;
  maxSeconds: number;
  random: () => number;
}): RetryDelay {
  return (receives) => {
    const longest = Math.min(deps.maxSeconds, deps.baseSeconds * 2 ** (Math.max(1, receives) - 1));
    return Math.ceil(longest * (0.5 + deps.random() / 2));
  };
}
