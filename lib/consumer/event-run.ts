import { GATEWAY_API, type HandlerRef } from "../apis/definition.ts";
import { AppError, errorText } from "../errors.ts";
import type { GatewayEvent } from "../events/event.ts";
import type { Failure } from "./failure.ts";
import { createHandlerRun, type HandlerRunDeps } from "./handler-run.ts";
import type { Loaded } from "./live-runtime.ts";
import type { Prefetch } from "./prefetch.ts";
import type { Delivery } from "./records.ts";
import type { UnitOfWork } from "./unit-of-work.ts";

export interface EventRunDeps extends HandlerRunDeps {
  /** How much later than `timeoutMs` a run is over for certain. */
  graceMs: number;
  /** `retry`: an event whose handler failed comes again. `drop`: the handler counts as done. */
  handlerErrors: "retry" | "drop";
  /** Where a gateway owns the sessions: keeps them as it has them, told by its own events. */
  mirror?: ((event: GatewayEvent) => Promise<void>) | undefined;
}

/** Milliseconds that this invocation has left. */
export type TimeLeft = () => number;

export type EventEnd = "done" | "unstarted" | Failure;

/** Kept back for the commit and the answer, in ms. */
const COMMIT_RESERVE_MS = 1_500;

/** The worst of an event's failures is the one that says most about its next delivery. */
const WEIGHT = { final: 1, handler: 2, conflict: 3, dependency: 4 } as const;

/**
 * Runs what is not done of one event. One handler's failure does not stop the others, but for a dependency's, which
 * would fail them too. Handlers for which no time is left are not started: the event is handed back then, and the
 * ledger knows which of them are done.
 */
export function createEventRun(deps: EventRunDeps, prefetch: Prefetch) {
  const { log } = deps;
  const runHandler = createHandlerRun(deps, prefetch);
  const runMs = deps.timeoutMs + deps.graceMs + COMMIT_RESERVE_MS;

  return async (
    unit: UnitOfWork,
    loaded: Loaded,
    delivery: Delivery,
    timeLeft: TimeLeft,
  ): Promise<EventEnd> => {
    const { identity, envelope } = delivery;
    const { id, api_id, event } = envelope;
    const release = loaded.release.version;
    const fromGateway = api_id === GATEWAY_API && deps.mirror !== undefined;
    if (fromGateway) await deps.mirror?.(event);
    else if (!loaded.release.api(api_id)) {
      const error = `api_id "${api_id}" is in no definition of release ${release}`;
      return { kind: "final", reason: "api-unknown", error, eventId: id, release };
    }
    let worst: Failure | undefined;
    for (const { ref, entry } of numbered(loaded.release.handlers(api_id, event.Type))) {
      if (unit.conflicted.has(identity)) return "unstarted";
      if (unit.isDone(identity, entry)) continue;
      if (timeLeft() < runMs) return "unstarted";
      const failure = await runHandler({ unit, loaded, delivery, ref, entry }).catch((thrown: unknown) => {
        // The commit of what was accepted before may be part of it: that is the batch's failure.
        if (thrown instanceof AppError && thrown.code === "dependency-failed") throw thrown;
        const error = errorText(thrown);
        return {
          kind: "handler",
          reason: "runtime-failed",
          error,
          eventId: id,
          handler: ref.name,
          release,
        } as const;
      });
      if (!failure) continue;
      if (failure.kind === "dependency") return failure;
      if (deps.handlerErrors === "drop" && failure.kind !== "conflict") {
        log.error("handler dropped", { event_id: id, handler: ref.name, release, code: failure.reason });
        unit.dismiss(identity, entry);
      } else if (!worst || WEIGHT[worst.kind] < WEIGHT[failure.kind]) worst = failure;
    }
    return worst ?? "done";
  };
}

/** The ledger's name of each: an API may name one handler twice, and the gateway then runs it twice. */
function numbered(refs: HandlerRef[]): { ref: HandlerRef; entry: string }[] {
  const seen = new Map<string, number>();
  return refs.map((ref) => {
    const nth = (seen.get(ref.name) ?? 0) + 1;
    seen.set(ref.name, nth);
    return { ref, entry: nth === 1 ? ref.name : `${ref.name}#${nth}` };
  });
}
