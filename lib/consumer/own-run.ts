import { AppError } from "../errors.ts";
import { shortKeyDigest } from "../gateway/key-digest.ts";
import type { Log } from "../log.ts";
import type { Delivery } from "../queue/delivery.ts";
import { type Coalesced, type SendTask, webhookTask } from "../tasks/tasks.ts";
import type { OwnHandler } from "../webhooks/own-handlers.ts";
import { DONE, type EventOutcome } from "./outcome.ts";

/** The dependencies of webhooks and log handlers. */
export interface OwnRunDeps {
  sendTask: SendTask;
  log: Log;
}

/**
 * Runs a handler without a script: writes the line of a log handler, or sends the task of a webhook to the queue, so
 * that its request is independent of this event's commit. Both happen before the ledger entry is written, so at least
 * once. Throws `dependency-failed`.
 */
export type OwnRun = (
  delivery: Delivery,
  handler: OwnHandler,
  coalesced?: Coalesced,
) => Promise<EventOutcome>;

/**
 * Remembers for each delivery which handlers are done, so that a rerun after a conflict does not do them twice. A
 * webhook whose message is too large for SQS fails permanently.
 */
export function createOwnRun({ sendTask, log }: OwnRunDeps): OwnRun {
  /** Handlers that this invocation has done, since an event is run again after a conflict. */
  const doneBefore = new WeakMap<Delivery, Set<string>>();

  async function send({ envelope, records, task }: Delivery, entry: string, coalesced?: Coalesced) {
    const [record] = records;
    const id = task?.id ?? "";
    if (record)
      await sendTask(record, envelope.id, webhookTask(entry, { id, ...(coalesced && { coalesced }) }));
  }

  return async (delivery, handler, coalesced) => {
    const { entry } = handler;
    const done = doneBefore.get(delivery) ?? new Set();
    doneBefore.set(delivery, done);
    if (done.has(entry)) return DONE;
    try {
      if (handler.kind === "webhook") await send(delivery, entry, coalesced);
      else log.warn("log handler", lineOf(delivery, handler.prefix, coalesced));
    } catch (thrown) {
      if (!(thrown instanceof AppError) || thrown.code !== "event-too-large") throw thrown;
      const { code: reason, message: error } = thrown;
      const names = { eventId: delivery.envelope.id, handler: entry };
      return { is: "failed", failure: { kind: "final", reason, error, ...names } };
    }
    done.add(entry);
    return DONE;
  };
}

/** The longest text of an event in a log line, in UTF-16 units. */
const TEXT_CHARS = 1_000;

/** The line of a log handler: the same data as the gateway's own log handler, but without the key. */
function lineOf({ envelope }: Delivery, prefix: string, coalesced?: Coalesced): Record<string, unknown> {
  const { id, api_id, org_id, event } = envelope;
  const { Type, Meta, TimeStamp } = event;
  const text = (name: string) => {
    const value = Meta[name];
    return typeof value === "string" && value !== "" ? value.slice(0, TEXT_CHARS) : undefined;
  };
  const key = text("Key");
  return {
    prefix: prefix.slice(0, TEXT_CHARS),
    type: Type,
    event_id: id,
    api_id,
    org_id,
    time_stamp: TimeStamp || undefined,
    key_hash: key && shortKeyDigest(key),
    origin: text("Origin"),
    path: text("Path"),
    circuit_event: typeof Meta.CircuitEvent === "number" ? Meta.CircuitEvent : undefined,
    ...(coalesced && { coalesced: coalescedContext(coalesced) }),
  };
}

/** In the form that scripts get. */
export const coalescedContext = ({ count, first, last }: Coalesced) => ({
  Count: count,
  First: new Date(first).toISOString(),
  Last: new Date(last).toISOString(),
});
