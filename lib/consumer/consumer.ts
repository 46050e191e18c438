import { AppError, errorText } from "../errors.ts";
import type { LiveRelease } from "../releases/release.ts";
import { type Answer, type AnswerDeps, createAnswer } from "./answer.ts";
import type { Circuit } from "./circuit.ts";
import type { Verdict } from "./dead-letters.ts";
import { createEventRun, type EventEnd, type EventRunDeps, type TimeLeft } from "./event-run.ts";
import type { Failure } from "./failure.ts";
import { inLanes, lanesOf } from "./lanes.ts";
import type { LiveRuntime } from "./live-runtime.ts";
import { createPrefetch } from "./prefetch.ts";
import { type Delivery, groupOf, groupsOf, parseRecord, type QueueRecord } from "./records.ts";
import type { ConsumerStore } from "./store.ts";
import { createUnitOfWork, type UnitOfWork } from "./unit-of-work.ts";

export interface ConsumerDeps extends EventRunDeps, AnswerDeps {
  store: ConsumerStore;
  live: LiveRuntime;
  circuit: Circuit;
  /** Deliveries at which a handler may fail before its event becomes a dead letter. */
  maxAttempts: number;
  /** Events of a batch that are run at once; more than one only in a runtime that isolates them from each other. */
  workers: number;
}

/** How often an event is run again at once because a session it read was changed meanwhile; then SQS redelivers. */
const CONFLICT_RUNS = 5;

/** What one invocation has of its own. */
interface Batch {
  answer: Answer;
  timeLeft: TimeLeft;
  /** Groups of a FIFO queue of which an event is not done: their later events must wait. */
  held: Set<string>;
  /** True when each event needs a commit of its own. */
  alone: boolean;
}

