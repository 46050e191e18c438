import { setTimeout as delay } from "node:timers/promises";
import { AppError, errorText } from "../errors.ts";
import { type BatchResult, type BatchResultDeps, createBatchResult } from "../queue/batch-result.ts";
import type { Verdict } from "../queue/dead-letters.ts";
import { type Delivery, deliveryOf, groupOf } from "../queue/delivery.ts";
import { type QueueRecord, receives } from "../queue/records.ts";
import type { Task } from "../tasks/tasks.ts";
import type { Deliver } from "../webhooks/deliverer.ts";
import { createConclusions } from "./conclusion.ts";
import { COMMIT_RESERVE_MS, type TimeLeft } from "./event-run.ts";
import type { Failure } from "./failure.ts";
import { createPace } from "./pace.ts";
import { createPass, type Opened, type PassDeps } from "./pass.ts";

/** The dependencies that exist as long as the container; those of one invocation are passed with each call. */
export interface ConsumerDeps extends PassDeps, Omit<BatchResultDeps, "log"> {
  deliver: Deliver;
  /** From 0 to 1. */
  random: () => number;
}

/** How often an event is run if others change a session that it has read; then SQS delivers it again. */
const CONFLICT_RUNS = 5;
/** The longest pause before the second of these runs; it doubles for each further run. */
const CONFLICT_PAUSE_MS = 10;
/** The same if each commit is a transaction: a commit that meets a lock is cancelled as a whole. */
const LOCKED_PAUSE_MS = 200;
/** After how many seconds an event with a conflict in each run is retried. */
const CONFLICT_SECONDS = 1;
/** SQS's limit of a visibility timeout, 12 hours, counted from the receive. */
const LONGEST_SECONDS = 42_900;

/** The arguments of one invocation. */
interface Batch {
  result: BatchResult;
  timeLeft: TimeLeft;
}

/** The progress of the events of an invocation. */
interface Rounds {
  /** How many were finished. */
  ended: number;
  /** Events that were not started, or not finished, although this invocation had time for others. */
  unstarted: Delivery[];
  /** Events with a conflict in each run. */
  conflicted: Delivery[];
}

