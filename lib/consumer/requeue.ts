import { SendMessageCommand, type SQSClient } from "@aws-sdk/client-sqs";
import type { QueueRecord } from "./records.ts";

/** Sends a record's body to its queue again, as a message of its own. `seconds`: until it can be received. */
export type Requeue = (
  record: QueueRecord,
  how: { eventId: string | undefined; seconds: number },
) => Promise<void>;

/** SQS's own limit of a message's delay. */
const DELAY_SECONDS = 900;

export function createRequeue(deps: { sqs: SQSClient; queueUrl: string }): Requeue {
  return async ({ body, messageAttributes }, { eventId, seconds }) => {
    // Its id may be the message's own, which the copy does not have.
    const facts = { api_id: messageAttributes.api_id?.stringValue, event_id: eventId };
    const attributes = Object.entries(facts).flatMap(([name, value]) =>
      value ? [[name, { DataType: "String", StringValue: value }] as const] : [],
    );
    await deps.sqs.send(
      new SendMessageCommand({
        QueueUrl: deps.queueUrl,
        MessageBody: body,
        MessageAttributes: Object.fromEntries(attributes),
        DelaySeconds: Math.min(DELAY_SECONDS, seconds),
      }),
    );
  };
}
