import { AppError, errorText } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Failure } from "./failure.ts";
import type { HandlerRun } from "./handler-run.ts";
import {
  CONFLICTED,
  DONE,
  type EventEnd,
  type EventOutcome,
  endsEvent,
  type HandlerReport,
  reportOf,
  worse,
} from "./outcome.ts";

/** `handlerErrors`: as for event runs. `fail` makes the outcome of a handler that failed. */
export interface EventResultsDeps {
  handlerErrors: "retry" | "drop";
  log: Log;
  fail(run: HandlerRun, why: Pick<Failure, "kind" | "reason" | "error">): EventOutcome;
}

/** An event whose handlers run. */
export interface RunningEvent extends Pick<HandlerRun, "unit" | "delivery"> {
  /** Reports a failure that would affect other events too. */
  halt(outage: Failure): void;
}

/** The results of the handlers of one event, as they end. */
export interface EventResults {
  /** The end of a script; `ms` is the duration of its run. */
  take(run: HandlerRun, end: EventOutcome, ms?: number): void;
  /** The end of a webhook or a log handler. */
  takeOwn(entry: string, end: EventOutcome): void;
  /** An unexpected error fails only the handler; an outage during the commit of other runs fails the batch. */
  takeThrown(run: HandlerRun, thrown: unknown): void;
  /** True if no other handler may start. */
  isOver(): boolean;
  /** The number of handlers that have ended. */
  count(): number;
  /** Throws the outage, if there was one. */
  end(): EventEnd;
}

/** A transient failure is retried even if failures of handlers are dropped. */
const DROPPED: ReadonlySet<Failure["kind"]> = new Set(["final", "handler"]);

/** Without results: an event that is lost already has a conflict, so that none of its handlers starts. */
export function createEventResults(
  { handlerErrors, log, fail }: EventResultsDeps,
  { unit, delivery, halt }: RunningEvent,
): EventResults {
  const { identity, envelope } = delivery;
  const handlers: HandlerReport[] = [];
  let outcome: EventOutcome = unit.isLost(identity) ? CONFLICTED : DONE;
  let outage: AppError | undefined;

  function take({ ref, entry, loaded }: HandlerRun, end: EventOutcome, ms?: number): void {
    handlers.push(reportOf(ref.name, end, ms));
    const isDropped = handlerErrors === "drop" && end.is === "failed" && DROPPED.has(end.failure.kind);
    if (end.is === "failed" && end.failure.kind === "dependency") halt(end.failure);
    if (!isDropped) outcome = worse(outcome, end);
    else {
      const names = { event_id: envelope.id, handler: ref.name, release: loaded.release.version };
      log.error("handler dropped", { ...names, code: end.failure.reason });
      unit.dismiss(identity, entry);
    }
  }

  return {
    take,
    takeOwn(entry: string, end: EventOutcome): void {
      handlers.push(reportOf(entry, end, undefined));
      outcome = worse(outcome, end);
      if (end.is === "done") unit.dismiss(identity, entry);
    },
    takeThrown(run: HandlerRun, thrown: unknown): void {
      if (thrown instanceof AppError && thrown.code === "dependency-failed") outage ??= thrown;
      else take(run, fail(run, { kind: "handler", reason: "runtime-failed", error: errorText(thrown) }));
    },
    isOver: () => endsEvent(outcome) || outage !== undefined,
    count: () => handlers.length,
    end(): EventEnd {
      if (outage !== undefined) throw outage;
      return { outcome, handlers };
    },
  };
}
