import { TASK_ATTRIBUTE } from "../queue/attributes.ts";
import { factsOf, type Letter, type LetterFacts, textOf } from "./letter.ts";
import { type RedriveMessage, redriveMessageOf } from "./redrive-message.ts";
import { createRedriveSend, type RedriveSendDeps, type SendTally } from "./redrive-send.ts";
import { type Sweep, type SweepOptions, sweep } from "./sweep.ts";

/** `now` in ms since 1970: letters that arrived later are left for the next redrive. */
export interface RedriveDeps extends RedriveSendDeps {
  now: () => number;
}

/** Which letters are sent again, and how many the sweep reads. */
export interface RedriveOptions extends SweepOptions {
  chosen: (facts: LetterFacts) => boolean;
  /** The maximum number of events of one call, ten or fewer. */
  perCall?: number;
  /** Only counts the letters, without sending them. */
  dryRun?: boolean | undefined;
}

/** `chosen`: the selected letters, whether or not they could be sent. */
export interface RedriveTally extends SendTally {
  chosen: number;
}

/**
 * Sends the chosen events to the events queue again; `tally` is kept up to date, so that it is correct after an error
 * too.
 */
export async function redrive(
  deps: RedriveDeps,
  options: RedriveOptions,
  tally: RedriveTally,
): Promise<Sweep> {
  const send = createRedriveSend(deps, tally, options.perCall);
  const began = deps.now();
  const seen = new Set<string>();

  /**
   * An event that fails again immediately is back in the queue before the end of the sweep; one redrive sends it only
   * once. An event may have several letters: its own, and one for each of its webhooks.
   */
  function isLater(letter: Letter, { api_id, event_id }: LetterFacts): boolean {
    const name = JSON.stringify([api_id, event_id, textOf(letter, TASK_ATTRIBUTE)]);
    const later = letter.sentAt > began || seen.has(name);
    seen.add(name);
    return later;
  }

  function choose(letters: Letter[]): RedriveMessage[] {
    const messages: RedriveMessage[] = [];
    for (const letter of letters) {
      const facts = factsOf(letter);
      if (!options.chosen(facts)) continue;
      tally.chosen += 1;
      if (isLater(letter, facts)) tally.later += 1;
      else messages.push(redriveMessageOf(letter, facts, deps.events.fifo));
    }
    return messages;
  }

  return sweep(deps.deadLetters, options, async (letters) => {
    const messages = choose(letters);
    return options.dryRun ? [] : send(messages);
  });
}

/** An empty tally; `redrive` changes it in place. */
export const emptyTally = (): RedriveTally => ({ chosen: 0, sent: 0, not_removed: 0, later: 0, failed: [] });
