import { factsOf, type LetterFacts } from "./letter.ts";
import type { Queue } from "./queue.ts";
import { type Sweep, type SweepOptions, sweep } from "./sweep.ts";

/** Which letters are deleted. */
export interface RemoveOptions extends SweepOptions {
  chosen: (facts: LetterFacts) => boolean;
  /** Only letters that were in the queue at this time, in ms since 1970: later ones have not been shown yet. */
  before: number;
}

/** In letters. `not_removed`: SQS did not delete them. */
export interface RemoveTally {
  removed: number;
  not_removed: number;
}

/** Deletes the selected letters; `tally` is kept up to date, so that it is correct after an error too. */
export function removeLetters(queue: Queue, options: RemoveOptions, tally: RemoveTally): Promise<Sweep> {
  return sweep(queue, options, async (letters) => {
    const chosen = letters.filter(
      (letter) => letter.sentAt <= options.before && options.chosen(factsOf(letter)),
    );
    const stuck = new Set(await queue.remove(chosen));
    tally.not_removed += stuck.size;
    tally.removed += chosen.length - stuck.size;
    return chosen.filter((letter) => !stuck.has(letter));
  });
}
