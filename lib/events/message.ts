import { AppError } from "../errors.ts";
import { type EventEnvelope, MESSAGE_BYTES } from "./event.ts";

/**
 * A value as the body of a message: JSON, with the characters escaped that a queue may refuse. SQS takes none of the last
 * two of the first plane, and queues that follow its older rules none beyond that plane.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
 */
export function messageText(value: unknown): string {
  return JSON.stringify(value).replace(/[\ud800-\udfff\ufffe\uffff]/g, escaped);
}

const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16)}`;

/** An event in a form that the queue takes. */
export interface Message {
  envelope: EventEnvelope;
  body: string;
  /** Its originating request was left out, for it was too large. */
  trimmed: boolean;
}

/** What becomes of an event that the queue would not take: see OVERSIZE in docs/settings.md. */
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

/** As the gateway itself writes a request that it could not keep: "". */
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
