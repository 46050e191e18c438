import type { Metrics } from "../../lib/metrics.ts";

/** Metrics that nobody reads. */
export const NO_METRICS: Metrics = { count() {}, countBy() {}, observe() {} };

/** What was counted: a name, or a name and a code, to how many. What was observed is counted as well. */
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
