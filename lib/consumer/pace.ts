/** How fast this container processes events, learned from its invocations. */
export interface Pace {
  /** How many events fit into this time; all of them if nothing is known yet. `ms` in milliseconds. */
  fit(ms: number): number;
  /** Records that this number of events took this time. */
  learn(events: number, ms: number): void;
}

/** The weight of the newest invocation. */
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
