import type { Metrics } from "../../lib/metrics.ts";

/** Metrics that are discarded. */
export const NO_METRICS: Metrics = { count() {}, countBy() {}, observe() {} };

/** The counts by name, or by name and code. Observed values are counted too. */
export function createTally() {
  const tally: Record<string, number> = {};
  const add = (name: string, value: number) => {
    if (value > 0) tally[name] = (tally[name] ?? 0) + value;
  };
  const metrics: Metrics = {
    count: (name, value = 1) => add(name, value),
    countBy: (name, code) => add(`${name} ${code}`, 1),
    observe: (name) => add(name, 1),
  };
  return { tally, metrics };
}
