import { createHash } from "node:crypto";
import { parseEvent } from "../events/event.ts";
import { TASK_ATTRIBUTE, VERDICT_ATTRIBUTES } from "../queue/attributes.ts";
import { fingerprintOf } from "./fingerprint.ts";

/** One message of the dead-letter queue. */
export interface Letter {
  messageId: string;
  receiptHandle: string;
  body: string;
  attributes: Record<string, LetterAttribute>;
  /**
   * The time of its arrival in the queue, in ms since 1970; if SQS itself moves an event here, it keeps the event's
   * time.
   */
  sentAt: number;
  /** A FIFO queue's MessageGroupId. */
  orderGroup?: string;
}

/** SQS's format: a text or a number has `StringValue`. */
export interface LetterAttribute {
  DataType: string;
  StringValue?: string;
  BinaryValue?: Uint8Array;
}

/** The facts about a letter's event and the reason of its failure; of the event's content, only the type. */
export interface LetterFacts {
  message_id: string;
  /** The identity of the event in the consumer. */
  event_id: string;
  sent_at: string;
  /** The short name of its group. */
  group: string;
  reason: string;
  error: string;
  /** The error without the parts that differ between events, and the place where it was thrown. */
  pattern: string;
  place: string;
  api_id?: string;
  type?: string;
  handler?: string;
  release?: string;
  receives?: string;
  /** The beginning of the answer of a webhook's target. */
  answer?: string;
}

/** SQS's own redrive policy moves an event without a reason, if no consumer has moved it first. */
const MOVED_BY_SQS = "moved-by-sqs";
const MOVED_ERROR = "at its last receive the consumer died, ran out of time or could not reach a service";

/** A letter's facts; never throws, since a queue may contain anything. */
export function factsOf(letter: Letter): LetterFacts {
  const names = namesOf(letter);
  const told = Object.fromEntries(
    VERDICT_ATTRIBUTES.flatMap((name) => {
      const text = textOf(letter, name);
      return text === undefined ? [] : [[name, text]];
    }),
  );
  const handler = taskEntryOf(letter);
  const { reason = MOVED_BY_SQS as string, ...others } = { ...handler, ...told } as Record<string, string>;
  const { error = told.reason ? "" : MOVED_ERROR, ...rest } = others;
  const { group, pattern, place } = groupOf({ reason, error, handler: rest.handler });
  return {
    message_id: letter.messageId,
    sent_at: new Date(letter.sentAt).toISOString(),
    group,
    ...names,
    reason,
    error,
    pattern,
    place,
    ...rest,
  };
}

/** The values by which a failure is grouped, and the short name of its group. */
export function groupOf(told: { reason: string; error: string; handler: string | undefined }) {
  const { pattern, place } = fingerprintOf(told.error);
  // A target fails in many ways that need the same action, so they are one group.
  const what = told.reason === "webhook-failed" ? [] : [pattern, place];
  const kind = JSON.stringify([told.reason, told.handler ?? "", ...what]);
  return { group: createHash("sha256").update(kind).digest("hex").slice(0, 8), pattern, place };
}

/** The event's names, by the consumer's rules, if the body can be read. */
function namesOf(letter: Letter): Pick<LetterFacts, "event_id" | "api_id" | "type"> {
  const fallbackId = textOf(letter, "event_id") ?? letter.messageId;
  const apiId = textOf(letter, "api_id");
  try {
    const { id, api_id, event } = parseEvent(letter.body, { apiId, fallbackId });
    return { event_id: id, api_id, type: event.Type };
  } catch {
    return { event_id: fallbackId, ...(apiId !== undefined && { api_id: apiId }) };
  }
}

/** The handler of a letter's task: a letter that SQS itself has moved has it nowhere else. */
function taskEntryOf(letter: Letter): { handler?: string } {
  const [, handler] = /"entry":"((?:[^"\\]|\\.)*)"/.exec(textOf(letter, TASK_ATTRIBUTE) ?? "") ?? [];
  return handler === undefined ? {} : { handler };
}

/** As Lambda passes it to the consumer: a binary attribute is not text. */
export const textOf = ({ attributes }: Letter, name: string): string | undefined =>
  attributes[name]?.StringValue;
