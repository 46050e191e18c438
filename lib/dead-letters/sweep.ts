import { CALL_MESSAGES } from "../events/send.ts";
import { factsOf, type Letter, type LetterFacts } from "./letter.ts";
import type { Queue } from "./queue.ts";

/** How far a sweep goes. */
export interface SweepOptions {
  /** At most this number of letters is passed over; those that are taken off the queue do not count. */
  most: number;
  /** Ends it after the letters in hand. */
  stop: AbortSignal;
  onRead?: (read: number) => void;
}

/** How a sweep ended. */
export interface Sweep {
  /** Different letters that were read. */
  read: number;
  /** `empty`: the queue has no other; `most`: it may have more; `stopped`: by the signal. */
  end: "empty" | "most" | "stopped";
  /** Letters that are not back in the queue yet, but come back by themselves. */
  hidden: number;
}

/**
 * Reads every letter of the queue once. `take` is given them as they come, and answers those that it has taken off
 * the queue. SQS has no other way to look than to receive, so the others are hidden from everybody meanwhile; at the
 * end, however it comes, they are made visible again.
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

/** Shows each letter to `look`, and takes none. */
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
