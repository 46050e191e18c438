import { setImmediate } from "node:timers/promises";

/** Waits, where it is time, until the thread's other work had its turn. */
export type Pause = () => Promise<void>;

/** How long one piece of work may have the thread, in ms. */
const TURN_MS = 5;

/** To be called between the parts of work that is long only as a whole. */
export function createPauses(): Pause {
  let since = performance.now();
  return async () => {
    if (performance.now() - since < TURN_MS) return;
    await setImmediate();
    since = performance.now();
  };
}
