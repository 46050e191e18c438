import { errorText } from "../errors.ts";
import { invalidEvent } from "../events/invalid.ts";
import { messageText } from "../events/message.ts";
import { decodeJson, integer, string, struct } from "../go/decode.ts";
import { TASK_ATTRIBUTE } from "../queue/attributes.ts";
import type { QueueRecord } from "../queue/records.ts";

/** The number of equal events in a window, and when the first and the last of them arrived, in ms since 1970. */
export interface Coalesced {
  count: number;
  first: number;
  last: number;
}

/**
 * The task of a message in the events queue: to deliver one webhook of its event, or to close a window and run its
 * handler. The message has the event's own body, and the task in an attribute.
 */
export interface Task {
  kind: "webhook" | "window";
  /** The name of the handler in the ledger. */
  entry: string;
  /** The id of a window, which replaces the event's id; "" for a task of a single event. */
  id: string;
  /**
   * When the task is due, in unix seconds. A message is delayed for at most ten minutes, so it may be returned to the
   * queue several times until then.
   */
  due: number;
  /** For a webhook: the number of failed requests, and the time of the first one, in unix seconds; 0 before that. */
  attempts: number;
  since: number;
  /** How often it was postponed because its target did not answer other requests. */
  postponed: number;
  /** For a webhook of a window. */
  coalesced?: Coalesced;
}

/** A webhook that was not attempted yet and is due immediately; `more` overrides members. */
export const webhookTask = (entry: string, more: Partial<Task> = {}): Task => ({
  kind: "webhook",
  entry,
  id: "",
  due: 0,
  attempts: 0,
  since: 0,
  postponed: 0,
  ...more,
});

/** The task that closes a window; `due` in unix seconds. */
export const windowTask = (entry: string, id: string, due: number): Task => ({
  ...webhookTask(entry, { id, due }),
  kind: "window",
});

const shape = struct({
  kind: string,
  entry: string,
  id: string,
  due: integer,
  attempts: integer,
  since: integer,
  postponed: integer,
  coalesced: struct({ count: integer, first: integer, last: integer }),
});

/** The range of a Date, from 1970 in either direction. */
const FURTHEST_MS = 8.64e15;

/** Undefined for a message without a task. Throws `event-invalid`. */
export function taskOf({ messageAttributes }: QueueRecord): Task | undefined {
  const text = messageAttributes[TASK_ATTRIBUTE]?.stringValue;
  if (text === undefined) return undefined;
  const { kind, coalesced, ...task } = decoded(text);
  if (kind !== "webhook" && kind !== "window") throw invalidEvent(TASK_ATTRIBUTE, "is of an unknown kind");
  if (Math.max(Math.abs(coalesced.first), Math.abs(coalesced.last)) > FURTHEST_MS)
    throw invalidEvent(TASK_ATTRIBUTE, "has a time that is not a date");
  return { kind, ...task, ...(coalesced.count > 0 && { coalesced }) };
}

function decoded(text: string): ReturnType<typeof shape> {
  try {
    return decodeJson(text, shape);
  } catch (thrown) {
    throw invalidEvent(TASK_ATTRIBUTE, `is not a task: ${errorText(thrown)}`);
  }
}

/** A record's task without its attempts, for a redrive; undefined for a message without a task. */
export function freshTask(record: QueueRecord): string | undefined {
  const text = record.messageAttributes[TASK_ATTRIBUTE]?.stringValue;
  try {
    const task = taskOf(record);
    return task && messageText({ ...task, due: 0, attempts: 0, since: 0, postponed: 0 });
  } catch {
    return text;
  }
}

/**
 * Sends a task for the event of a record to the events queue. Throws `event-too-large` if the body leaves no room for
 * it, and `dependency-failed` if it could not be sent.
 */
export type SendTask = (record: QueueRecord, eventId: string, task: Task) => Promise<void>;
