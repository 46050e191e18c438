import { meantType } from "../apis/event-types.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { Answer, Stay } from "./answer.ts";
import type { Verdict } from "./dead-letters.ts";
import type { Passed } from "./pass.ts";
import { type Delivery, receives } from "./records.ts";
import type { RetryDelay } from "./retry-delay.ts";

export interface ConclusionDeps {
  retryDelay: RetryDelay;
  maxAttempts: number;
  log: Log;
  metrics: Metrics;
}

/** What is told of an event when its fate at this delivery is known, and what becomes of its records. */
export interface Conclusions {
  /** Of one that is done, or that failed. */
  conclude(passed: Passed, answer: Answer): Promise<void>;
  /** Of one that comes again. `attempt`: how many attempts it has cost so far, where this one counts. */
  leave(
    delivery: Delivery,
    why: Verdict,
    answer: Answer,
    how?: Stay & { attempt?: number | undefined },
  ): void;
  /** Of one whose identity another content had first: that one counts, and nobody should learn that by surprise. */
  drop(delivery: Delivery): void;
}

export function createConclusions({ log, metrics, retryDelay, maxAttempts }: ConclusionDeps): Conclusions {
  function tellDone({ delivery: { envelope }, release, doneBefore, handlers }: Passed): void {
    const { id: event_id, api_id, event } = envelope;
    const isHandled = release.handlers(api_id, event.Type).length > 0;
    const types = Object.keys(release.api(api_id)?.handlers ?? {});
    const meant = isHandled ? undefined : meantType(event.Type, types);
    log.info("event done", {
      event_id,
      api_id,
      type: event.Type,
      release: release.version,
      handlers,
      ...(doneBefore > 0 && { done_before: doneBefore }),
      ...(meant !== undefined && { meant }),
    });
    metrics.count("EventsDone");
  }

  function leave(
    { records }: Delivery,
    why: Verdict,
    answer: Answer,
    { attempt, ...how }: Stay & { attempt?: number | undefined } = {},
  ): void {
    const { eventId: event_id, reason, handler, release } = why;
    const seconds = how.seconds ?? retryDelay(Math.max(...records.map(receives)));
    const counted = attempt !== undefined && { attempt, max_attempts: maxAttempts };
    log.warn("event left to SQS", { event_id, reason, handler, release, seconds, ...counted });
    metrics.count(reason === "unstarted" ? "EventsUnstarted" : "EventsFailed");
    answer.stay(records, why, { ...how, seconds });
  }

  return {
    leave,
    async conclude(passed, answer) {
      const { delivery, outcome } = passed;
      if (outcome.is === "done") {
        answer.done(delivery.records);
        tellDone(passed);
      }
      if (outcome.is !== "failed") return;
      const { failure, attempt, exhausted = false } = outcome;
      if (failure.kind !== "final" && !exhausted) return leave(delivery, failure, answer, { attempt });
      metrics.count("EventsFailed");
      await answer.giveUp(delivery.records, failure);
    },
    drop({ envelope: { id, api_id, event } }) {
      log.warn("event dropped: another content came under its id before", {
        event_id: id,
        api_id,
        type: event.Type,
      });
      metrics.count("EventsDropped");
    },
  };
}
