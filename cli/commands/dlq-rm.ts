import { chooser } from "../../lib/dead-letters/groups.ts";
import type { Queue } from "../../lib/dead-letters/queue.ts";
import { removeLetters } from "../../lib/dead-letters/remove.ts";
import { readLetters, type SweepOptions } from "../../lib/dead-letters/sweep.ts";
import {
  type DeadLetterOptions,
  isWhole,
  notFound,
  type OpenQueue,
  openQueue,
  targetOf,
  tellRest,
  withSweep,
} from "../dead-letters.ts";
import { confirm } from "../terminal/confirm.ts";
import { countOf } from "../terminal/count.ts";
import { interruption } from "../terminal/interrupt.ts";
import { printErrorText, printJson, printText } from "../terminal/print.ts";
import { UsageError } from "../terminal/usage.ts";

/** `all` replaces the name of a group or an event; `yes` skips the confirmation. */
export interface RmOptions extends DeadLetterOptions {
  all?: boolean;
  yes?: boolean;
}

/** `gatehook dlq rm`: deletes dead letters, after a confirmation. */
export async function dlqRm(name: string | undefined, options: RmOptions): Promise<void> {
  const target = targetOf(name, options);
  if (!options.yes && !process.stdin.isTTY)
    throw new UsageError(
      "this deletes events permanently, and there is no terminal to confirm it: add --yes",
    );
  const open = await openQueue("DEAD_LETTERS_QUEUE_URL");
  // Letters that arrive after the question was asked are not deleted.
  const before = Date.now();
  if (!options.yes && !(await ask(open, target, options))) {
    printErrorText("gatehook: nothing was deleted");
    process.exitCode = 1;
    return;
  }
  const tally = { removed: 0, not_removed: 0 };
  const work = (queue: Queue, sweepOptions: SweepOptions) =>
    removeLetters(queue, { ...sweepOptions, chosen: chooser(target), before }, tally);
  const found = await withSweep(open, options, work, () => `, ${tally.removed} deleted`).catch((thrown) => {
    if (tally.removed > 0) tell(tally, false, options);
    throw thrown;
  });
  tellRest(open, found, options.max);
  const complete = found.end === "empty";
  if (target !== undefined && tally.removed + tally.not_removed === 0) throw notFound(target, found.read);
  tell(tally, complete, options);
  if (tally.not_removed > 0 || !complete) process.exitCode = 1;
}

async function ask(open: OpenQueue, target: string | undefined, options: RmOptions): Promise<boolean> {
  const chosen = chooser(target);
  let count = 0;
  const found = await withSweep(open, options, (queue, sweepOptions) =>
    readLetters(queue, sweepOptions, (facts) => {
      if (chosen(facts)) count += 1;
    }),
  );
  if (found.end === "stopped") return false;
  if (target !== undefined && count === 0) throw notFound(target, found.read);
  tellRest(open, found, options.max);
  const least = isWhole(open, found) ? "" : "at least ";
  const which = target === undefined ? "all that are there now" : `of ${target}`;
  const question = `delete ${least}${countOf(count, "dead letter")} permanently, ${which}?`;
  return confirm(question, { input: process.stdin, output: process.stderr }, interruption());
}

function tell(tally: { removed: number; not_removed: number }, complete: boolean, { json }: RmOptions): void {
  if (json) {
    printJson({ complete, ...tally });
    return;
  }
  printText(`${countOf(tally.removed, "dead letter")} deleted`);
  if (tally.not_removed > 0)
    printErrorText(`${countOf(tally.not_removed, "dead letter")} could not be deleted`);
}
