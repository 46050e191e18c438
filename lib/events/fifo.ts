import { createHash } from "node:crypto";
import type { EventEnvelope } from "./event.ts";
import { eventKey } from "./identity.ts";
import type { Message } from "./message.ts";

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

/**
 * The first messages that may be in one call: in a FIFO queue at most one of each group, since SQS may accept a later
 * message of a call and not an earlier one. All messages for a standard queue.
 */
export function withoutRepeatedGroups(queueUrl: string, messages: Message[]): Message[] {
  const groups = new Set<string>();
  const repeated = messages.findIndex(({ envelope }) => {
    const { MessageGroupId } = fifoOrder(queueUrl, envelope);
    if (MessageGroupId === undefined) return false;
    const isRepeated = groups.has(MessageGroupId);
    groups.add(MessageGroupId);
    return isRepeated;
  });
  return repeated < 0 ? messages : messages.slice(0, repeated);
}

const hash = (text: string) => createHash("sha256").update(text).digest("hex");
