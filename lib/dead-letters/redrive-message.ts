import { CALL_BYTES } from "../events/send.ts";
import { isOfVerdict, TASK_ATTRIBUTE } from "../queue/attributes.ts";
import { type Letter, type LetterAttribute, type LetterFacts, textOf } from "./letter.ts";

/** A letter's event as a message for the events queue. */
export interface RedriveMessage {
  letter: Letter;
  eventId: string;
  attributes: Record<string, LetterAttribute>;
  bytes: number;
  /** In a FIFO queue: its message group. */
  orderGroup: string | undefined;
}

/** SQS's limit of attributes of a message. */
const ATTRIBUTES = 10;

/**
 * The event as the consumer first received it: the same body, and the same identity. The identity of an event without
 * an id is the id of its first message, which SQS keeps when it moves the message here, but not when it is sent again.
 */
export function redriveMessageOf(letter: Letter, { event_id }: LetterFacts, fifo: boolean): RedriveMessage {
  const namedByMessage = event_id === letter.messageId && textOf(letter, "event_id") === undefined;
  const { event_id: known, api_id, [TASK_ATTRIBUTE]: task, ...others } = letter.attributes;
  const eventId = namedByMessage ? { DataType: "String", StringValue: event_id } : known;
  // The attributes that the consumer reads come first, since there may not be room for all.
  const attributes = Object.entries({ event_id: eventId, api_id, [TASK_ATTRIBUTE]: task, ...others })
    .filter((entry): entry is [string, LetterAttribute] => entry[1] !== undefined)
    .filter(([name]) => !isOfVerdict(name))
    .slice(0, ATTRIBUTES);
  return {
    letter,
    eventId: event_id,
    attributes: Object.fromEntries(attributes),
    bytes: Buffer.byteLength(letter.body) + attributes.reduce((sum, entry) => sum + bytesOf(...entry), 0),
    orderGroup: letter.orderGroup ?? (fifo ? letter.messageId : undefined),
  };
}

const bytesOf = (name: string, { DataType, StringValue = "", BinaryValue }: LetterAttribute) =>
  Buffer.byteLength(name + DataType + StringValue) + (BinaryValue?.byteLength ?? 0);

/**
 * The next redrive messages that fit into one call, in their order. In a FIFO queue at most one of each group, so that
 * a rejected message is not overtaken by those behind it.
 */
export function nextCall(waiting: RedriveMessage[], most: number, fifo: boolean): RedriveMessage[] {
  const call: RedriveMessage[] = [];
  const closed = new Set<string | undefined>();
  let bytes = 0;
  for (const outgoing of waiting) {
    if (call.length === most) break;
    if (fifo && closed.has(outgoing.orderGroup)) continue;
    closed.add(outgoing.orderGroup);
    if (call.length > 0 && bytes + outgoing.bytes > CALL_BYTES) continue;
    call.push(outgoing);
    bytes += outgoing.bytes;
  }
  return call;
}
