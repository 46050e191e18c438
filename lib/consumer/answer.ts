import { errorText } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { SendDeadLetter, Verdict } from "./dead-letters.ts";
import type { HandBack } from "./hand-back.ts";
import { type QueueRecord, receives } from "./records.ts";
import type { RetryDelay } from "./retry-delay.ts";

export interface AnswerDeps {
  sendDeadLetter: SendDeadLetter;
  handBack: HandBack;
  retryDelay: RetryDelay;
  /** The queue's maxReceiveCount: at this receive what is not done becomes a dead letter here, with its reason. */
  receiveLimit: number;
  log: Log;
  metrics: Metrics;
}

/** What becomes of a batch's records. A record of which nothing is said stays in the queue. */
export interface Answer {
  /** It is proven done, or has no work. */
  done(records: QueueRecord[]): void;
  /** It is not done, for this reason: it comes again after so many seconds, or as its receives say. */
  stay(records: QueueRecord[], verdict: Verdict, seconds?: number): void;
  /** It is given up: acknowledged once its body is in the dead-letter queue. */
  giveUp(records: QueueRecord[], verdict: Verdict): Promise<void>;
  /** Ids of the messages that SQS must deliver again. Never throws; `why` is said of what nothing was said of. */
  close(why: Verdict): Promise<string[]>;
}

export function createAnswer(batch: QueueRecord[], deps: AnswerDeps): Answer {
  const { log, metrics } = deps;
  const open = new Map(batch.map((record) => [record.messageId, record]));
  const stays = new Map<string, { verdict: Verdict; seconds?: number | undefined }>();

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

  return {
    done,
    stay(records, verdict, seconds) {
      for (const { messageId } of records) stays.set(messageId, { verdict, seconds });
    },
    giveUp,
    async close(why) {
      const silent = [...open.values()].filter(({ messageId }) => !stays.has(messageId));
      metrics.count("EventsFailed", silent.length);
      const verdictOf = ({ messageId }: QueueRecord) => stays.get(messageId)?.verdict ?? why;
      for (const record of [...open.values()]) {
        if (receives(record) >= deps.receiveLimit) await giveUpOne(record, verdictOf(record));
      }
      await deps.handBack(
        [...open.values()].map((record) => {
          const seconds = stays.get(record.messageId)?.seconds ?? deps.retryDelay(receives(record));
          return { record, seconds };
        }),
      );
      return [...open.keys()];
    },
  };
}
