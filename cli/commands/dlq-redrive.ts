import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { chooser } from "../../lib/dead-letters/groups.ts";
import type { Queue } from "../../lib/dead-letters/queue.ts";
import { emptyTally, type RedriveTally, redrive } from "../../lib/dead-letters/redrive.ts";
import type { SweepOptions } from "../../lib/dead-letters/sweep.ts";
import { createRateLimit } from "../../lib/rate-limit.ts";
import {
  type DeadLetterOptions,
  notFound,
  openQueue,
  targetOf,
  tellRest,
  withSweep,
} from "../dead-letters.ts";
import { countOf } from "../terminal/count.ts";
import { printErrorText, printJson, printText } from "../terminal/print.ts";

/** `all` replaces the name of a group or an event. */
export interface RedriveCommandOptions extends DeadLetterOptions {
  all?: boolean;
  /** Events per second. */
  rate: number;
  dryRun?: boolean;
}

/** `gatehook dlq redrive`: sends events to the events queue again, and removes them from the dead-letter queue. */
export async function dlqRedrive(name: string | undefined, options: RedriveCommandOptions): Promise<void> {
  const target = targetOf(name, options);
  const open = await openQueue("DEAD_LETTERS_QUEUE_URL");
  const { queue: events } = await openQueue("EVENTS_QUEUE_URL");
  const { rate, dryRun } = options;
  const tally = emptyTally();
  const work = (deadLetters: Queue, sweepOptions: SweepOptions) => {
    const { stop } = sweepOptions;
    const pause = (ms: number) => delay(ms, undefined, { signal: stop }).catch(() => {});
    const pace = createRateLimit({ rate, now: Date.now, delay: pause, stop });
    const perCall = Math.max(1, Math.floor(rate));
    return redrive(
      { deadLetters, events, pace, now: Date.now, newId: randomUUID },
      { ...sweepOptions, chosen: chooser(target), perCall, dryRun },
      tally,
    );
  };
  const found = await withSweep(open, options, work, () => `, ${tally.sent} sent`).catch((thrown) => {
    if (tally.sent > 0) tell(tally, false, options);
    throw thrown;
  });
  tellRest(open, found, options.max);
  const complete = found.end === "empty";
  if (target !== undefined && tally.chosen === 0) throw notFound(target, found.read);
  tell(tally, complete, options);
  if (tally.failed.length + tally.not_removed > 0 || (!complete && !dryRun)) process.exitCode = 1;
}

/** The maximum number of failures to print. */
const FAILURES = 10;

function tell(tally: RedriveTally, complete: boolean, { json, dryRun = false }: RedriveCommandOptions): void {
  const { chosen, sent, not_removed, later, failed } = tally;
  if (json) {
    printJson({ dry_run: dryRun, complete, ...tally });
    return;
  }
  const count = dryRun ? chosen - later : sent;
  printText(`${countOf(count, "event")} ${dryRun ? "would be " : ""}sent to the events queue`);
  if (later > 0)
    printText(
      `${countOf(later, "dead letter")} left for another redrive: they came, or their events failed again, since this one began`,
    );
  for (const { event_id, error } of failed.slice(0, FAILURES))
    printErrorText(`not sent: event ${event_id}: ${error}`);
  if (failed.length > FAILURES) printErrorText(`not sent: ${failed.length - FAILURES} more`);
  if (not_removed > 0)
    printErrorText(
      `${countOf(not_removed, "event")} sent, but still in the dead-letter queue too: redrive again, and the ledger makes sure that each has its effect once`,
    );
}
