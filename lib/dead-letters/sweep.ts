import { CALL_MESSAGES } from "../events/send.ts";
import { factsOf, type Letter, type LetterFacts } from "./letter.ts";
import type { Queue } from "./queue.ts";

/** The limits of a sweep. */
export interface SweepOptions {
  /** The maximum number of skipped letters; those that are removed from the queue do not count. */
  most: number;
  /** Ends the sweep after the letters that were already received. */
  stop: AbortSignal;
  onRead?: (read: number) => void;
}

/** How a sweep ended. */
export interface Sweep {
  /** The number of different letters that were read. */
  read: number;
  /** `empty`: the queue has no other letters; `most`: it may have more; `stopped`: by the signal. */
  end: "empty" | "most" | "stopped";
  /** The number of letters that are still hidden, and become visible by themselves. */
  hidden: number;
}

/**
 * Reads every letter of the queue once. `take` is called with the letters of each response, and returns those that it
 * has removed from the queue. SQS can only show messages by receiving them, so the others are hidden from all readers
 * meanwhile; at the end, even after an error, they are made visible again.
 */
export async function sweep(
  queue: Queue,
  { most, stop, onRead }: SweepOptions,
  take: (letters: Letter[]) => Promise<Letter[]>,
): Promise<Sweep> {
  const passed = new Map<string, Pick<Letter, "messageId" | "receiptHandle">>();
  const found: Sweep = { read: 0, end: "most", hidden: 0 };
  try {
    while (passed.size < most) {
      if (stop.aborted) {
        found.end = "stopped";
        break;
      }
      const letters = await queue.receive(Math.min(most - passed.size, CALL_MESSAGES));
      if (letters.length === 0) {
        found.end = "empty";
        break;
      }
      // A skipped message is received again if a sweep takes longer than it is hidden: its handle is a new one.
      const fresh = letters.filter(({ messageId }) => !passed.has(messageId));
      for (const { messageId, receiptHandle } of letters) passed.set(messageId, { messageId, receiptHandle });
      found.read += fresh.length;
      onRead?.(found.read);
      for (const { messageId } of await take(fresh)) passed.delete(messageId);
    }
  } finally {
    found.hidden = await queue.release([...passed.values()]);
  }
  return found;
}

/** Calls `look` with each letter, and removes none. */
export function readLetters(
  queue: Queue,
  options: SweepOptions,
  look: (facts: LetterFacts, letter: Letter) => void,
): Promise<Sweep> {
  return sweep(queue, options, async (letters) => {
    for (const letter of letters) look(factsOf(letter), letter);
    return [];
  });
}
