import type { Metrics } from "../metrics.ts";
import type { Reason } from "../queue/dead-letters.ts";
import type { Delivery } from "../queue/delivery.ts";
import { type QueueRecord, receives } from "../queue/records.ts";
import type { Isolation, Limits, Run } from "../runtime/protocol.ts";
import { tenths } from "../tenths.ts";
import type { AttemptOutcome, AttemptRecord, HistorySink } from "./records.ts";
import { createRunRecorder, type Room, type RunRecorder } from "./run-recorder.ts";

/** How a delivery ended. */
export interface AttemptEnd {
  outcome: AttemptOutcome;
  reason?: Reason;
  error?: string;
  release?: string | undefined;
  attempt?: number | undefined;
  /** The time until SQS delivers it again. */
  seconds?: number;
  doneBefore?: number;
}

/**
 * Records what a consumer does with its events, without affecting them: nothing here rejects, throws or waits for a
 * sink.
 */
export interface Recorder {
  startRun(delivery: Delivery, run: Run, path: string): RunRecorder;
  /** The runs so far are discarded: the event is run again. */
  conflicted(delivery: Delivery): void;
  ended(delivery: Delivery, end: AttemptEnd): void;
  /** The record is in the dead-letter queue, whatever the outcome passed to `ended`. */
  dead(record: QueueRecord): void;
  /**
   * Passes the attempts to the sink after the batch's result is known, and uses a part of the `left` milliseconds of
   * the invocation. Never rejects.
   */
  flush(left: number): Promise<void>;
}

/** `now` in ms. `limits`: those that differ from the engine's defaults. */
export interface RecorderDeps {
  sink: HistorySink;
  /** Which attempts are passed to the sink; all by default. */
  keeps?: (attempt: Pick<AttemptRecord, "outcome" | "n" | "ms" | "conflicts">) => boolean;
  metrics: Metrics;
  now: () => number;
  /** Names this process. */
  container: string;
  isolation: Isolation;
  engine?: string;
  limits?: Partial<Limits>;
  allowMasterKeys?: boolean;
}

/** The maximum total text of the records of one batch, in UTF-16 units; the rest is cut. */
export const BATCH_CHARS = 4_000_000;

/**
 * The maximum time of a sink, and the time that is reserved after it, in ms: an invocation that times out fails its
 * whole batch.
 */
export const FLUSH_MS = 300;
/** See `FLUSH_MS`. */
export const RESERVE_MS = 500;

interface Open {
  at: number;
  started: number;
  runs: RunRecorder[];
  conflicts: number;
  /** Its runs were discarded after a conflict. */
  stale: boolean;
  end?: Ended;
}

/** `ms`: its duration; `at`: the time of its end, in ms. */
type Ended = AttemptEnd & { ms: number; at: number };

/**
 * Keeps attempts in memory until `flush`. A sink that fails costs only the records, which are counted
 * (`HistoryDropped`).
 */
export function createRecorder(deps: RecorderDeps): Recorder {
  const { now, container, isolation, engine, limits, allowMasterKeys, keeps = () => true } = deps;
  let attempts = new Map<Delivery, Open>();
  let room: Room = { left: BATCH_CHARS };

  function openOf(delivery: Delivery): Open {
    const known = attempts.get(delivery);
    if (known) return known;
    const open: Open = { at: now(), started: performance.now(), runs: [], conflicts: 0, stale: false };
    attempts.set(delivery, open);
    return open;
  }

  /** Undefined for an attempt that is not kept. */
  function recordOf(delivery: Delivery, open: Open): AttemptRecord | undefined {
    const { id, api_id, org_id, event } = delivery.envelope;
    const { end = unended(open, now()), conflicts } = open;
    const n = Math.max(...delivery.records.map(receives));
    if (!keeps({ outcome: end.outcome, n, ms: end.ms, conflicts })) return undefined;
    const { outcome, reason, error, release, attempt, seconds, doneBefore = 0 } = end;
    const [{ attributes, messageAttributes } = NOTHING] = delivery.records;
    return {
      id,
      api_id,
      ...(org_id !== undefined && { org_id }),
      n,
      at: iso(open.at),
      ...(attributes.SentTimestamp && { sent_at: iso(Number(attributes.SentTimestamp)) }),
      ms: tenths(end.ms),
      ...(messageAttributes.event_id && { again: true }),
      container,
      isolation,
      ...(engine !== undefined && { engine }),
      ...(allowMasterKeys && { master_keys: true as const }),
      ...(limits && Object.keys(limits).length > 0 && { limits }),
      ...(release !== undefined && { release }),
      outcome,
      ...(reason && { reason }),
      ...(error && { error }),
      ...(attempt !== undefined && { attempt }),
      ...(seconds !== undefined && outcome !== "dead" && { next_at: iso(end.at + seconds * 1_000) }),
      ...(conflicts > 0 && { conflicts }),
      ...(doneBefore > 0 && { done_before: doneBefore }),
      event,
      runs: open.runs.flatMap((run) => run.record() ?? []),
    };
  }

  return {
    startRun(delivery, run, path) {
      const open = openOf(delivery);
      if (open.stale) open.runs = [];
      open.stale = false;
      const recorder = createRunRecorder(run, path, room, now);
      open.runs.push(recorder);
      return recorder;
    },
    conflicted(delivery) {
      const open = openOf(delivery);
      open.conflicts += 1;
      open.stale = true;
    },
    ended(delivery, end) {
      const open = openOf(delivery);
      open.end = { ...end, ms: performance.now() - open.started, at: now() };
    },
    dead(record) {
      for (const [delivery, { end }] of attempts)
        if (end && delivery.records.includes(record)) end.outcome = "dead";
    },
    async flush(left) {
      const ended = attempts;
      attempts = new Map();
      room = { left: BATCH_CHARS };
      let dropped = ended.size;
      try {
        const kept = [...ended].flatMap(([delivery, open]) => recordOf(delivery, open) ?? []);
        dropped = kept.length;
        const ms = Math.min(FLUSH_MS, left - RESERVE_MS);
        if (kept.length > 0 && ms > 0) dropped = await deps.sink(kept, ms);
      } catch {
        // Lost records are counted; the events themselves are safe.
      }
      deps.metrics.count("HistoryDropped", dropped);
    },
  };
}

const NOTHING: Pick<QueueRecord, "attributes" | "messageAttributes"> = {
  attributes: { ApproximateReceiveCount: "1" },
  messageAttributes: {},
};

const iso = (ms: number) => new Date(ms).toISOString();

/** The batch was not finished: all events that are not known to be done are delivered again. */
const unended = ({ started }: Open, at: number): Ended => ({
  outcome: "handed-back",
  reason: "dependency-failed",
  error: "its batch was not finished",
  ms: performance.now() - started,
  at,
});
