import { handledTypes } from "../apis/definition.ts";
import { meantType } from "../apis/event-types.ts";
import type { AttemptEnd, Recorder } from "../history/recorder.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { BatchResult, Stay } from "../queue/batch-result.ts";
import type { Verdict } from "../queue/dead-letters.ts";
import type { Delivery } from "../queue/delivery.ts";
import { receives } from "../queue/records.ts";
import type { RetryDelay } from "../queue/retry-delay.ts";
import { entriesFor } from "./entries.ts";
import type { Passed } from "./pass.ts";

/** `maxAttempts`: after this number of failed attempts an event becomes a dead letter; here it is only logged. */
export interface ConclusionDeps {
  retryDelay: RetryDelay;
  maxAttempts: number;
  log: Log;
  metrics: Metrics;
  history?: Recorder | undefined;
}

/** Logs and counts the outcome of a delivery, and settles its records. */
export interface Conclusions {
  /** For an event that is done, or that failed. */
  conclude(passed: Passed, result: BatchResult): Promise<void>;
  /** For an event that will be retried. `attempt`: the number of attempts so far, if this one counts. */
  leave(
    delivery: Delivery,
    why: Verdict,
    result: BatchResult,
    how?: Stay & { attempt?: number | undefined },
  ): void;
  /**
   * For an event with the identity of an earlier event with other content: the earlier one counts, and the log says so.
   */
  drop(delivery: Delivery): void;
}

/** Writes the log line, the metrics and the history of each outcome, and passes it to the batch result. */
export function createConclusions(deps: ConclusionDeps): Conclusions {
  const { log, metrics, retryDelay, maxAttempts, history } = deps;

  function tellDone({ delivery: { envelope, task }, release, doneBefore, handlers }: Passed): void {
    const { id: event_id, api_id, event } = envelope;
    const api = release.api(api_id);
    const entries = task ? [] : entriesFor(release, api_id, event.Type);
    const counted = entries.flatMap(({ entry, coalesce }) => (coalesce ? entry : []));
    const meant = meantType(event.Type, api ? handledTypes(api) : []);
    log.info("event done", {
      event_id,
      api_id,
      type: event.Type,
      release: release.version,
      handlers,
      ...(counted.length > 0 && { counted }),
      ...(doneBefore > 0 && { done_before: doneBefore }),
      ...(meant !== undefined && { meant }),
    });
    metrics.count("EventsDone");
  }

  function leave(
    delivery: Delivery,
    why: Verdict,
    result: BatchResult,
    { attempt, ...how }: Stay & { attempt?: number | undefined } = {},
  ): void {
    const { records } = delivery;
    const { eventId: event_id, reason, error, handler, release } = why;
    const seconds = how.seconds ?? retryDelay(Math.max(...records.map(receives)));
    const counted = attempt !== undefined && { attempt, max_attempts: maxAttempts };
    log.warn("event left to SQS", { event_id, reason, handler, release, seconds, ...counted });
    metrics.count(reason === "unstarted" ? "EventsUnstarted" : "EventsFailed");
    history?.ended(delivery, { outcome: leftAs(why, attempt), reason, error, release, attempt, seconds });
    result.stay(records, why, { ...how, seconds });
  }

  return {
    leave,
    async conclude(passed, result) {
      const { delivery, outcome } = passed;
      if (outcome.is === "done") {
        result.done(delivery.records);
        tellDone(passed);
        const { release, doneBefore } = passed;
        history?.ended(delivery, { outcome: "done", release: release.version, doneBefore });
      }
      if (outcome.is !== "failed") return;
      const { failure, attempt, exhausted = false } = outcome;
      if (failure.kind !== "final" && !exhausted) return leave(delivery, failure, result, { attempt });
      metrics.count("EventsFailed");
      const { reason, error, release } = failure;
      history?.ended(delivery, { outcome: "failed", reason, error, release, attempt });
      await result.giveUp(delivery.records, failure);
    },
    drop(delivery) {
      const { id, api_id, event } = delivery.envelope;
      log.warn("event dropped: another content came under its id before", {
        event_id: id,
        api_id,
        type: event.Type,
      });
      metrics.count("EventsDropped");
      history?.ended(delivery, { outcome: "dropped" });
    },
  };
}

function leftAs({ reason }: Verdict, attempt: number | undefined): AttemptEnd["outcome"] {
  if (attempt !== undefined) return "failed";
  if (reason === "unstarted") return "unstarted";
  return reason === "session-stale" ? "conflict" : "handed-back";
}
