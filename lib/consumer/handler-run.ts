import type { HandlerRef } from "../apis/handler-ref.ts";
import type { UnitBuffer, UnitOfWork } from "../commit/unit-of-work.ts";
import { AppError } from "../errors.ts";
import type { Recorder } from "../history/recorder.ts";
import type { DebugLog } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { Reason } from "../queue/dead-letters.ts";
import type { Delivery } from "../queue/delivery.ts";
import type { FailureCode, LogLevel, Outcome, Run, ScriptError } from "../runtime/protocol.ts";
import { changedByOf } from "../sessions/item.ts";
import { isStorableKey } from "../sessions/limits.ts";
import { showSession } from "../sessions/session.ts";
import { tenths } from "../tenths.ts";
import { createHost, type HostDeps, type RunHost } from "../tyk-api/host.ts";
import { CORE_LINE } from "./core-line.ts";
import type { Failure } from "./failure.ts";
import type { Loaded } from "./live-runtime.ts";
import { CONFLICTED, DONE, type EventOutcome } from "./outcome.ts";
import { ownKey, type Prefetch } from "./prefetch.ts";

/** The dependencies of a handler's run, in addition to those of the API that scripts call. `timeoutMs` in ms. */
export interface HandlerRunDeps extends HostDeps {
  log: DebugLog;
  metrics: Metrics;
  /** Wall time of one handler run. */
  timeoutMs: number;
  /** Only if a history is kept. */
  history?: Recorder | undefined;
}

/** Which handler runs for which event, and in which unit of work its writes are collected. */
export interface HandlerRun {
  unit: UnitOfWork;
  loaded: Loaded;
  delivery: Delivery;
  ref: HandlerRef;
  /** The handler's name in the ledger. */
  entry: string;
  /** The handler's second argument. */
  context: object;
}

/** One handler's run for one event, for the runtime. */
export interface Prepared {
  run: Run;
  host: RunHost;
  /**
   * Evaluates the outcome. If the run succeeded, its writes become part of the unit of work. `waitedMs`: how long its
   * calls waited for earlier runs to be applied.
   */
  end(outcome: Outcome, waitedMs: number): Promise<EventOutcome>;
}

const REASONS: Record<FailureCode, Reason> = {
  threw: "handler-threw",
  timeout: "handler-timeout",
  memory: "handler-memory",
  stack: "handler-stack",
  killed: "handler-killed",
  jobs: "handler-jobs",
  "http-calls": "handler-http-calls",
  "storage-calls": "handler-storage-calls",
  "session-calls": "handler-session-calls",
};

const LOG_LEVEL = { debug: "info", info: "info", raw: "info", warn: "warn", error: "error" } as const;

const levelOf = (level: LogLevel, text: string) => (text === CORE_LINE ? "debug" : LOG_LEVEL[level]);

type Why = Pick<Failure, "kind" | "reason" | "error">;

