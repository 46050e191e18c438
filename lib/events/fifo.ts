import { createHash } from "node:crypto";
import type { EventEnvelope } from "./event.ts";
import { eventKey } from "./identity.ts";

/**
 * What a FIFO queue (its name ends in `.fifo`) wants to know beside the body; nothing for others. Events of one key
 * make one group and keep their order; one without a key is a group of its own. Hashes, since keys are secrets and
 * SQS takes at most 128 characters. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
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
