import { createHash } from "node:crypto";
import type { EventEnvelope } from "./event.ts";
import { eventKey } from "./identity.ts";

/**
 * The parameters that a FIFO queue (its name ends in `.fifo`) requires; empty for others. Events of one key form one
 * group and keep their order; an event without a key has its own group. Hashes, since keys are secrets and SQS allows
 * at most 128 characters. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
 */
export function fifoOrder(
  queueUrl: string,
  envelope: EventEnvelope,
): { MessageGroupId?: string; MessageDeduplicationId?: string } {
  if (!queueUrl.endsWith(".fifo")) return {};
  const { identity } = eventKey(envelope);
  const { Key } = envelope.event.Meta;
  const group = typeof Key === "string" && Key !== "" ? `key ${envelope.api_id} ${Key}` : `event ${identity}`;
  return { MessageGroupId: hash(group), MessageDeduplicationId: hash(identity) };
}

const hash = (text: string) => createHash("sha256").update(text).digest("hex");
