import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { BatchResult } from "../queue/batch-result.ts";
import type { Reason } from "../queue/dead-letters.ts";
import type { Delivery } from "../queue/delivery.ts";
import type { LiveRelease } from "../releases/release.ts";
import type { SendTask, Task } from "../tasks/tasks.ts";
import type { Attempted, OwnWebhook } from "./attempt.ts";
import { offKey, type WebhookStore } from "./store.ts";
import { DELAYS, MAX_DELAY_SECONDS, retryDelay } from "./verdict.ts";

/** The dependencies for ending or retrying a webhook. */
export interface FateDeps {
  store: Pick<WebhookStore, "done" | "switchOff" | "unclaim">;
  sendTask: SendTask;
  /** In ms since 1970. */
  now: () => number;
  /** From 0 to 1. */
  random: () => number;
  log: Log;
  metrics: Metrics;
}

/** One webhook of a batch, with its definition in the release. */
export interface One {
  delivery: Delivery;
  task: Task;
  webhook: OwnWebhook;
}

/** A webhook with its body. */
export interface Printed extends One {
  /** The key of equal bodies, of which only one is delivered within a cool-down. */
  cooldown: string | undefined;
}

/** The outcomes of a webhook: each of these ends its message. All throw `dependency-failed`. */
export interface Fate {
  /** It is done, or need not be sent. */
  finish(): Promise<void>;
  /** It is retried, and this does not count as an attempt. */
  wait(seconds: number): Promise<void>;
  /** The target does not answer other webhooks: this one is not sent, and this does not count as an attempt. */
  postpone(seconds: number): Promise<void>;
  /** Its request failed: it is retried later, or this was the last attempt. */
  retry(failed: Attempted, reason: string, retryAfter?: number): Promise<void>;
  /** Its target no longer accepts webhooks. */
  switchOff(refused: Attempted, reason: string): Promise<void>;
  /** It becomes a dead letter, and webhooks with an equal body no longer wait for it. */
  giveUp(reason: Reason, error: string, answer?: string): Promise<void>;
  /** This invocation has no time left for it. */
  leave(): void;
}

/** How long after its first request a webhook becomes a dead letter, even if it was postponed since. */
const GIVE_UP_SECONDS = DELAYS.reduce((sum, delay) => sum + delay, 0);
/** The longest time from the first request of a webhook to the last one. */
export const LIFE_SECONDS = GIVE_UP_SECONDS + MAX_DELAY_SECONDS;
/** The longest pause for a target that does not answer. */
const POSTPONED_SECONDS = 3_600;

/**
 * For one webhook of one batch. Its message leaves the queue only after its end was recorded, or another message
 * replaced it.
 */
export function fateOf(
  { store, sendTask, now, random, log, metrics }: FateDeps,
  { delivery, task, webhook, cooldown }: Printed,
  { release, result }: { release: LiveRelease; result: BatchResult },
): Fate {
  const { envelope, identity, records } = delivery;
  const facts = { event_id: envelope.id, api_id: envelope.api_id, handler: task.entry };
  const names = { eventId: envelope.id, handler: task.entry, release: release.version };
  const since = task.since || Math.floor(now() / 1000);
  const isTooOld = () => now() / 1000 - since >= GIVE_UP_SECONDS;

  /** Replaces the message by a copy: the queue has one of them or both, and both are the same webhook. */
  async function comeAgain(seconds: number, change: Partial<Task>): Promise<void> {
    const [record] = records;
    const due = Math.ceil(now() / 1000 + seconds);
    if (record) await sendTask(record, envelope.id, { ...task, ...change, due });
    result.done(records);
  }

  async function giveUp(reason: Reason, error: string, said?: string): Promise<void> {
    if (cooldown) await store.unclaim(cooldown, identity);
    await result.giveUp(records, { reason, error, ...names, answer: said });
  }

  return {
    giveUp,
    async finish() {
      await store.done(identity);
      result.done(records);
    },
    wait: (seconds) => comeAgain(seconds, {}),
    async postpone(seconds) {
      if (isTooOld()) return giveUp("webhook-failed", "the target was not reached in time by any webhook");
      metrics.count("WebhooksPostponed");
      const spread = Math.min(POSTPONED_SECONDS, 5 * 2 ** task.postponed);
      await comeAgain(seconds + random() * spread, { since, postponed: task.postponed + 1 });
    },
    async retry({ status, answer: said }, reason, retryAfter) {
      const attempts = task.attempts + 1;
      const seconds = retryDelay(attempts, random(), retryAfter);
      metrics.count("WebhooksFailed");
      const told = { ...facts, attempt: attempts, status, error: reason };
      if (seconds === undefined || isTooOld()) {
        log.warn("webhook failed for the last time", told);
        return giveUp("webhook-failed", `${reason}, at attempt ${attempts}`, said);
      }
      log.warn("webhook failed", { ...told, seconds });
      await comeAgain(seconds, { attempts, since, postponed: 0 });
    },
    async switchOff({ answer: said }, reason) {
      const at = new Date(now()).toISOString();
      const { api_id: apiId } = envelope;
      await store.switchOff(offKey(apiId, webhook), { apiId, entry: task.entry, at });
      log.error("webhook switched off: it comes back with a release in which its entry differs", facts);
      metrics.count("WebhooksGone");
      await giveUp("webhook-gone", reason, said);
    },
    leave() {
      const error = "at every receive no time was left for it";
      result.stay(records, { reason: "unstarted", error, ...names }, { seconds: 0, blameless: true });
    },
  };
}
