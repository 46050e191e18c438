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

/** What the runs of all events have in common, beside what a handler's run needs. */
export interface EventRunDeps extends HandlerRunDeps {
  /** How much later than `timeoutMs` a run is over for certain. */
  graceMs: number;
  /** `retry`: an event whose handler failed comes again. `drop`: the handler counts as done. */
  handlerErrors: "retry" | "drop";
  /** What scripts get of their API's config_data. */
  configOf: ConfigOf;
  sendTask: SendTask;
  windows: Windows;
  /** Where a gateway owns the sessions: has a row checked when one of the gateway's own events is about its key. */
  mirror?: ((event: GatewayEvent) => Promise<void>) | undefined;
}

/** Milliseconds that this invocation has left. */
export type TimeLeft = () => number;

/** One event's turn in a pass. */
export interface EventRun {
  unit: UnitOfWork;
  loaded: Loaded;
  delivery: Delivery;
  timeLeft: TimeLeft;
  /** True once a failure of any event says that the others would fail too. */
  isHalted(): boolean;
  /** Reports such a failure. */
  halt(outage: Failure): void;
}

/** What became of an event, and how each of its handlers ended that was not done before. */
export interface EventEnd {
  outcome: EventOutcome;
  handlers: HandlerReport[];
}

/** Kept back for the commit and the answer, in ms. */
export const COMMIT_RESERVE_MS = 1_500;

/**
 * Runs what is not done of one event. One handler's failure does not stop the others, but for a dependency's, which
 * would fail them too. Handlers for which no time is left are not started: the event comes again then, and the ledger
 * knows which of them are done.
 */
export function createEventRun(deps: EventRunDeps, prefetch: Prefetch) {
  const { log } = deps;
  const { prepare, fail } = createHandlerRun(deps, prefetch);
  const countCosts = createSandboxCosts(deps);
  const runOwn = createOwnRun(deps);
  const runMs = deps.timeoutMs + deps.graceMs + COMMIT_RESERVE_MS;

  /** The handler's second argument without its name: the gateway's two members, and what authors need beside them. */
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
      // A run for a whole window comes long after its events.
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
    // Who opened the window died before anything was counted in it.
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

    /** An unexpected error fails the handler; an outage while other runs are committed fails the batch. */
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
      log.warn("window closed of a handler that is in the release no more", {
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

/** A failure that passes with time is worth another delivery also where handlers may fail. */
const DROPPED: ReadonlySet<Failure["kind"]> = new Set(["final", "handler"]);

/** A store that is unavailable is not an outage: the events of other APIs can go on. */
function configFailure(thrown: unknown): Pick<Failure, "kind" | "reason" | "error"> {
  if (!(thrown instanceof AppError)) throw thrown;
  const kind = thrown.code === "dependency-failed" ? "conflict" : "handler";
  return { kind, reason: thrown.code, error: thrown.message };
}

/** By itself an event asks for all but those of which one run stands for many; a window asks for that of one handler. */
const isAsked = ({ entry, coalesce }: Entry, { task }: Delivery) =>
  task ? task.entry === entry : coalesce === undefined;