/** Runs the handlers of a batch's events; returns the ids of the messages that SQS must deliver again. */
export function createConsumer(
  deps: ConsumerDeps,
): (batch: QueueRecord[], timeLeft: TimeLeft) => Promise<string[]> {
  const { log, metrics, circuit } = deps;
  const pace = createPace();
  const pass = createPass(deps);
  const { conclude, leave, drop } = createConclusions(deps);

  async function open(records: QueueRecord[], result: BatchResult): Promise<Delivery[]> {
    const deliveries = new Map<string, Delivery>();
    for (const record of records) {
      try {
        const delivery = deliveryOf(record);
        const twin = deliveries.get(delivery.identity);
        if (!twin) deliveries.set(delivery.identity, delivery);
        else {
          twin.records.push(record);
          if (twin.digest !== delivery.digest) drop(delivery);
        }
      } catch (thrown) {
        if (!(thrown instanceof AppError)) throw thrown;
        metrics.count("EventsFailed");
        await result.giveUp([record], { reason: thrown.code, error: thrown.message });
      }
    }
    return [...deliveries.values()];
  }

  /**
   * Leaves events to other invocations. `ended`: how many were done in the meantime, in how many ms. If all of the
   * others were delivered again immediately, they would use up their receives while they wait for each other.
   */
  function leaveUnstarted(
    left: Delivery[],
    { ended, ms }: { ended: number; ms: number },
    result: BatchResult,
  ): void {
    const spreadSeconds = ended > 0 ? ((left.length / ended) * ms) / 1000 : 0;
    for (const delivery of left) {
      const longest = Math.min(spreadSeconds, 2 ** Math.max(...delivery.records.map(receives)));
      const how = { seconds: Math.floor(deps.random() * longest), blameless: true };
      leave(delivery, unstartedVerdict(delivery), result, ended > 0 ? how : undefined);
    }
  }

  /** Takes the events that there is time for, and makes the rest visible again immediately. */
  async function sizeDown(deliveries: Delivery[], { result, timeLeft }: Batch): Promise<Delivery[]> {
    const inOrder = deliveries.some((delivery) => groupOf(delivery) !== undefined);
    const ms = timeLeft();
    const room = inOrder ? deliveries.length : pace.fit(ms);
    if (room >= deliveries.length) return deliveries;
    const left = deliveries.slice(room);
    leaveUnstarted(left, { ended: room, ms }, result);
    await result.release(left.flatMap(({ records }) => records));
    return deliveries.slice(0, room);
  }

  /** Runs these events, repeats those with a conflict on fresh data, and concludes those that are finished. */
  async function runAll(first: Opened, { result, timeLeft }: Batch): Promise<Rounds> {
    const rounds: Rounds = { ended: 0, unstarted: [], conflicted: first.given };
    let alone = false;
    let pauseMs = CONFLICT_PAUSE_MS;
    for (let run = 1; rounds.conflicted.length > 0 && run <= CONFLICT_RUNS; run += 1) {
      if (run > 1) {
        const pause = deps.random() * pauseMs * 2 ** (run - 2);
        if (pause > timeLeft() - COMMIT_RESERVE_MS) break;
        await delay(pause);
      }
      const opened = run === 1 ? first : await pass.open(rounds.conflicted);
      const end = await pass.run(opened, { timeLeft, inTurn: run > 1, alone });
      alone ||= end.needsOwnCommit;
      pauseMs = end.hasMarks ? CONFLICT_PAUSE_MS : LOCKED_PAUSE_MS;
      for (const delivery of end.others) {
        drop(delivery);
        result.done(delivery.records);
      }
      rounds.conflicted = [];
      for (const passed of end.passed) {
        const { delivery, outcome } = passed;
        if (outcome.is === "conflicted") {
          rounds.conflicted.push(delivery);
          deps.history?.conflicted(delivery);
        } else if (outcome.is === "unstarted") rounds.unstarted.push(delivery);
        else {
          await conclude(passed, result);
          rounds.ended += 1;
        }
      }
    }
    return rounds;
  }

  /** A task that is due later is returned to the queue, since SQS cannot delay a message long enough. */
  async function putOff(delivery: Delivery, task: Task, result: BatchResult): Promise<void> {
    const { records, envelope } = delivery;
    const [record] = records;
    const seconds = Math.ceil(task.due - deps.now() / 1000);
    if (record?.attributes.MessageGroupId === undefined) {
      if (record) await deps.sendTask(record, envelope.id, task);
      return result.done(records);
    }
    const error = "it was not due at any receive";
    const verdict = { reason: "unstarted", error, eventId: envelope.id, handler: task.entry } as const;
    result.stay(records, verdict, { seconds: Math.min(seconds, LONGEST_SECONDS), blameless: true });
  }

  async function work(records: QueueRecord[], batch: Batch): Promise<void> {
    const opened = await open(records, batch.result);
    const now = deps.now() / 1000;
    const {
      early = [],
      webhook = [],
      event = [],
    } = Object.groupBy(opened, ({ task }) => {
      if (task && task.due > now) return "early";
      return task?.kind === "webhook" ? "webhook" : "event";
    });
    await allEnded([
      ...early.map(({ task, ...delivery }) => task && putOff(delivery, task, batch.result)),
      runDue(webhook, event, batch),
    ]);
  }

  /** Runs webhooks and events, all with the release that is live now. */
  async function runDue(webhooks: Delivery[], events: Delivery[], batch: Batch): Promise<void> {
    if (webhooks.length + events.length === 0) return;
    const started = batch.timeLeft();
    const first = await pass.open(await sizeDown(events, batch));
    await allEnded([
      webhooks.length > 0 && deps.deliver(webhooks, { release: first.loaded.release, ...batch }),
      first.given.length > 0 && runEvents(first, started, batch),
    ]);
  }

  /** `started`: the time that was left before the events were read. */
  async function runEvents(first: Opened, started: number, batch: Batch): Promise<void> {
    const { result, timeLeft } = batch;
    const { ended, unstarted, conflicted } = await runAll(first, batch);
    for (const delivery of conflicted) {
      leave(delivery, staleFailure(delivery), result, { seconds: CONFLICT_SECONDS, blameless: true });
    }
    const ms = started - timeLeft();
    pace.learn(ended + conflicted.length, ms);
    leaveUnstarted(unstarted, { ended, ms }, result);
  }

  async function consume(records: QueueRecord[], timeLeft: TimeLeft): Promise<string[]> {
    const result = createBatchResult(records, deps);
    const seconds = circuit.wait();
    if (seconds > 0) {
      log.warn("batch returned to the queue, a dependency failed recently", {
        records: records.length,
        seconds,
      });
      metrics.count("HandedBack", records.length);
      const error = "a dependency was failing at every receive";
      const verdict = { reason: "dependency-failed", error } as const;
      result.stay(records, verdict, { seconds: seconds + deps.retryDelay(1) });
      return result.close(verdict);
    }
    try {
      await work(records, { result, timeLeft });
      return result.close({ reason: "unfinished", error: "its run was not finished" });
    } catch (thrown) {
      // If this threw, SQS would redeliver events that are done too.
      const error = errorText(thrown);
      log.error("batch not finished, SQS will deliver the rest again", { error });
      circuit.failed();
      return result.close({ reason: "dependency-failed", error });
    }
  }

  return async (records, timeLeft) => {
    const failed = await consume(records, timeLeft);
    await deps.history?.flush(timeLeft());
    return failed;
  };
}

/** They do not affect each other: an error of one is thrown after all have ended. */
async function allEnded(parts: unknown[]): Promise<void> {
  for (const end of await Promise.allSettled(parts)) if (end.status === "rejected") throw end.reason;
}

function unstartedVerdict({ envelope }: Delivery): Verdict {
  const error = "at every receive no time was left for it, or an earlier event of its group was not done";
  return { reason: "unstarted", error, eventId: envelope.id };
}

function staleFailure({ envelope }: Delivery): Failure {
  const error = "a session that its handlers read was changed by others during each of its runs";
  return { kind: "later", reason: "session-stale", error, eventId: envelope.id };
}
