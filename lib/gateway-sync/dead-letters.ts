import { SendMessageCommand, type SQSClient } from "@aws-sdk/client-sqs";

/** A change that the gateway refused for good: a reference to it, never the key or the session. */
export interface Refusal {
  key_sha256: string;
  /** Of the stream's record. */
  sequence_number: string;
  operation: "put" | "delete";
  /** Of the gateway's answer; 0 when it was not asked. */
  status: number;
  message: string;
}

export type SendRefusal = (refusal: Refusal) => Promise<void>;

export function createDeadLetters(deps: { sqs: SQSClient; queueUrl: string }): SendRefusal {
  return async (refusal) => {
    const { sqs, queueUrl } = deps;
    await sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: JSON.stringify(refusal) }));
  };
}
