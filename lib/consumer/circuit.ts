/**
 * A circuit breaker: after a dependency has failed, this container does not call it for a pause that doubles with each
 * failure; then one batch tries again.
 */
export interface Circuit {
  /** Seconds until the next try; 0 when the circuit is closed. */
  wait(): number;
  failed(): void;
  succeeded(): void;
}

const FIRST_MS = 1_000;
const LONGEST_MS = 60_000;

/**
 * `now` in ms, `random` from 0 to 1. The first pause is up to 1 s, the longest up to 60 s; the upper half of each is
 * random, so that containers do not retry together.
 */
export function createCircuit(deps: { now: () => number; random: () => number }): Circuit {
  let failures = 0;
  let until = 0;
  return {
    wait: () => Math.max(0, Math.ceil((until - deps.now()) / 1000)),
    failed() {
      const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** failures);
      failures += 1;
      until = deps.now() + longest * (0.5 + deps.random() / 2);
    },
    succeeded() {
      failures = 0;
      until = 0;
    },
  };
}
