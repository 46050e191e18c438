import type { ErrorCode } from "../errors.ts";
import { MESSAGE_BYTES } from "../events/event.ts";
import { type QueueSender, queueText } from "../events/send.ts";
import type { FailureCode } from "../runtime/protocol.ts";
import { freshTask } from "../tasks/tasks.ts";
import { ANSWER_BYTES } from "../webhooks/verdict.ts";
import { TASK_ATTRIBUTE, type VerdictAttribute } from "./attributes.ts";
import { type QueueRecord, receives } from "./records.ts";

/** Why an event is not done: a coded error, how its handler failed, or that its turn did not come. */
export type Reason = ErrorCode | `handler-${FailureCode}` | "unstarted" | "unfinished";

/** Why an event was given up on. */
export interface Verdict {
  reason: Reason;
  error: string;
  eventId?: string | undefined;
  handler?: string | undefined;
  release?: string | undefined;
  /** The beginning of what a webhook's target said. */
  answer?: string | undefined;
}

/** Throws when the dead-letter queue does not have it: the record must stay in its own queue then. */
export type SendDeadLetter = (record: QueueRecord, verdict: Verdict) => Promise<void>;

/** The longest attribute; what a target said is a kilobyte already. */
const ATTRIBUTE_CHARS = 1_000;
/** What SQS counts of an attribute beside its name and its text. */
const TYPE = "String";

/** Sends a record's body, unchanged, to the dead-letter queue, with what became of it as attributes. */
export function createDeadLetters(send: QueueSender): SendDeadLetter {
  return async (record, { reason, error, eventId, handler, release, answer }) => {
    // By how much they are needed: beside a body of nearly 1 MiB there may be no room for the last.
    const told: Record<VerdictAttribute, string | undefined> = {
      reason,
      handler,
      release,
      receives: String(receives(record)),
      error,
      answer,
    };
    const facts = {
      event_id: eventId,
      api_id: record.messageAttributes.api_id?.stringValue,
      [TASK_ATTRIBUTE]: freshTask(record),
      ...told,
    };
    let room = MESSAGE_BYTES - Buffer.byteLength(record.body);
    const attributes = Object.entries(facts).flatMap(([name, value]) => {
      const text = queueText((value ?? "").slice(0, name === "answer" ? ANSWER_BYTES : ATTRIBUTE_CHARS));
      const bytes = Buffer.byteLength(name + TYPE + text);
      if (!text || bytes > room) return [];
      room -= bytes;
      return [[name, text] as const];
    });
    await send({ body: record.body, attributes: Object.fromEntries(attributes), ...ordering(record) });
  };
}

/** A FIFO queue's dead letters are FIFO too; the message id is a new one at each redrive, and so no old duplicate. */
function ordering({ messageId, attributes: { MessageGroupId } }: QueueRecord) {
  return MessageGroupId === undefined ? {} : { order: { MessageGroupId, MessageDeduplicationId: messageId } };
}
