import { type Api, GATEWAY_API } from "../apis/definition.ts";
import type { UnitOfWork } from "../commit/unit-of-work.ts";
import { AppError, errorText } from "../errors.ts";
import type { GatewayEvent } from "../events/event.ts";
import type { Delivery } from "../queue/delivery.ts";
import { receives } from "../queue/records.ts";
import type { JobEnd } from "../runtime/jobs.ts";
import type { Coalesced, SendTask } from "../tasks/tasks.ts";
import type { Windows } from "../tasks/windows.ts";
import type { ConfigOf } from "./config-data.ts";
import { type Entry, entriesFor } from "./entries.ts";
import type { Failure } from "./failure.ts";
import { createHandlerRun, type HandlerRun, type HandlerRunDeps } from "./handler-run.ts";
import type { Loaded } from "./live-runtime.ts";
import {
  CONFLICTED,
  DONE,
  type EventOutcome,
  endsEvent,
  type HandlerReport,
  reportOf,
  UNSTARTED,
  worse,
} from "./outcome.ts";
import { coalescedContext, createOwnRun } from "./own-run.ts";
import type { Prefetch } from "./prefetch.ts";
import { createSandboxCosts } from "./sandbox-costs.ts";

/** The dependencies of all event runs, in addition to those of a handler's run. */
export interface EventRunDeps extends HandlerRunDeps {
  /** How long after `timeoutMs` a run has ended in any case. */
  graceMs: number;
  /** `retry`: an event whose handler failed is retried. `drop`: the handler counts as done. */
  handlerErrors: "retry" | "drop";
  /** The config_data that scripts get. */
  configOf: ConfigOf;
  sendTask: SendTask;
  windows: Windows;
  /**
   * If a gateway owns the sessions: has the row of a key checked after an event of the gateway itself about that key.
   */
  mirror?: ((event: GatewayEvent) => Promise<void>) | undefined;
}

/** Milliseconds that this invocation has left. */
export type TimeLeft = () => number;

/** One event in a pass. */
export interface EventRun {
  unit: UnitOfWork;
  loaded: Loaded;
  delivery: Delivery;
  timeLeft: TimeLeft;
  /** True after a failure that would affect the other events too. */
  isHalted(): boolean;
  /** Reports such a failure. */
  halt(outage: Failure): void;
}

/** The outcome of an event, and of each of its handlers that was not done before. */
export interface EventEnd {
  outcome: EventOutcome;
  handlers: HandlerReport[];
}

/** Reserved for the commit and the answer, in ms. */
export const COMMIT_RESERVE_MS = 1_500;

/**
 * Runs the handlers of an event that are not done. A failure of one handler does not stop the others, except for the
 * failure of a dependency, which would affect them too. Handlers for which no time is left are not started: the event
 * is retried, and the ledger says which of them are done.
 */
