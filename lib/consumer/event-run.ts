import { type Api, GATEWAY_API } from "../apis/definition.ts";
import { AppError } from "../errors.ts";
import type { GatewayEvent } from "../events/event.ts";
import type { Delivery } from "../queue/delivery.ts";
import { receives } from "../queue/records.ts";
import type { JobEnd } from "../runtime/jobs.ts";
import type { Coalesced, SendTask } from "../tasks/tasks.ts";
import type { Windows } from "../tasks/windows.ts";
import type { ConfigOf } from "./config-data.ts";
import { type Entry, entriesFor } from "./entries.ts";
import { createEventResults, type EventResults, type RunningEvent } from "./event-results.ts";
import type { Failure } from "./failure.ts";
import { createHandlerRun, type HandlerRun, type HandlerRunDeps } from "./handler-run.ts";
import type { Loaded } from "./live-runtime.ts";
import { type EventEnd, UNSTARTED } from "./outcome.ts";
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
export interface EventRun extends RunningEvent {
  loaded: Loaded;
  timeLeft: TimeLeft;
  /** True after a failure that would affect the other events too. */
  isHalted(): boolean;
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

  /** Makes the second argument of each handler: the gateway's two members, and gatehook's additions. */
  async function contextOf({ envelope, records }: Delivery, api: Api | undefined, coalesced?: Coalesced) {
    const config_data = api && (await deps.configOf(api));
    return (Handler: string) => ({
      APIID: envelope.api_id,
      OrgID: envelope.org_id ?? api?.org_id ?? "",
      EventID: envelope.id,
      Handler,
      Attempt: Math.max(...records.map(receives)),
      ...(coalesced && { Coalesced: coalescedContext(coalesced) }),
      ...(config_data && { config_data }),
    });
  }

  /** Runs webhooks and log handlers. */
  async function runOwnHandlers(
    asked: Entry[],
    { delivery }: EventRun,
    results: EventResults,
    coalesced?: Coalesced,
  ) {
    for (const each of asked) {
      if (!("own" in each) || results.isOver()) continue;
      results.takeOwn(each.entry, await runOwn(delivery, each.own, coalesced));
    }
  }

  function jobOf(run: HandlerRun, eventRun: EventRun, results: EventResults) {
    const { unit, loaded, delivery } = eventRun;
    const prepared = prepare(run);
    return {
      run: prepared.run,
      host: prepared.host,
      isWanted: () => !results.isOver() && !eventRun.isHalted() && !unit.isLost(delivery.identity),
      startsWithin: () => eventRun.timeLeft() - runMs,
      async ended(end: JobEnd, waitedMs: number) {
        if (end === "unstarted") return results.take(run, UNSTARTED);
        countCosts(loaded.runtime);
        try {
          results.take(run, await prepared.end(end, waitedMs), end.ms);
        } catch (thrown) {
          results.takeThrown(run, thrown);
        }
      },
    };
  }

  /** Runs scripts, in the order of the definition. */
  async function runScripts(
    asked: Entry[],
    eventRun: EventRun,
    results: EventResults,
    coalesced?: Coalesced,
  ) {
    const { unit, loaded, delivery } = eventRun;
    const scripts = asked.flatMap((each) => ("ref" in each ? each : []));
    if (scripts.length === 0 || results.isOver()) return;
    const runOf = ({ ref, entry }: (typeof scripts)[number], context: object): HandlerRun => {
      return { unit, loaded, delivery, ref, entry, context };
    };
    const api = loaded.release.api(delivery.envelope.api_id);
    let context: (handler: string) => object;
    try {
      context = await contextOf(delivery, api, coalesced);
    } catch (thrown) {
      const why = configFailure(thrown);
      for (const script of scripts) {
        const run = runOf(script, {});
        results.take(run, fail(run, why));
      }
      return;
    }
    const runs = scripts.map((script) => runOf(script, context(script.ref.name)));
    const before = results.count();
    try {
      await loaded.runtime.runInOrder(runs.map((run) => jobOf(run, eventRun, results)));
    } catch (thrown) {
      const [lost] = runs.slice(results.count() - before);
      if (lost) results.takeThrown(lost, thrown);
    }
  }

  return async (eventRun: EventRun): Promise<EventEnd> => {
    const { unit, loaded, delivery } = eventRun;
    const { identity, envelope, task } = delivery;
    const { api_id, event } = envelope;
    const { release } = loaded;
    if (api_id === GATEWAY_API && deps.mirror) {
      // The run of a window comes long after its events.
      if (!task) await deps.mirror(event);
    } else if (!release.api(api_id)) return apiUnknown(delivery, release.version);
    const results = createEventResults({ ...deps, fail }, eventRun);
    const coalesced = task && (await deps.windows.close(delivery));
    // The process that opened the window died before it counted an event.
    if (task && !coalesced) return results.end();
    const asked = entriesFor(release, api_id, event.Type).filter(
      (each) => isAsked(each, delivery) && !unit.isDone(identity, each.entry),
    );
    if (task && asked.length === 0 && !unit.isDone(identity, task.entry)) {
      const names = { event_id: envelope.id, handler: task.entry, release: release.version };
      log.warn("window closed of a handler that is no longer in the release", names);
    }
    await runOwnHandlers(asked, eventRun, results, coalesced);
    await runScripts(asked, eventRun, results, coalesced);
    return results.end();
  };
}

function apiUnknown({ envelope: { id, api_id } }: Delivery, release: string): EventEnd {
  const error = `api_id "${api_id}" is in no definition of release ${release}`;
  const failure: Failure = { kind: "final", reason: "api-unknown", error, eventId: id, release };
  return { outcome: { is: "failed", failure }, handlers: [] };
}

/** An unavailable store of references is not an outage: the events of other APIs can continue. */
function configFailure(thrown: unknown): Pick<Failure, "kind" | "reason" | "error"> {
  if (!(thrown instanceof AppError)) throw thrown;
  const kind = thrown.code === "dependency-failed" ? "later" : "handler";
  return { kind, reason: thrown.code, error: thrown.message };
}

/** An event runs all handlers except those with a window; the task of a window runs only its own handler. */
const isAsked = ({ entry, coalesce }: Entry, { task }: Delivery) =>
  task ? task.entry === entry : coalesce === undefined;
