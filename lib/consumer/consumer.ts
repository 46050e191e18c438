import { setTimeout as delay } from "node:timers/promises";
import { meantType } from "../apis/event-types.ts";
import { AppError, errorText } from "../errors.ts";
import type { LiveRelease } from "../releases/release.ts";
import type { ChangedState } from "../sessions/item.ts";
import { sessionEnd } from "../sessions/lifetime.ts";
import { type Answer, type AnswerDeps, createAnswer, type Stay } from "./answer.ts";
import type { SessionRules } from "./batch-sessions.ts";
import type { Circuit } from "./circuit.ts";
import type { Verdict } from "./dead-letters.ts";
import { createEventRun, type EventEnd, type EventRunDeps, type TimeLeft } from "./event-run.ts";
import type { Failure } from "./failure.ts";
import { inLanes, lanesOf } from "./lanes.ts";
import type { LiveRuntime } from "./live-runtime.ts";
import { createPace } from "./pace.ts";
import { createPrefetch } from "./prefetch.ts";
import { type Delivery, deliveryOf, groupOf, groupsOf, type QueueRecord, receives } from "./records.ts";
import type { BatchRead, ConsumerStore } from "./store.ts";
import { createUnitOfWork, type UnitOfWork } from "./unit-of-work.ts";

export interface ConsumerDeps extends EventRunDeps, AnswerDeps {
  store: ConsumerStore;
  live: LiveRuntime;
  circuit: Circuit;
  /** Deliveries at which a handler may fail before its event becomes a dead letter. */
  maxAttempts: number;
  /** Events of a batch that are run at once; more than one only in a runtime that isolates them from each other. */
  workers: number;
  /** Only where a gateway owns the sessions. */
  changedState?: ChangedState | undefined;
  /** From 0 to 1. */
  random: () => number;
}

/** How often an event is run because others changed a session it read meanwhile; then it is handed back. */
const CONFLICT_RUNS = 3;
/** The longest pause before the second of these runs; each further one is twice as long at most. */
const CONFLICT_PAUSE_MS = 20;
/** After which an event that met others every time comes again. */
const CONFLICT_SECONDS = 3;

/** What one invocation has of its own. */
interface Batch {
  answer: Answer;
  timeLeft: TimeLeft;
  /** Groups of a FIFO queue of which an event is not done: their later events must wait. */
  held: Set<string>;
  /** True when each event needs a commit of its own. */
  alone: boolean;
  /** Events that were not run, or not to the end, although this invocation had time for others. */
  unstarted: Delivery[];
  /** How many were run to their end. */
  ended: number;
}

/** What is known of an event when it has ended. */
interface Conclusion {
  unit: UnitOfWork;
  answer: Answer;
  release: LiveRelease;
  /** Handlers that the ledger had as done before this batch. */
  doneBefore: number;
}

