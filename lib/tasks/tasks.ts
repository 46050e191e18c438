import { errorText } from "../errors.ts";
import { invalidEvent } from "../events/invalid.ts";
import { messageText } from "../events/message.ts";
import { decodeJson, integer, string, struct } from "../go/decode.ts";
import { TASK_ATTRIBUTE } from "../queue/attributes.ts";
import type { QueueRecord } from "../queue/records.ts";

/** How many equal events one run stands for, and when the first and the last of them came, in ms since 1970. */
export interface Coalesced {
  count: number;
  first: number;
  last: number;
}

/**
 * What a message of the events queue asks for beside being an event: to deliver one webhook of it, or to run one handler
 * for all events of a window that is over. It has the event's own body, and this in an attribute.
 */
export interface Task {
  kind: "webhook" | "window";
  /** The ledger's name of the handler. */
  entry: string;
  /** The id of a window, which counts in place of the event's own; "" for an event by itself. */
  id: string;
  /** In unix seconds, before which nothing is done: a message waits in the queue for ten minutes at most, so it comes and goes until then. */
  due: number;
  /** Of a webhook: requests that failed so far, and since when, in unix seconds; 0 before the first. */
  attempts: number;
  since: number;
  /** How often it had to wait because its target answered no request. */
  postponed: number;
  /** Of a webhook for a whole window. */
  coalesced?: Coalesced;
}

/** A webhook that was not tried yet and is due immediately, but for what `more` says. */
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

/** The end of a window; `due` in unix seconds. */
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

/** What a Date can hold, from 1970 in either direction. */
const FURTHEST_MS = 8.64e15;

/** Undefined for an event by itself. Throws `event-invalid`. */
export function taskOf({ messageAttributes }: QueueRecord): Task | undefined {
  const text = messageAttributes[TASK_ATTRIBUTE]?.stringValue;
  if (text === undefined) return undefined;
  const { kind, coalesced, ...task } = decoded(text);
  if (kind !== "webhook" && kind !== "window") throw invalidEvent(TASK_ATTRIBUTE, "is of no known kind");
  if (Math.max(Math.abs(coalesced.first), Math.abs(coalesced.last)) > FURTHEST_MS)
    throw invalidEvent(TASK_ATTRIBUTE, "has a time that is no date");
  return { kind, ...task, ...(coalesced.count > 0 && { coalesced }) };
}

function decoded(text: string): ReturnType<typeof shape> {
  try {
    return decodeJson(text, shape);
  } catch (thrown) {
    throw invalidEvent(TASK_ATTRIBUTE, `is not a task: ${errorText(thrown)}`);
  }
}

/** A record's task as one that was never tried, for when it is sent again; undefined for an event by itself. */
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
 * Puts a task for the event of a record on the events queue. Throws `event-too-large` where the body leaves no room for
 * it, and `dependency-failed` when the queue does not have it.
 */
export type SendTask = (record: QueueRecord, eventId: string, task: Task) => Promise<void>;
