import type { Log } from "../../lib/log.ts";
import type { Metrics } from "../../lib/metrics.ts";

const nothing = () => {};

/** Discards logs and metrics of a function, since a command itself prints what happened. */
export const QUIET: { log: Log; metrics: Metrics } = {
  log: { info: nothing, warn: nothing, error: nothing },
  metrics: { count: nothing, countBy: nothing, observe: nothing },
};