export function createEventRun(deps: EventRunDeps, prefetch: Prefetch) {
  const { log } = deps;
  const { prepare, fail } = createHandlerRun(deps, prefetch);
  const countCosts = createSandboxCosts(deps);
  const runOwn = createOwnRun(deps);
  const runMs = deps.timeoutMs + deps.graceMs + COMMIT_RESERVE_MS;

  /** The handler's second argument without `Handler`: the gateway's two members, and gatehook's additions. */
  async function contextOf({ envelope, records }: Delivery, api: Api | undefined, coalesced?: Coalesced) {
    const config_data = api && (await deps.configOf(api));
    const Coalesced = coalesced && coalescedContext(coalesced);
    const context = {
      APIID: envelope.api_id,
      OrgID: envelope.org_id ?? api?.org_id ?? "",
      EventID: envelope.id,
      Attempt: Math.max(...records.map(receives)),
    };
    return (Handler: string) => {
      const { Attempt, ...names } = context;
      return {
        ...names,
        Handler,
        Attempt,
        ...(Coalesced && { Coalesced }),
        ...(config_data && { config_data }),
      };
    };
  }

  return async (eventRun: EventRun): Promise<EventEnd> => {
    const { unit, loaded, delivery, timeLeft } = eventRun;
    const { identity, envelope } = delivery;
    const { id, api_id, event } = envelope;
    const release = loaded.release.version;
    const api = loaded.release.api(api_id);
    if (api_id === GATEWAY_API && deps.mirror) {
      // The run of a window comes long after its events.
      if (!delivery.task) await deps.mirror(event);
    } else if (!api) {
      const error = `api_id "${api_id}" is in no definition of release ${release}`;
      const failure: Failure = { kind: "final", reason: "api-unknown", error, eventId: id, release };
      return { outcome: { is: "failed", failure }, handlers: [] };
    }
    const handlers: HandlerReport[] = [];
    let outcome: EventOutcome = unit.isLost(identity) ? CONFLICTED : DONE;
    let outage: unknown;
    const coalesced = delivery.task && (await deps.windows.close(delivery));
    // The process that opened the window died before it counted an event.
    if (delivery.task && !coalesced) return { outcome, handlers };
    const asked = entriesFor(loaded.release, api_id, event.Type).filter(
      (each) => isAsked(each, delivery) && !unit.isDone(identity, each.entry),
    );

    function take(run: HandlerRun, end: EventOutcome, ms?: number): void {
      const { ref, entry } = run;
      handlers.push(reportOf(ref.name, end, ms));
      const isDropped = deps.handlerErrors === "drop" && end.is === "failed" && DROPPED.has(end.failure.kind);
      if (end.is === "failed" && end.failure.kind === "dependency") eventRun.halt(end.failure);
      if (!isDropped) outcome = worse(outcome, end);
      else {
        log.error("handler dropped", { event_id: id, handler: ref.name, release, code: end.failure.reason });
        unit.dismiss(identity, entry);
      }
    }

    /** An unexpected error fails only the handler; an outage during the commit of other runs fails the batch. */
    function takeThrown(run: HandlerRun, thrown: unknown): void {
      if (thrown instanceof AppError && thrown.code === "dependency-failed") outage ??= thrown;
      else take(run, fail(run, { kind: "handler", reason: "runtime-failed", error: errorText(thrown) }));
    }

    const jobOf = (run: HandlerRun) => {
      const prepared = prepare(run);
      return {
        run: prepared.run,
        host: prepared.host,
        isWanted: () =>
          !endsEvent(outcome) && outage === undefined && !eventRun.isHalted() && !unit.isLost(identity),
        startsWithin: () => timeLeft() - runMs,
        async ended(end: JobEnd, waitedMs: number) {
          if (end === "unstarted") return take(run, UNSTARTED);
          countCosts(loaded.runtime);
          try {
            take(run, await prepared.end(end, waitedMs), end.ms);
          } catch (thrown) {
            takeThrown(run, thrown);
          }
        },
      };
    };

    if (delivery.task && asked.length === 0 && !unit.isDone(identity, delivery.task.entry))
      log.warn("window closed of a handler that is no longer in the release", {
        event_id: id,
        handler: delivery.task.entry,
        release,
      });
    for (const each of asked) {
      if (!("own" in each) || endsEvent(outcome)) continue;
      const end = await runOwn(delivery, each.own, coalesced);
      handlers.push(reportOf(each.entry, end, undefined));
      outcome = worse(outcome, end);
      if (end.is === "done") unit.dismiss(identity, each.entry);
    }
    const open = asked.flatMap((each) => ("ref" in each ? each : []));
    const before = handlers.length;
    if (open.length === 0 || endsEvent(outcome)) return { outcome, handlers };
    const base = { unit, loaded, delivery };
    let context: ((handler: string) => object) | undefined;
    try {
      context = await contextOf(delivery, api, coalesced);
    } catch (thrown) {
      const why = configFailure(thrown);
      for (const handler of open) {
        const run = { ...base, ...handler, context: {} };
        take(run, fail(run, why));
      }
      return { outcome, handlers };
    }
    const runs = open.map(({ ref, entry }) => ({ ...base, ref, entry, context: context(ref.name) }));
    try {
      await loaded.runtime.runInOrder(runs.map(jobOf));
    } catch (thrown) {
      const [lost] = runs.slice(handlers.length - before);
      if (lost) takeThrown(lost, thrown);
    }
    if (outage !== undefined) throw outage;
    return { outcome, handlers };
  };
}

/** A transient failure is retried even if failures of handlers are dropped. */
const DROPPED: ReadonlySet<Failure["kind"]> = new Set(["final", "handler"]);

/** An unavailable store of references is not an outage: the events of other APIs can continue. */
function configFailure(thrown: unknown): Pick<Failure, "kind" | "reason" | "error"> {
  if (!(thrown instanceof AppError)) throw thrown;
  const kind = thrown.code === "dependency-failed" ? "conflict" : "handler";
  return { kind, reason: thrown.code, error: thrown.message };
}

/** An event runs all handlers except those with a window; the task of a window runs only its own handler. */
const isAsked = ({ entry, coalesce }: Entry, { task }: Delivery) =>
  task ? task.entry === entry : coalesce === undefined;
