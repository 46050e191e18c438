import type { GatewayEvent } from "../events/event.ts";
import { eventKey } from "../events/identity.ts";
import { ATTEMPT_OUTCOMES, type AttemptOutcome, type AttemptRecord, type HistoryLine } from "./records.ts";

/** `queued`: it waits for its first attempt. `refused`: ingest rejected it. */
export type RowOutcome = AttemptOutcome | "queued" | "refused";

/** In the order in which an event may reach them. */
export const ROW_OUTCOMES: RowOutcome[] = ["queued", ...ATTEMPT_OUTCOMES, "refused"];

/**
 * `webhook`: through ingest. `queue`: directly to the queue. `again`: a dead letter that was sent again, or a requeue.
 */
export const SOURCES = ["webhook", "queue", "again"] as const;
/** The way in which an event arrived. */
export type Source = (typeof SOURCES)[number];

/** An event after its last attempt: the values for lists and filters. */
export interface EventRow {
  id: string;
  api_id: string;
  org_id: string;
  type: string;
  /** "" for an event that is not about a key. */
  key: string;
  source: Source;
  /** The times of its first line and of its last. */
  at: string;
  last_at: string;
  outcome: RowOutcome;
  /** The code of the failure; "" if there is none. */
  reason: string;
  error: string;
  /** The last attempt's release, handlers and time in ms. */
  release: string;
  handlers: string[];
  ms: number;
  /** Deliveries so far. */
  attempts: number;
  next_at: string;
}

/** Events of different APIs may have the same id, and both parts may contain a #. */
export const rowKey = (event: { api_id: string; id: string }) => eventKey(event).identity;

/** The key of the event, in either spelling; "" if it has none. */
export function keyOfEvent({ Meta }: GatewayEvent): string {
  const key = Meta.Key ?? Meta.key;
  return typeof key === "string" ? key : "";
}

/** The row of an event after one more line about it. */
export function rowAfter(before: EventRow | undefined, line: HistoryLine): EventRow {
  if ("received" in line) {
    const { received } = line;
    // The consumer's line may arrive before the line about the event's arrival.
    if (before)
      return { ...before, source: before.source === "again" ? "again" : "webhook", at: received.at };
    const { id, api_id, type, at } = received;
    return { ...EMPTY, id, api_id, type, at, last_at: at };
  }
  if ("refused" in line) {
    const { id, api_id, at, code, error, field } = line.refused;
    // Most messages begin with the field.
    const where = field === undefined || error.startsWith(field) ? "" : `${field}: `;
    const told = { reason: code, error: `${where}${error}` };
    return { ...EMPTY, id, api_id, at, last_at: at, outcome: "refused", ...told };
  }
  return attempted(before, line.attempt);
}

const EMPTY = {
  org_id: "",
  type: "",
  key: "",
  source: "webhook",
  outcome: "queued",
  reason: "",
  error: "",
  release: "",
  handlers: [],
  ms: 0,
  attempts: 0,
  next_at: "",
} satisfies Partial<EventRow>;

function attempted(before: EventRow | undefined, attempt: AttemptRecord): EventRow {
  const { id, api_id, org_id = "", event, outcome, reason = "", error = "", release = "" } = attempt;
  return {
    id,
    api_id,
    org_id,
    type: event.Type,
    key: keyOfEvent(event),
    source: attempt.again ? "again" : (before?.source ?? "queue"),
    at: before?.at ?? attempt.sent_at ?? attempt.at,
    last_at: attempt.at,
    outcome,
    reason,
    error,
    release,
    handlers: attempt.runs.map(({ handler }) => handler),
    ms: attempt.ms,
    attempts: Math.max(attempt.n, (before?.attempts ?? 0) + 1),
    next_at: attempt.next_at ?? "",
  };
}
