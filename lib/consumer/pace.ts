/** How fast this container gets events done, learned from its invocations. */
export interface Pace {
  /** How many events fit into this time; all of them before anything is known. `ms` in milliseconds. */
  fit(ms: number): number;
  /** This number of events took this time. */
  learn(events: number, ms: number): void;
}

/** How much the newest invocation counts. */
const WEIGHT = 0.5;

/** Learns a moving average: the newest invocation counts for half. At least one event always fits. */
export function createPace(): Pace {
  let msPerEvent: number | undefined;
  return {
    fit: (ms) => (msPerEvent ? Math.max(1, Math.floor(ms / msPerEvent)) : Number.POSITIVE_INFINITY),
    learn(events, ms) {
      if (events === 0) return;
      const newest = ms / events;
      msPerEvent = msPerEvent === undefined ? newest : msPerEvent + WEIGHT * (newest - msPerEvent);
    },
  };
}
