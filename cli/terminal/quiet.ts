import type { Log } from "../../lib/log.ts";
import type { Metrics } from "../../lib/metrics.ts";

const nothing = () => {};

/** For what a function would log and count: a command says itself what happened. */
export const QUIET: { log: Log; metrics: Metrics } = {
  log: { info: nothing, warn: nothing, error: nothing },
  metrics: { count: nothing, countBy: nothing, observe: nothing },
};
