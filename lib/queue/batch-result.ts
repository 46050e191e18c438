import { errorText } from "../errors.ts";
import type { Recorder } from "../history/recorder.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { SendDeadLetter, Verdict } from "./dead-letters.ts";
import { type QueueRecord, receives } from "./records.ts";
import type { Requeue } from "./requeue.ts";
import type { RetryDelay } from "./retry-delay.ts";
import type { ChangeVisibility } from "./visibility.ts";

/** The ways to end the delivery of a record. */
export interface BatchResultDeps {
  sendDeadLetter: SendDeadLetter;
  changeVisibility: ChangeVisibility;
  requeue: Requeue;
  retryDelay: RetryDelay;
  /** The queue's maxReceiveCount: at this receive a record that is not done becomes a dead letter, with the reason. */
  receiveLimit: number;
  log: Log;
  metrics: Metrics;
  history?: Recorder | undefined;
}

/** How a record is returned to the queue. */
export interface Stay {
  /** How long until it is delivered again; the default is the retry delay for its receives. */
  seconds?: number | undefined;
  /** True if nothing failed, and other events were done instead: then its receives do not count. */
  blameless?: boolean;
}

/** The results of a batch's records. A record without a result stays in the queue. */
export interface BatchResult {
  /** The record is proven done, or has no handler. */
  done(records: QueueRecord[]): void;
  /** The record is not done, for this reason, and will be delivered again. */
  stay(records: QueueRecord[], verdict: Verdict, how?: Stay): void;
  /** The record becomes a dead letter: it is acknowledged after its body is in the dead-letter queue. */
  giveUp(records: QueueRecord[], verdict: Verdict): Promise<void>;
  /** Makes the records of earlier `stay` calls visible again now, instead of at the end. Never throws. */
  release(records: QueueRecord[]): Promise<void>;
  /**
   * The ids of the messages that SQS must deliver again. Never throws; `why` is the reason for records without a
   * result.
   */
  close(why: Verdict): Promise<string[]>;
}

/** For one invocation. If a dead letter cannot be sent, its record stays in the queue. */
export function createBatchResult(batch: QueueRecord[], deps: BatchResultDeps): BatchResult {
  const { log, metrics } = deps;
  const open = new Map(batch.map((record) => [record.messageId, record]));
  const stays = new Map<string, { verdict: Verdict } & Stay>();
  const released = new Set<string>();

  const done = (records: QueueRecord[]) => {
    for (const { messageId } of records) open.delete(messageId);
  };

  async function giveUpOne(record: QueueRecord, verdict: Verdict): Promise<void> {
    const facts = {
      message_id: record.messageId,
      event_id: verdict.eventId,
      reason: verdict.reason,
      handler: verdict.handler,
      release: verdict.release,
      error: verdict.error,
    };
    try {
      await deps.sendDeadLetter(record, verdict);
      log.error("event to the dead letters", facts);
      metrics.countBy("DeadLetters", verdict.reason);
      deps.history?.dead(record);
      done([record]);
    } catch (thrown) {
      const cause = errorText(thrown);
      log.error("dead letter not sent, SQS will deliver the event again", { ...facts, cause });
      stays.set(record.messageId, { verdict });
    }
  }

  async function giveUp(records: QueueRecord[], verdict: Verdict): Promise<void> {
    for (const record of records) await giveUpOne(record, verdict);
  }

  /** Replaces the message by a copy, whose receives count from 1 again: the queue always has one of them or both. */
  async function requeue(record: QueueRecord, { verdict, seconds = 0 }: { verdict: Verdict } & Stay) {
    const facts = { message_id: record.messageId, event_id: verdict.eventId, receives: receives(record) };
    try {
      await deps.requeue(record, { eventId: verdict.eventId, seconds });
      log.info("event sent to the queue as a new message", facts);
      metrics.count("EventsRequeued");
      done([record]);
    } catch (thrown) {
      log.warn("event not sent to the queue as a new message, SQS will deliver it again", {
        ...facts,
        error: errorText(thrown),
      });
    }
  }

  /** Requeues a record, or makes it a dead letter, before its receives reach the limit of SQS, which adds no reason. */
  async function mindReceives(record: QueueRecord, why: Verdict): Promise<void> {
    const stay = stays.get(record.messageId) ?? { verdict: why };
    const inOrder = record.attributes.MessageGroupId !== undefined; // a copy would come after later events
    if (stay.blameless && !inOrder) {
      // At half of the limit: the other half is for receives that no code here sees, such as those of a crash.
      if (receives(record) * 2 >= deps.receiveLimit) await requeue(record, stay);
      return;
    }
    if (receives(record) >= deps.receiveLimit) await giveUpOne(record, stay.verdict);
  }

  async function returnToQueue(records: QueueRecord[], why: Verdict): Promise<void> {
    for (const record of records) await mindReceives(record, why);
    const left = records.filter(({ messageId }) => open.has(messageId));
    if (left.length === 0) return;
    for (const { messageId } of left) released.add(messageId);
    await deps.changeVisibility(
      left.map((record) => {
        const seconds = stays.get(record.messageId)?.seconds ?? deps.retryDelay(receives(record));
        return { record, seconds };
      }),
    );
  }

  return {
    done,
    stay(records, verdict, how = {}) {
      for (const { messageId } of records) stays.set(messageId, { verdict, ...how });
    },
    giveUp,
    release: (records) => returnToQueue(records, { reason: "unstarted", error: "" }),
    async close(why) {
      const silent = [...open.values()].filter(({ messageId }) => !stays.has(messageId));
      metrics.count("EventsFailed", silent.length);
      await returnToQueue(
        [...open.values()].filter(({ messageId }) => !released.has(messageId)),
        why,
      );
      return [...open.keys()];
    },
  };
}
