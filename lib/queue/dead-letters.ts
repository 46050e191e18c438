import type { ErrorCode } from "../errors.ts";
import { MESSAGE_BYTES } from "../events/event.ts";
import { type QueueSender, queueText } from "../events/send.ts";
import type { FailureCode } from "../runtime/protocol.ts";
import { freshTask } from "../tasks/tasks.ts";
import { ANSWER_BYTES } from "../webhooks/verdict.ts";
import { TASK_ATTRIBUTE, type VerdictAttribute } from "./attributes.ts";
import { type QueueRecord, receives } from "./records.ts";

/** Why an event is not done: a coded error, the failure of its handler, or that it was not started. */
export type Reason = ErrorCode | `handler-${FailureCode}` | "unstarted" | "unfinished";

/** Why an event became a dead letter. */
export interface Verdict {
  reason: Reason;
  error: string;
  eventId?: string | undefined;
  handler?: string | undefined;
  release?: string | undefined;
  /** The beginning of the response of a webhook's target. */
  answer?: string | undefined;
}

/** Throws if the dead-letter queue does not have it: then the record must stay in its own queue. */
export type SendDeadLetter = (record: QueueRecord, verdict: Verdict) => Promise<void>;

/** The longest attribute; a target's response is at most a kilobyte already. */
const ATTRIBUTE_CHARS = 1_000;
/** The size that SQS counts for an attribute in addition to its name and its text. */
const TYPE = "String";

/** Sends a record's unchanged body to the dead-letter queue, with the reason and other data as attributes. */
export function createDeadLetters(send: QueueSender): SendDeadLetter {
  return async (record, { reason, error, eventId, handler, release, answer }) => {
    // The most important first: beside a body of nearly 1 MiB there may be no room for the last.
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

/** A FIFO queue has a FIFO dead-letter queue; each redrive has a new message id, so it is not deduplicated. */
function ordering({ messageId, attributes: { MessageGroupId } }: QueueRecord) {
  return MessageGroupId === undefined ? {} : { order: { MessageGroupId, MessageDeduplicationId: messageId } };
}
