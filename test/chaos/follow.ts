import { setTimeout as delay } from "node:timers/promises";
import type { Accounts } from "./accounts.ts";
import { VISIBILITY_SECONDS } from "./rig.ts";
import type { Traffic } from "./traffic.ts";
import type { ChaosEvent } from "./workload.ts";

export interface Course {
  /** In the order of their sending; an event may be there twice. */
  messages: ChaosEvent[];
  accounts: Accounts;
  traffic: Traffic;
  /** Without progress for so long, it is over. */
  patienceMs: number;
  onLook: (backlog: number) => void;
}

/** Events under way at a time: at most a quarter of all, so that kills can be spread over the run. */
const WINDOW = { min: 50, max: 400, share: 0.25 };
const BATCH = 10;
const LOOK_MS = 400;
/** A message that nobody has acknowledged comes again before this: with an empty queue, nothing can come any more. */
const QUIET_MS = (VISIBILITY_SECONDS + 1) * 1000;

/**
 * Sends the events and looks what becomes of them, until all are accounted for and the queue is empty, or until
 * nothing moves any more. Answers how many messages are left in the queue.
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
