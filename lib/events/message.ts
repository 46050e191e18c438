import { AppError } from "../errors.ts";
import { type EventEnvelope, MESSAGE_BYTES } from "./event.ts";

/**
 * The JSON of a value as the body of a message, with all characters escaped that a queue may reject. SQS rejects the
 * last two characters of the first Unicode plane, and queues with its older rules reject all characters beyond that
 * plane. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
 */
export function messageText(value: unknown): string {
  return JSON.stringify(value).replace(/[\ud800-\udfff\ufffe\uffff]/g, escaped);
}

const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16)}`;

/** An event in the format of the queue. */
export interface Message {
  envelope: EventEnvelope;
  body: string;
  /** Whether its originating request was removed because the event was too large. */
  trimmed: boolean;
}

/** What to do with an event that is too large for the queue: see OVERSIZE in docs/settings.md. */
export type Oversize = "trim" | "refuse";

const REQUEST = "Meta.OriginatingRequest";

/** Throws `event-too-large`. */
export function messageOf(envelope: EventEnvelope, oversize: Oversize): Message {
  const body = messageText(envelope);
  const bytes = Buffer.byteLength(body);
  if (bytes <= MESSAGE_BYTES) return { envelope, body, trimmed: false };
  if (!envelope.event.Meta.OriginatingRequest) throw tooLarge("the event", bytes);
  if (oversize === "refuse")
    throw tooLarge("the event", bytes, `; OVERSIZE=trim would leave out its ${REQUEST}`);
  const less = withoutRequest(envelope);
  const lessBody = messageText(less);
  const lessBytes = Buffer.byteLength(lessBody);
  if (lessBytes > MESSAGE_BYTES) throw tooLarge(`the event without its ${REQUEST}`, lessBytes);
  return { envelope: less, body: lessBody, trimmed: true };
}

/** With "" as the request, as the gateway writes one that it could not keep. */
function withoutRequest(envelope: EventEnvelope): EventEnvelope {
  const { event } = envelope;
  const { Partial: missing } = event;
  return {
    ...envelope,
    event: {
      ...event,
      Meta: { ...event.Meta, OriginatingRequest: "" },
      Partial: [...(Array.isArray(missing) ? missing : []), REQUEST],
    },
  };
}

function tooLarge(what: string, bytes: number, fix = ""): AppError {
  const message = `${what} has ${bytes} bytes; the queue takes ${MESSAGE_BYTES}${fix}`;
  return new AppError("event-too-large", message, { field: "body" });
}
