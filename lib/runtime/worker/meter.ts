import type { Used } from "../protocol.ts";
import type { RandomState } from "./layout.ts";

/** Records the times and random numbers that scripts read between `begin` and `end`, or replays recorded ones. */
export interface Meter {
  begin(random: RandomState, replay?: Used): void;
  end(): Used;
  /** The clock of the scripts, which the engine reads with Date.now. */
  now(): number;
}

/** The number of clock values that are recorded for one run or one load. */
export const CLOCK_LOOKS = 10_000;
/** For scripts that draw random numbers if the record has none. */
const ANY_SEED = "9e3779b97f4a7c15";

/** `clock`: the real one, in ms since 1970. */
export function createMeter(clock: () => number): Meter {
  let random: RandomState | undefined;
  let before = 0n;
  let given: number[] | undefined;
  let looks: number[] = [];
  let count = 0;
  let last = 0;

  /** After the recorded values, each value is one millisecond later. */
  function look(): number {
    if (!given) return clock();
    const step = given[count] ?? 1;
    return count === 0 ? step : last + step;
  }

  return {
    begin(state, replay) {
      random = state;
      if (replay) state.set(BigInt(`0x${replay.seed ?? ANY_SEED}`));
      before = state.get();
      given = replay && (replay.clock ?? []);
      looks = [];
      count = 0;
      last = 0;
    },
    end() {
      const used: Used = {
        ...(random?.get() !== before && { seed: before.toString(16) }),
        ...(looks.length > 0 && { clock: looks }),
        ...(count > looks.length && { cut: true as const }),
      };
      // Values that the engine reads before the next begin are not recorded.
      given = undefined;
      looks = [];
      count = 0;
      return used;
    },
    now() {
      const time = look();
      if (count < CLOCK_LOOKS) looks.push(time - last);
      count += 1;
      last = time;
      return time;
    },
  };
}
