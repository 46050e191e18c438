import type { Limits } from "../protocol.ts";
import type { Instance } from "./instance.ts";

/** If globals are kept, garbage is kept too, until the engine collects it. */
export interface GcTrigger {
  /** Makes the next run collect garbage, if it is time. */
  beforeRun(): void;
}

/**
 * Small enough that a run's garbage fits into the other half of the memory, and large enough to cost almost nothing.
 */
const RUNS = 32;
/** The threshold of a new runtime. */
const FIRST_THRESHOLD = 256 * 1024;

/**
 * The engine collects garbage after it has allocated a number of bytes, and if built by Emscripten it counts 8 bytes
 * for each allocation, whatever its size. Objects that refer to each other and hold large texts would fill the memory
 * before that, and the next handler would fail because of the garbage of others.
 */
export function createGcTrigger(instance: Instance, limits: Limits): GcTrigger {
  const { memory, layout } = instance;
  const words = new Uint32Array(memory);
  const threshold = findThreshold(instance, words);
  const half = layout.heapEnd() + limits.memoryBytes / 2;
  let runs = 0;
  return {
    beforeRun() {
      runs += 1;
      if (runs < RUNS || layout.heapEnd() < half) return;
      runs = 0;
      words[threshold] = 0;
    },
  };
}

/**
 * The build does not export JS_SetGCThreshold. It is the word that is set again with the next object after it was set
 * to 0.
 */
function findThreshold({ context, layout }: Instance, words: Uint32Array): number {
  const end = layout.heapEnd() / 4;
  const next = (from: number) => words.indexOf(FIRST_THRESHOLD, from);
  for (let at = next(layout.stackHigh / 4); at >= 0 && at < end; at = next(at + 1)) {
    words[at] = 0;
    context.unwrapResult(context.evalCode("({})")).dispose();
    const found = words[at] !== 0;
    words[at] = FIRST_THRESHOLD;
    if (found) return at;
  }
  throw new Error("this build of QuickJS keeps the threshold of its garbage collector elsewhere");
}
