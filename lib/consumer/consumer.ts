import type { HandlerRef } from "../apis/definition.ts";
import { AppError, errorText } from "../errors.ts";
import type { SendDeadLetter, Verdict } from "./dead-letters.ts";
import { createHandlerRun, type Failure, type HandlerRunDeps } from "./handler-run.ts";
import { inLanes, lanesOf } from "./lanes.ts";
import type { LiveRuntime, Loaded } from "./live-runtime.ts";
import { createPrefetch } from "./prefetch.ts";
import { type Delivery, parseRecord, type QueueRecord, receives } from "./records.ts";
import type { ConsumerStore } from "./store.ts";
import { createUnitOfWork, type UnitOfWork } from "./unit-of-work.ts";

export interface ConsumerDeps extends HandlerRunDeps {
  store: ConsumerStore;
  live: LiveRuntime;
  sendDeadLetter: SendDeadLetter;
  /** The receive at which the queue gives an event for the last time (its redrive policy's maxReceiveCount). */
  maxReceives: number;
  /** How much later than `timeoutMs` a run is over for certain; a little when it is not given. */
  graceMs?: number;
  /** Events of a batch that are run at once; more than one only in a runtime that isolates them from each other. */
  workers?: number;
}

/** Milliseconds that this invocation has left. */
export type TimeLeft = () => number;

/** How often an event is run again at once because a session it read was changed meanwhile; then SQS redelivers. */
const CONFLICT_RUNS = 5;
/** Kept back for the commit and the answer, in ms. */
const COMMIT_RESERVE_MS = 1_500;

/** Runs the handlers of a batch's events; answers the ids of the messages that SQS must deliver again. */
export function createConsumer(
  deps: ConsumerDeps,
): (batch: QueueRecord[], timeLeft: TimeLeft) => Promise<string[]> {
  const { store, log } = deps;
  const prefetch = createPrefetch();
  const runHandler = createHandlerRun(deps, prefetch);
  const runMs = deps.timeoutMs + (deps.graceMs ?? 0) + COMMIT_RESERVE_MS;

  /** Gives a record up: once its body is in the dead-letter queue it is done with. */
  async function bury(record: QueueRecord, verdict: Verdict): Promise<boolean> {
    const facts = {
      message_id: record.messageId,
      event_id: verdict.eventId,
      reason: verdict.reason,
      error: verdict.error,
    };
    try {
      await deps.sendDeadLetter(record, verdict);
      log.error("event to the dead letters", facts);
      return true;
    } catch (thrown) {
      log.error("dead letter not sent, SQS will deliver the event again", {
        ...facts,
        cause: errorText(thrown),
      });
      return false;
    }
  }

  async function open(batch: QueueRecord[], done: Set<string>): Promise<Delivery[]> {
    const deliveries = new Map<string, Delivery>();
    for (const record of batch) {
      try {
        const envelope = parseRecord(record);
        const twin = deliveries.get(envelope.id);
        if (twin) twin.records.push(record);
        else deliveries.set(envelope.id, { envelope, records: [record] });
      } catch (thrown) {
        if (!(thrown instanceof AppError)) throw thrown;
        if (await bury(record, { reason: thrown.code, error: thrown.message })) done.add(record.messageId);
      }
    }
    return [...deliveries.values()];
  }

  /**
   * Runs what is not done of one event. One handler's failure does not stop the others; of several failures it
   * answers one that another delivery may mend, if there is such. Handlers for which no time is left are not
   * started: the event is handed back then, and the ledger knows which of them are done.
   */
  async function runEvent(
    unit: UnitOfWork,
    loaded: Loaded,
    delivery: Delivery,
    timeLeft: TimeLeft,
  ): Promise<Failure | undefined | "unfinished"> {
    const { id, api_id, event } = delivery.envelope;
    if (!loaded.release.api(api_id)) {
      const error = `api_id "${api_id}" is in no definition of release ${loaded.release.version}`;
      return { reason: "api-unknown", error, eventId: id, release: loaded.release.version, final: true };
    }
    let telling: Failure | undefined;
    for (const { ref, entry } of numbered(loaded.release.handlers(api_id, event.Type))) {
      if (unit.conflicted.has(id)) return undefined;
      if (unit.isDone(id, entry)) continue;
      if (timeLeft() < runMs) return "unfinished";
      const failure = await runHandler({ unit, loaded, delivery, ref, entry });
      if (failure && (!telling || (telling.final && !failure.final))) telling = failure;
    }
    return telling;
  }

  /** Reads, runs and commits these events once; answers those that must be run again on fresh data. */
  async function pass(
    deliveries: Delivery[],
    workers: number,
    timeLeft: TimeLeft,
    done: Set<string>,
  ): Promise<Delivery[]> {
    const read = await store.read(
      deliveries.map(({ envelope }) => envelope.id),
      prefetch.keysFor(deliveries.map(({ envelope }) => envelope)),
    );
    const loaded = await deps.live.at(read.liveVersion);
    prefetch.at(loaded.release);
    const unit = createUnitOfWork(read, store);
    const failures = new Map<Delivery, Failure | undefined>();
    const lanes = workers > 1 ? lanesOf(deliveries) : [deliveries];
    await inLanes(lanes, workers, async (delivery) => {
      const end = await runEvent(unit, loaded, delivery, timeLeft);
      // What no longer fits is handed back: it is not in `failures`, so it is not done.
      if (end !== "unfinished") failures.set(delivery, end);
    });
    await unit.commit();
    for (const [delivery, failure] of failures) {
      if (!unit.conflicted.has(delivery.envelope.id)) await conclude(delivery, failure, done);
    }
    return deliveries.filter(({ envelope }) => unit.conflicted.has(envelope.id));
  }

  async function conclude({ envelope, records }: Delivery, failure: Failure | undefined, done: Set<string>) {
    if (!failure) {
      for (const { messageId } of records) done.add(messageId);
      log.info("event done", { event_id: envelope.id, api_id: envelope.api_id, type: envelope.event.Type });
      return;
    }
    for (const record of records) {
      const last = failure.final || receives(record) >= deps.maxReceives;
      if (last && (await bury(record, failure))) done.add(record.messageId);
    }
  }

  return async (batch, timeLeft) => {
    // Failed is the default: only what is proven done is acknowledged.
    const done = new Set<string>();
    try {
      let todo = await open(batch, done);
      for (let run = 1; todo.length > 0 && run <= CONFLICT_RUNS; run += 1) {
        // After a conflict one at a time, so that events of this batch are no conflict for each other.
        todo = await pass(todo, run === 1 ? (deps.workers ?? 1) : 1, timeLeft, done);
      }
      for (const delivery of todo) {
        log.warn("event left to SQS after conflicts", { event_id: delivery.envelope.id });
        await conclude(delivery, staleFailure(delivery), done);
      }
    } catch (thrown) {
      // A throw from here would make SQS redeliver what is done too.
      log.error("batch not finished, SQS will deliver the rest again", { error: errorText(thrown) });
    }
    return batch.map(({ messageId }) => messageId).filter((id) => !done.has(id));
  };
}

function staleFailure({ envelope }: Delivery): Failure {
  const error = `a session that its handlers read was changed by others ${CONFLICT_RUNS} times in a row`;
  return { reason: "session-stale", error, eventId: envelope.id, final: false };
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
