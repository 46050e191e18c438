import { errorText } from "../errors.ts";
import type { Recorder } from "../history/recorder.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { SendDeadLetter, Verdict } from "./dead-letters.ts";
import { type QueueRecord, receives } from "./records.ts";
import type { Requeue } from "./requeue.ts";
import type { RetryDelay } from "./retry-delay.ts";
import type { ChangeVisibility } from "./visibility.ts";

/** What ends a record's delivery one way or the other. */
export interface BatchResultDeps {
  sendDeadLetter: SendDeadLetter;
  changeVisibility: ChangeVisibility;
  requeue: Requeue;
  retryDelay: RetryDelay;
  /** The queue's maxReceiveCount: at this receive what is not done becomes a dead letter here, with its reason. */
  receiveLimit: number;
  log: Log;
  metrics: Metrics;
  history?: Recorder | undefined;
}

/** How a record stays in the queue. */
export interface Stay {
  /** How long until it comes again; by default the retry delay for its receives. */
  seconds?: number | undefined;
  /** True when nothing failed: other events were done in its place. Its receives do not count then. */
  blameless?: boolean;
}

/** What becomes of a batch's records. A record of which nothing is said stays in the queue. */
export interface BatchResult {
  /** It is proven done, or has no work. */
  done(records: QueueRecord[]): void;
  /** It is not done, for this reason, and comes again. */
  stay(records: QueueRecord[], verdict: Verdict, how?: Stay): void;
  /** It is given up: acknowledged once its body is in the dead-letter queue. */
  giveUp(records: QueueRecord[], verdict: Verdict): Promise<void>;
  /** Makes records that `stay` was called for visible again now, rather than at the end. Never throws. */
  release(records: QueueRecord[]): Promise<void>;
  /** Ids of the messages that SQS must deliver again. Never throws; `why` counts for records without a verdict. */
  close(why: Verdict): Promise<string[]>;
}

/** For one invocation. A dead letter that cannot be sent leaves its record in the queue. */
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

  /** A copy of the message, whose receives count from 1 again, takes its place: the queue has one or both. */
  async function startAnew(record: QueueRecord, { verdict, seconds = 0 }: { verdict: Verdict } & Stay) {
    const facts = { message_id: record.messageId, event_id: verdict.eventId, receives: receives(record) };
    try {
      await deps.requeue(record, { eventId: verdict.eventId, seconds });
      log.info("event put on the queue anew", facts);
      metrics.count("EventsRequeued");
      done([record]);
    } catch (thrown) {
      log.warn("event not put on the queue anew, SQS will deliver it again", {
        ...facts,
        error: errorText(thrown),
      });
    }
  }

  /** Requeues a record, or gives it up, before its receives reach the limit of SQS, which names no reason. */
  async function mindReceives(record: QueueRecord, why: Verdict): Promise<void> {
    const stay = stays.get(record.messageId) ?? { verdict: why };
    const inOrder = record.attributes.MessageGroupId !== undefined; // a copy would come after later events
    if (stay.blameless && !inOrder) {
      if (receives(record) * 2 >= deps.receiveLimit) await startAnew(record, stay);
      return;
    }
    if (receives(record) >= deps.receiveLimit) await giveUpOne(record, stay.verdict);
  }

  async function letGo(records: QueueRecord[], why: Verdict): Promise<void> {
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
    release: (records) => letGo(records, { reason: "unstarted", error: "" }),
    async close(why) {
      const silent = [...open.values()].filter(({ messageId }) => !stays.has(messageId));
      metrics.count("EventsFailed", silent.length);
      await letGo(
        [...open.values()].filter(({ messageId }) => !released.has(messageId)),
        why,
      );
      return [...open.keys()];
    },
  };
}