/** `prepare` makes the run and its host; `fail` logs and counts a failure and makes it the handler's outcome. */
export function createHandlerRun(deps: HandlerRunDeps, prefetch: Prefetch) {
  const { log, metrics } = deps;

  /** Reports a failure, including one before the run. */
  function fail({ delivery, ref, loaded }: HandlerRun, why: Why, facts: object = {}): EventOutcome {
    const { id, api_id } = delivery.envelope;
    const names = { handler: ref.name, release: loaded.release.version };
    metrics.countBy("RunFailures", why.reason);
    const { reason: code, error } = why;
    log.error("handler failed", { ...names, event_id: id, api_id, ...facts, code, error });
    return { is: "failed", failure: { ...names, eventId: id, ...why } };
  }

  async function accept(run: HandlerRun, buffer: UnitBuffer): Promise<EventOutcome> {
    try {
      // If the table rejected it, the commit says so.
      return (await run.unit.accept(buffer, run.delivery.identity, run.entry)) ? DONE : CONFLICTED;
    } catch (thrown) {
      if (!(thrown instanceof AppError) || thrown.code !== "commit-impossible") throw thrown;
      return fail(run, { kind: "final", reason: thrown.code, error: thrown.message });
    }
  }

  function prepare(handlerRun: HandlerRun): Prepared {
    const { unit, loaded, delivery, ref, entry, context } = handlerRun;
    const { envelope } = delivery;
    const buffer = unit.startRun();
    const run: Run = {
      handler: ref.name,
      event: JSON.stringify(envelope.event),
      context: JSON.stringify(context),
      timeoutMs: deps.timeoutMs,
      sessions: sessionsFor(buffer, delivery),
    };
    const recorded = deps.history?.startRun(delivery, run, ref.path);
    const plain = createHost(deps, {
      buffer,
      event: delivery.identity,
      handler: entry,
      changedBy: changedByOf(ref.name, envelope.event.Type, envelope.id),
      log: (level, text) =>
        log[levelOf(level, text)]("script", { handler: ref.name, event_id: envelope.id, text }),
      onRead(key) {
        if (key === ownKey(envelope)) prefetch.learn(ref);
      },
      onName: recorded && ((...name) => recorded.named(...name)),
      onWrite(...change) {
        prefetch.learn(ref);
        recorded?.wrote(...change);
      },
      orgOf: (apiId) => loaded.release.api(apiId)?.org_id ?? "",
    });
    const host = recorded ? recorded.around(plain) : plain;

    async function endOf(outcome: Outcome, waitedMs: number): Promise<EventOutcome> {
      metrics.count("Runs");
      prefetch.ran(ref);
      metrics.observe("RunTime", tenths(outcome.ms));
      const why = failureOf(outcome, host, { waitedMs, timeoutMs: deps.timeoutMs });
      if (!why) return accept(handlerRun, buffer);
      const sandbox = !outcome.ok && { sandbox: outcome.sandbox };
      return fail(handlerRun, why, { ms: tenths(outcome.ms), ...sandbox });
    }

    if (!recorded) return { run, host, end: endOf };
    return {
      run,
      host,
      async end(outcome, waitedMs) {
        const end = await endOf(outcome, waitedMs);
        recorded.ended(outcome, end);
        return end;
      },
    };
  }

  return { prepare, fail };
}

/** The session of the event's own key, if the batch has read it: most handlers need it. */
function sessionsFor(buffer: UnitBuffer, { envelope }: Delivery): [string, string][] {
  const key = ownKey(envelope);
  const session = isStorableKey(key) ? buffer.offer(key) : undefined;
  if (!session) return [];
  try {
    return [[key, showSession(session)]];
  } catch {
    return []; // A handler that reads it gets the error.
  }
}

/** The failure of a run; undefined if it succeeded. */
export function failureOf(
  outcome: Outcome,
  host: RunHost,
  { waitedMs, timeoutMs }: { waitedMs: number; timeoutMs: number },
): Why | undefined {
  const { failure } = host;
  if (failure) {
    const kind = failure.code === "dependency-failed" ? "dependency" : "handler";
    return { kind, reason: failure.code, error: failure.message };
  }
  if (outcome.ok) return undefined;
  // If a script spent most of its time waiting for one response of a table, the table is the cause, not the script.
  const late = outcome.code === "timeout" || outcome.code === "killed";
  const stuck =
    late && (host.stuckFor(timeoutMs / 2) ?? (waitedMs > timeoutMs / 2 ? "the commit of others" : undefined));
  if (stuck) {
    const error = `${stuck} had no answer when the time of the run was over`;
    return { kind: "dependency", reason: "dependency-failed", error };
  }
  return { kind: "handler", reason: REASONS[outcome.code], error: errorLines(outcome.error) };
}

/** `TypeError: no` and the stack below it. */
function errorLines({ name, message, stack }: ScriptError): string {
  const first = [name, message].filter(Boolean).join(": ");
  return [first, stack.trimEnd()].filter(Boolean).join("\n");
}
