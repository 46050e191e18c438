import { setTimeout as delay } from "node:timers/promises";
import type { Accounts } from "./accounts.ts";
import { VISIBILITY_SECONDS } from "./rig.ts";
import type { Traffic } from "./traffic.ts";
import type { ChaosEvent } from "./workload.ts";

export interface Course {
  /** In the order of sending; may contain an event twice. */
  messages: ChaosEvent[];
  accounts: Accounts;
  traffic: Traffic;
  /** It ends after this time without progress. */
  patienceMs: number;
  onLook: (backlog: number) => void;
}

/** The number of events in progress at a time: at most a quarter of all, so that kills can be spread over the run. */
const WINDOW = { min: 50, max: 400, share: 0.25 };
const BATCH = 10;
const LOOK_MS = 400;
/** An unacknowledged message is delivered again within this time: after it, an empty queue remains empty. */
const QUIET_MS = (VISIBILITY_SECONDS + 1) * 1000;

/**
 * Sends the events and follows their results, until all are known and the queue is empty, or until there is no more
 * progress. Returns the number of messages that remain in the queue.
 */
export async function follow({ messages, accounts, traffic, patienceMs, onLook }: Course): Promise<number> {
  const window = Math.min(WINDOW.max, Math.max(WINDOW.min, messages.length * WINDOW.share));
  let sent = 0;
  let moved = { state: "", at: 0 };
  for (;;) {
    while (sent < messages.length && accounts.sent - accounts.accounted < window) {
      await traffic.send(messages.slice(sent, sent + BATCH));
      sent += BATCH;
    }
    const backlog = await traffic.backlog();
    await traffic.readDeadLetters();
    await traffic.readMarks(accounts.outstanding());
    onLook(backlog);
    const over = sent >= messages.length && backlog === 0;
    const open = accounts.sent - accounts.accounted;
    if (over && open === 0) return backlog;
    const state = `${sent} ${open} ${backlog}`;
    if (state !== moved.state) moved = { state, at: performance.now() };
    if (performance.now() - moved.at > (over ? QUIET_MS : patienceMs)) return backlog;
    await delay(LOOK_MS);
  }
}