/** Runs the handlers of a batch's events; answers the ids of the messages that SQS must deliver again. */
export function createConsumer(
  deps: ConsumerDeps,
): (batch: QueueRecord[], timeLeft: TimeLeft) => Promise<string[]> {
  const { store, log, metrics, circuit } = deps;
  const prefetch = createPrefetch();
  const runEvent = createEventRun(deps, prefetch);

  async function open(records: QueueRecord[], answer: Answer): Promise<Delivery[]> {
    const deliveries = new Map<string, Delivery>();
    for (const record of records) {
      try {
        const envelope = parseRecord(record);
        const twin = deliveries.get(envelope.id);
        if (twin) twin.records.push(record);
        else deliveries.set(envelope.id, { envelope, records: [record] });
      } catch (thrown) {
        if (!(thrown instanceof AppError)) throw thrown;
        metrics.count("EventsFailed");
        await answer.giveUp([record], { reason: thrown.code, error: thrown.message });
      }
    }
    return [...deliveries.values()];
  }

  /** Reads, runs and commits these events once; answers those that must be run again on fresh data. */
  async function pass(deliveries: Delivery[], workers: number, batch: Batch): Promise<Delivery[]> {
    const envelopes = deliveries.map(({ envelope }) => envelope);
    const read = await store.read(
      envelopes.map(({ id }) => id),
      prefetch.keysFor(envelopes),
    );
    const loaded = await deps.live.at(read.liveVersion);
    prefetch.at(loaded.release);
    const unit = createUnitOfWork(read, store, groupsOf(deliveries), (inMemory) =>
      metrics.count(inMemory ? "PrefetchHits" : "PrefetchMisses"),
    );
    const ends = new Map<Delivery, EventEnd>();
    let halted: Failure | undefined;
    const lanes = workers > 1 ? lanesOf(deliveries) : [deliveries];
    await inLanes(lanes, workers, async (delivery) => {
      const group = groupOf(delivery);
      if (halted || (group !== undefined && batch.held.has(group))) return;
      const end = await runEvent(unit, loaded, delivery, batch.timeLeft);
      ends.set(delivery, end);
      if (typeof end === "object" && end.kind === "dependency") halted = end;
      if (typeof end === "object" && end.kind === "handler") countAttempt(unit, delivery);
      if (batch.alone) await unit.commit();
      const open = end !== "done" || unit.impossible.has(delivery.envelope.id);
      if (open && group !== undefined && !unit.conflicted.has(delivery.envelope.id)) batch.held.add(group);
    });
    await unit.commit();
    if (halted) circuit.failed();
    else circuit.succeeded();
    if (unit.crowded) batch.alone = true;
    metrics.count("Conflicts", unit.conflicted.size);
    const settled = deliveries.filter(({ envelope }) => !unit.conflicted.has(envelope.id));
    // At once, if this batch had time for any: for one that had none, the next would not have more.
    const again = [...ends.values()].some((end) => end !== "unstarted") ? 0 : undefined;
    for (const delivery of settled) {
      const end = endOf(delivery, ends, unit, halted);
      if (end === "unstarted") leave(delivery, unstarted(delivery, loaded.release), batch.answer, again);
      else await conclude(delivery, end, { unit, answer: batch.answer, release: loaded.release });
    }
    return deliveries.filter((delivery) => !settled.includes(delivery));
  }

  /** The count starts anew when the event is given up, so that a redrive has all its attempts. */
  function countAttempt(unit: UnitOfWork, { envelope: { id } }: Delivery): void {
    const attempts = unit.attempts(id) + 1;
    unit.setAttempts(id, attempts < deps.maxAttempts ? attempts : 0);
  }

  async function conclude(
    delivery: Delivery,
    end: "done" | Failure,
    { unit, answer, release }: { unit: UnitOfWork; answer: Answer; release: LiveRelease },
  ): Promise<void> {
    const { envelope, records } = delivery;
    if (end === "done") {
      answer.done(records);
      const { id, api_id, event } = envelope;
      log.info("event done", { event_id: id, api_id, type: event.Type, release: release.version });
      metrics.count("EventsDone");
      return;
    }
    const exhausted = end.kind === "handler" && unit.attempts(envelope.id) === 0;
    if (end.kind !== "final" && !exhausted) return leave(delivery, end, answer);
    metrics.count("EventsFailed");
    await answer.giveUp(records, end);
  }

  /** What is not done, and not given up. */
  function leave({ records }: Delivery, verdict: Verdict, answer: Answer, seconds?: number): void {
    const { eventId: event_id, reason, handler, release } = verdict;
    log.warn("event left to SQS", { event_id, reason, handler, release });
    metrics.count(reason === "unstarted" ? "EventsUnstarted" : "EventsFailed");
    answer.stay(records, verdict, seconds);
  }

  async function work(records: QueueRecord[], batch: Batch): Promise<void> {
    let todo = await open(records, batch.answer);
    for (let run = 1; todo.length > 0 && run <= CONFLICT_RUNS; run += 1) {
      // After a conflict one at a time, so that events of this batch are no conflict for each other.
      todo = await pass(todo, run === 1 ? deps.workers : 1, batch);
    }
    for (const delivery of todo) leave(delivery, staleFailure(delivery), batch.answer);
  }

  return async (records, timeLeft) => {
    const answer = createAnswer(records, deps);
    const seconds = circuit.wait();
    if (seconds > 0) {
      log.warn("batch handed back, a dependency has failed just now", { records: records.length, seconds });
      metrics.count("HandedBack", records.length);
      const error = "a dependency was failing at every receive";
      answer.stay(records, { reason: "dependency-failed", error }, seconds + deps.retryDelay(1));
      return answer.close({ reason: "dependency-failed", error });
    }
    try {
      await work(records, { answer, timeLeft, held: new Set(), alone: false });
      return answer.close({ reason: "unfinished", error: "its run was not finished" });
    } catch (thrown) {
      // A throw from here would make SQS redeliver what is done too.
      const error = errorText(thrown);
      log.error("batch not finished, SQS will deliver the rest again", { error });
      circuit.failed();
      return answer.close({ reason: "dependency-failed", error });
    }
  };
}

/** How an event ended that no conflict sends round again. */
function endOf(
  delivery: Delivery,
  ends: Map<Delivery, EventEnd>,
  unit: UnitOfWork,
  halted: Failure | undefined,
): EventEnd {
  const { id } = delivery.envelope;
  const error = unit.impossible.get(id);
  if (error !== undefined) return { kind: "final", reason: "commit-impossible", error, eventId: id };
  return ends.get(delivery) ?? (halted ? { ...halted, eventId: id, handler: undefined } : "unstarted");
}

function unstarted({ envelope }: Delivery, { version }: LiveRelease): Verdict {
  const error = "at every receive no time was left for it, or an earlier event of its group was not done";
  return { reason: "unstarted", error, eventId: envelope.id, release: version };
}

function staleFailure({ envelope }: Delivery): Failure {
  const error = `a session that its handlers read was changed by others ${CONFLICT_RUNS} times in a row`;
  return { kind: "conflict", reason: "session-stale", error, eventId: envelope.id };
}
