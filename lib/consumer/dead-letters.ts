import { SendMessageCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { type QueueRecord, receives } from "./records.ts";

/** Why an event was given up on. */
export interface Verdict {
  /** A code: `event-invalid`, `api-unknown`, `handler-threw`, `handler-timeout`, … */
  reason: string;
  error: string;
  eventId?: string | undefined;
  handler?: string | undefined;
  release?: string | undefined;
}

export type SendDeadLetter = (record: QueueRecord, verdict: Verdict) => Promise<void>;

/** An attribute's share of the message's 1 MiB. */
const ATTRIBUTE_CHARS = 1_000;

/** Sends a record's body, unchanged, to the dead-letter queue, with what became of it as attributes. */
export function createDeadLetters(deps: { sqs: SQSClient; queueUrl: string }): SendDeadLetter {
  return async (record, { reason, error, eventId, handler, release }) => {
    const facts = {
      reason,
      error,
      event_id: eventId,
      handler,
      release,
      receives: String(receives(record)),
      api_id: record.messageAttributes.api_id?.stringValue,
    };
    const attributes = Object.entries(facts).flatMap(([name, value]) => {
      const text = attributeText(value ?? "");
      return text ? [[name, { DataType: "String", StringValue: text }] as const] : [];
    });
    await deps.sqs.send(
      new SendMessageCommand({
        QueueUrl: deps.queueUrl,
        MessageBody: record.body,
        MessageAttributes: Object.fromEntries(attributes),
        ...ordering(record),
      }),
    );
  };
}

/** A FIFO queue's dead letters are FIFO too; the message id is a new one at each redrive, and so no old duplicate. */
function ordering({ messageId, attributes: { MessageGroupId } }: QueueRecord) {
  return MessageGroupId === undefined ? {} : { MessageGroupId, MessageDeduplicationId: messageId };
}

/** SQS takes only the characters of XML 1.0: no control characters but tab and line ends, no half of a pair. */
function attributeText(value: string): string {
  return value
    .slice(0, ATTRIBUTE_CHARS)
    .toWellFormed()
    .replace(/[^\t\n\r\P{Cc}]|[\ufffe\uffff]/gu, "\ufffd");
}
