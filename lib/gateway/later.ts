import { SendMessageBatchCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { AppError } from "../errors.ts";
import { messageText } from "../events/message.ts";
import { DELAY_SECONDS } from "../events/send.ts";
import { objectOf, parsedJson } from "../json.ts";

/** SQS's own limit of one call. */
const ENTRIES = 10;

/** Schedules rows to be settled again, by a queue of their keys. */
export function createLater(deps: { sqs: SQSClient; queueUrl: string }) {
  async function send(some: { key: string; ms: number }[]): Promise<void> {
    const Entries = some.map(({ key, ms }, nth) => ({
      Id: String(nth),
      MessageBody: messageText({ key }),
      DelaySeconds: Math.min(DELAY_SECONDS, Math.ceil(ms / 1000)),
    }));
    const { Failed = [] } = await deps.sqs.send(
      new SendMessageBatchCommand({ QueueUrl: deps.queueUrl, Entries }),
    );
    if (Failed.length > 0)
      throw new AppError(
        "queue-failed",
        `the queue did not take ${Failed.length} keys: ${Failed[0]?.Message}`,
      );
  }
  return async (again: { key: string; ms: number }[]): Promise<void> => {
    const calls: Promise<void>[] = [];
    for (let at = 0; at < again.length; at += ENTRIES) calls.push(send(again.slice(at, at + ENTRIES)));
    await Promise.all(calls);
  };
}

/** The key in a message of that queue; undefined for any other message. */
export function keyIn(body: string): string | undefined {
  const { key } = objectOf(parsedJson(body));
  return typeof key === "string" ? key : undefined;
}