/** Runs the handlers of a batch's events; answers the ids of the messages that SQS must deliver again. */
export function createConsumer(
  deps: ConsumerDeps,
): (batch: QueueRecord[], timeLeft: TimeLeft) => Promise<string[]> {
  const { store, log, metrics, circuit } = deps;
  const prefetch = createPrefetch();
  const pace = createPace();
  const runEvent = createEventRun(deps, prefetch);

  async function open(records: QueueRecord[], answer: Answer): Promise<Delivery[]> {
    const deliveries = new Map<string, Delivery>();
    for (const record of records) {
      try {
        const delivery = deliveryOf(record);
        const twin = deliveries.get(delivery.identity);
        if (!twin) deliveries.set(delivery.identity, delivery);
        else {
          twin.records.push(record);
          if (twin.digest !== delivery.digest) tellOfOther(delivery);
        }
      } catch (thrown) {
        if (!(thrown instanceof AppError)) throw thrown;
        metrics.count("EventsFailed");
        await answer.giveUp([record], { reason: thrown.code, error: thrown.message });
      }
    }
    return [...deliveries.values()];
  }

  /** Another content under the same identity: the first one counts, and nobody should learn that by chance. */
  function tellOfOther({ envelope: { id, api_id, event } }: Delivery): void {
    log.warn("event dropped: another content came under its id before", {
      event_id: id,
      api_id,
      type: event.Type,
    });
    metrics.count("EventsDropped");
  }

  /** Those whose content is the one that their ledger entry is about. */
  function withoutOthers(deliveries: Delivery[], { ledger }: BatchRead, answer: Answer): Delivery[] {
    return deliveries.filter((delivery) => {
      const { digest = delivery.digest } = ledger.get(delivery.identity) ?? {};
      if (digest === delivery.digest) return true;
      tellOfOther(delivery);
      answer.done(delivery.records);
      return false;
    });
  }

  /** Reads, runs and commits these events once; answers those that must be run again on fresh data. */
  async function pass(given: Delivery[], workers: number, batch: Batch): Promise<Delivery[]> {
    const read = await store.read(given, prefetch.keysFor(given.map(({ envelope }) => envelope)));
    const deliveries = withoutOthers(given, read, batch.answer);
    const loaded = await deps.live.at(read.liveVersion);
    prefetch.at(loaded.release);
    const unit = createUnitOfWork(read, store, {
      chains: groupsOf(deliveries),
      ...rulesOf(loaded.release),
      digests: new Map(deliveries.map(({ identity, digest }) => [identity, digest])),
      onSee: (inMemory) => metrics.count(inMemory ? "PrefetchHits" : "PrefetchMisses"),
    });
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
      const open = end !== "done" || unit.refused.has(delivery.identity);
      if (open && group !== undefined && !unit.conflicted.has(delivery.identity)) batch.held.add(group);
    });
    await unit.commit();
    if (halted) circuit.failed();
    else circuit.succeeded();
    if (unit.crowded) batch.alone = true;
    metrics.count("Conflicts", unit.conflicted.size);
    const settled = deliveries.filter(({ identity }) => !unit.conflicted.has(identity));
    for (const delivery of settled) {
      const end = endOf(delivery, ends, unit, halted);
      const doneBefore = read.ledger.get(delivery.identity)?.done.length ?? 0;
      const { answer } = batch;
      if (end === "unstarted") batch.unstarted.push(delivery);
      else await conclude(delivery, end, { unit, answer, release: loaded.release, doneBefore });
      if (end !== "unstarted") batch.ended += 1;
    }
    return deliveries.filter((delivery) => !settled.includes(delivery));
  }

  /** A gateway that owns the sessions decides how long it keeps them. */
  function rulesOf(release: LiveRelease): SessionRules {
    const { changedState } = deps;
    if (changedState) return { changedState };
    return { endOf: (session) => sessionEnd(session, release, Math.floor(deps.now() / 1000)) };
  }

  /** The count starts anew when the event is given up, so that a redrive has all its attempts. */
  function countAttempt(unit: UnitOfWork, { identity }: Delivery): void {
    const attempts = unit.attempts(identity) + 1;
    unit.setAttempts(identity, attempts < deps.maxAttempts ? attempts : 0);
  }

  async function conclude(
    delivery: Delivery,
    end: "done" | Failure,
    { unit, answer, release, doneBefore }: Conclusion,
  ): Promise<void> {
    const { identity, records } = delivery;
    if (end === "done") {
      answer.done(records);
      tellDone(delivery, release, doneBefore);
      metrics.count("EventsDone");
      return;
    }
    if (end.reason === "commit-failed") {
      // Its own write failed; the count of its attempts is a write like everybody's.
      countAttempt(unit, delivery);
      await unit.commit();
    }
    const exhausted = end.kind === "handler" && unit.attempts(identity) === 0;
    const attempt = end.kind === "handler" ? unit.attempts(identity) : undefined;
    if (end.kind !== "final" && !exhausted) return leave(delivery, end, answer, { attempt });
    metrics.count("EventsFailed");
    await answer.giveUp(records, end);
  }

  /** With how many handlers there are for it, and how many of them earlier deliveries had done. */
  function tellDone({ envelope }: Delivery, release: LiveRelease, done_before: number): void {
    const { id: event_id, api_id, event } = envelope;
    const types = release.api(api_id)?.handlers ?? {};
    const handlers = release.handlers(api_id, event.Type).length;
    const meant = handlers === 0 ? meantType(event.Type, Object.keys(types)) : undefined;
    const facts = { event_id, api_id, type: event.Type, release: release.version, handlers, done_before };
    log.info("event done", { ...facts, ...(meant !== undefined && { meant }) });
  }

  /** What is not done, and not given up; `attempt`: how many attempts it has cost so far, where this one counts. */
  function leave(
    { records }: Delivery,
    verdict: Verdict,
    answer: Answer,
    { attempt, ...how }: Stay & { attempt?: number | undefined } = {},
  ): void {
    const { eventId: event_id, reason, handler, release } = verdict;
    const seconds = how.seconds ?? deps.retryDelay(Math.max(...records.map(receives)));
    const counted = attempt !== undefined && { attempt, max_attempts: deps.maxAttempts };
    log.warn("event left to SQS", { event_id, reason, handler, release, seconds, ...counted });
    metrics.count(reason === "unstarted" ? "EventsUnstarted" : "EventsFailed");
    answer.stay(records, verdict, { ...how, seconds });
  }

  /**
   * Leaves events to other invocations. `ended`: how many were done meanwhile, in how many ms. When all those left
   * came again at once, they would use up their receives waiting for each other.
   */
  function leaveUnstarted(
    left: Delivery[],
    { ended, ms }: { ended: number; ms: number },
    answer: Answer,
  ): void {
    const spreadSeconds = ended > 0 ? ((left.length / ended) * ms) / 1000 : 0;
    for (const delivery of left) {
      const longest = Math.min(spreadSeconds, 2 ** Math.max(...delivery.records.map(receives)));
      const how = { seconds: Math.floor(deps.random() * longest), blameless: true };
      leave(delivery, unstarted(delivery), answer, ended > 0 ? how : undefined);
    }
  }

  /** Takes as many events as there is time for, and lets others have the rest now. */
  async function sizeDown(deliveries: Delivery[], { answer, timeLeft }: Batch): Promise<Delivery[]> {
    const inOrder = deliveries.some((delivery) => groupOf(delivery) !== undefined);
    const ms = timeLeft();
    const room = inOrder ? deliveries.length : pace.fit(ms);
    if (room >= deliveries.length) return deliveries;
    const left = deliveries.slice(room);
    leaveUnstarted(left, { ended: room, ms }, answer);
    await answer.release(left.flatMap(({ records }) => records));
    return deliveries.slice(0, room);
  }

  async function work(records: QueueRecord[], batch: Batch): Promise<void> {
    const started = batch.timeLeft();
    let todo = await sizeDown(await open(records, batch.answer), batch);
    for (let run = 1; todo.length > 0 && run <= CONFLICT_RUNS; run += 1) {
      if (run > 1) await delay(deps.random() * CONFLICT_PAUSE_MS * 2 ** (run - 2));
      // After a conflict one at a time, so that events of this batch are no conflict for each other.
      todo = await pass(todo, run === 1 ? deps.workers : 1, batch);
    }
    for (const delivery of todo) {
      const seconds = 1 + Math.floor(deps.random() * CONFLICT_SECONDS);
      leave(delivery, staleFailure(delivery), batch.answer, { seconds, blameless: true });
    }
    const { ended, unstarted, answer } = batch;
    const ms = started - batch.timeLeft();
    pace.learn(ended + todo.length, ms);
    leaveUnstarted(unstarted, { ended, ms }, answer);
  }

  return async (records, timeLeft) => {
    const answer = createAnswer(records, deps);
    const seconds = circuit.wait();
    if (seconds > 0) {
      log.warn("batch handed back, a dependency has failed just now", { records: records.length, seconds });
      metrics.count("HandedBack", records.length);
      const error = "a dependency was failing at every receive";
      const verdict = { reason: "dependency-failed", error } as const;
      answer.stay(records, verdict, { seconds: seconds + deps.retryDelay(1) });
      return answer.close(verdict);
    }
    try {
      const own = { held: new Set<string>(), alone: false, unstarted: [], ended: 0 };
      await work(records, { answer, timeLeft, ...own });
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
  const { identity, envelope } = delivery;
  const refused = unit.refused.get(identity);
  if (refused) {
    const kind = refused.code === "commit-impossible" ? "final" : "handler";
    return { kind, reason: refused.code, error: refused.message, eventId: envelope.id };
  }
  return (
    ends.get(delivery) ?? (halted ? { ...halted, eventId: envelope.id, handler: undefined } : "unstarted")
  );
}

function unstarted({ envelope }: Delivery): Verdict {
  const error = "at every receive no time was left for it, or an earlier event of its group was not done";
  return { reason: "unstarted", error, eventId: envelope.id };
}

function staleFailure({ envelope }: Delivery): Failure {
  const error = `a session that its handlers read was changed by others ${CONFLICT_RUNS} times in a row`;
  return { kind: "conflict", reason: "session-stale", error, eventId: envelope.id };
}
