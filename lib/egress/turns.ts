import { setImmediate } from "node:timers/promises";

/** Waits, if it is time, until the thread's other work has had its turn. */
export type Pause = () => Promise<void>;

/** The maximum time that one task may occupy the thread, in ms. */
const TURN_MS = 5;

/** Call it between the short parts of a long task. */
export function createPauses(): Pause {
  let since = performance.now();
  return async () => {
    if (performance.now() - since < TURN_MS) return;
    await setImmediate();
    since = performance.now();
  };
}
