import type { SessionRules } from "../commit/batch-sessions.ts";
import { withMarks } from "../commit/marks.ts";
import type { BatchRead, ConsumerStore } from "../commit/store.ts";
import { type Commit, createUnitOfWork, type UnitOfWork } from "../commit/unit-of-work.ts";
import { type Delivery, groupsOf } from "../queue/delivery.ts";
import { receives } from "../queue/records.ts";
import type { LiveRelease } from "../releases/release.ts";
import type { ChangedState } from "../sessions/item.ts";
import { sessionEnd } from "../sessions/lifetime.ts";
import { isStorableKey } from "../sessions/limits.ts";
import type { Circuit } from "./circuit.ts";
import { createEventRun, type EventRunDeps, type TimeLeft } from "./event-run.ts";
import type { Failure } from "./failure.ts";
import { type Lane, lanesOf } from "./lanes.ts";
import type { LiveRuntime, Loaded } from "./live-runtime.ts";
import {
  CONFLICTED,
  type EventEnd,
  type EventOutcome,
  type HandlerReport,
  UNSTARTED,
  worse,
} from "./outcome.ts";
import { createPrefetch, ownKey } from "./prefetch.ts";

/** The dependencies of all passes of a container. */
export interface PassDeps extends EventRunDeps {
  store: ConsumerStore;
  live: LiveRuntime;
  circuit: Circuit;
  /** The number of failed attempts after which an event becomes a dead letter. */
  maxAttempts: number;
  /** The number of receives after which an event becomes a dead letter, whatever the cause. */
  receiveLimit: number;
  /** Only if a gateway owns the sessions. */
  changedState?: ChangedState | undefined;
}

/** An event after a pass. */
export interface Passed {
  delivery: Delivery;
  outcome: EventOutcome;
  handlers: HandlerReport[];
  release: LiveRelease;
  /** The number of handlers that were done before this pass. */
  doneBefore: number;
}

/** Events with their data, and the release that was live when the data was read; a pass uses only that release. */
export interface Opened {
  given: Delivery[];
  read: BatchRead;
  loaded: Loaded;
}

/** The results of a pass after its commit. */
export interface PassEnd {
  passed: Passed[];
  /** Events with the identity of an earlier event with other content: they are not run. */
  others: Delivery[];
  /** The table rejected events together: each needs its own commit. */
  needsOwnCommit: boolean;
  /** Whether sessions can be put with marks; otherwise each commit is a transaction. */
  hasMarks: boolean;
}

/** How the events of this pass are run. Both flags are false in the first pass of an invocation. */
export interface PassOptions {
  timeLeft: TimeLeft;
  /** One event after the other, so that the events of this batch do not conflict with each other. */
  inTurn: boolean;
  /** Each event has its own commit. */
  alone: boolean;
}

/** One pass over events. */
export interface Pass {
  /**
   * Reads their data, and loads the live release, also without events. That closes the runtime of an older release: no
   * script may run in the meantime. Throws `dependency-failed`, and `release-missing` when no release is live.
   */
  open(given: Delivery[]): Promise<Opened>;
  /** Runs them once, and commits their changes. */
  run(opened: Opened, options: PassOptions): Promise<PassEnd>;
}

/** Reads the data of events, runs them, and commits their changes: for all batches of a container. */
export function createPass(deps: PassDeps): Pass {
  const { store, metrics, circuit } = deps;
  const prefetch = createPrefetch();
  const runEvent = createEventRun(deps, prefetch);

  /** A gateway that owns the sessions determines how long they are kept. */
  function rulesOf(release: LiveRelease): SessionRules {
    const { changedState } = deps;
    if (changedState) return { changedState };
    return { endOf: (session) => sessionEnd(session, release, Math.floor(deps.now() / 1000)) };
  }

  const unitOf = (read: BatchRead, release: LiveRelease, deliveries: Delivery[], homes: Homes) =>
    createUnitOfWork(read, store, {
      fifoGroups: groupsOf(deliveries),
      homes,
      ...rulesOf(release),
      digests: new Map(deliveries.map(({ identity, digest }) => [identity, digest])),
      onSee: (inMemory) => metrics.count(inMemory ? "PrefetchHits" : "PrefetchMisses"),
    });

  /**
   * Counts the attempt of an event whose handler failed. The count is 0 again if the event becomes a dead letter: a
   * redrive has all its attempts, and a corrected event can have its id.
   */
  function counted(unit: UnitOfWork, { identity, records }: Delivery, outcome: EventOutcome): EventOutcome {
    if (outcome.is !== "failed") return outcome;
    const { failure } = outcome;
    const before = unit.attempts(identity);
    const isLast = records.every((record) => receives(record) >= deps.receiveLimit);
    if (failure.kind === "handler") {
      const attempt = before + 1;
      const exhausted = isLast || attempt >= deps.maxAttempts;
      unit.setAttempts(identity, exhausted ? 0 : attempt);
      return { is: "failed", failure, attempt, exhausted };
    }
    // During an outage of the table, one more write would only fail the commit of the other events.
    const isDead = failure.kind === "final" || (failure.kind === "later" && isLast);
    if (isDead && before > 0) unit.setAttempts(identity, 0);
    return outcome;
  }

  /** The outcome of an event whose own write failed; the count of its attempts can still be written. */
  async function rejectedOutcome(
    unit: UnitOfWork,
    delivery: Delivery,
    { rejected }: Commit,
  ): Promise<EventOutcome> {
    const { code, message } = rejected.get(delivery.identity) ?? { code: "commit-failed", message: "" };
    const kind = code === "commit-impossible" ? "final" : "handler";
    const failure: Failure = { kind, reason: code, error: message, eventId: delivery.envelope.id };
    const outcome = counted(unit, delivery, { is: "failed", failure });
    await unit.commit();
    return outcome;
  }

  async function open(given: Delivery[]): Promise<Opened> {
    const found = await store.read(given, prefetch.keysFor(given.map(({ envelope }) => envelope)));
    const read = { ...found, ledger: withMarks(found, homesOf(given)) };
    const loaded = await deps.live.at(read.liveVersion);
    prefetch.at(loaded.release);
    return { given, read, loaded };
  }

  /** Runs the events in their lanes. Those that were not started have no end; `outage` stopped them, if there is one. */
  async function runLanes(deliveries: Delivery[], work: Work): Promise<Ran> {
    const { unit, loaded, timeLeft, inTurn, alone } = work;
    const uncounted = new Map<Delivery, Failure>();
    const countInWindows = (counted: Delivery[]) =>
      deps.windows.take(counted, loaded.release, unit, (delivery, failure) => {
        uncounted.set(delivery, failure);
      });
    // An event with its own commit is counted just before its run, so that no other event's entry is in that commit.
    if (!alone) await countInWindows(deliveries);
    const ends = new Map<Delivery, EventEnd>();
    let outage: Failure | undefined;
    let broken: unknown;
    const isHalted = () => outage !== undefined || broken !== undefined;
    const halt = (failure: Failure) => {
      outage ??= failure;
    };

    async function runOne(delivery: Delivery): Promise<EventOutcome> {
      if (alone) await countInWindows([delivery]);
      const end = await runEvent({ unit, loaded, delivery, timeLeft, isHalted, halt });
      const failure = uncounted.get(delivery);
      const ran = failure ? worse(end.outcome, { is: "failed", failure }) : end.outcome;
      const outcome = counted(unit, delivery, ran);
      ends.set(delivery, { ...end, outcome });
      return alone ? atCommit(delivery, outcome, await unit.commit()) : outcome;
    }

    async function runLane({ ordered, deliveries: lane }: Lane): Promise<void> {
      for (const delivery of lane) {
        if (isHalted()) return;
        const outcome = await runOne(delivery);
        // Events after one that is not done must wait. If that event is run again, they are run again too.
        if (ordered && outcome.is !== "done" && outcome.is !== "conflicted") return;
      }
    }

    /** A lane that throws does not stop the others: the invocation waits for all lanes. */
    const runWhole = (lane: Lane) =>
      runLane(lane).catch((thrown: unknown) => {
        broken ??= thrown;
      });

    const lanes = lanesOf(deliveries);
    if (inTurn || alone) for (const lane of lanes) await runWhole(lane);
    else await Promise.all(lanes.map(runWhole));
    if (broken !== undefined) throw broken;
    return { ends, outage };
  }

  async function run({ given, read, loaded }: Opened, options: PassOptions): Promise<PassEnd> {
    const [deliveries, others] = split(given, read);
    const unit = unitOf(read, loaded.release, deliveries, homesOf(given));
    const { ends, outage } = await runLanes(deliveries, { unit, loaded, ...options });
    const commit = await unit.commit();
    if (outage) circuit.failed();
    else circuit.succeeded();
    metrics.count("Conflicts", commit.conflicted.size);

    const passed: Passed[] = [];
    for (const delivery of deliveries) {
      const { outcome: ran, handlers } = ends.get(delivery) ?? unrun(delivery, outage);
      const isRejected = commit.rejected.has(delivery.identity);
      const outcome = isRejected
        ? await rejectedOutcome(unit, delivery, commit)
        : atCommit(delivery, ran, commit);
      const { done = [], marked = [] } = read.ledger.get(delivery.identity) ?? {};
      const doneBefore = done.length + marked.length;
      passed.push({ delivery, outcome, handlers, release: loaded.release, doneBefore });
    }
    return { passed, others, needsOwnCommit: commit.needsOwnCommit, hasMarks: read.marks === true };
  }

  return { open, run };
}

/** How the events of one pass are run, and in which unit their changes are collected. */
interface Work extends PassOptions {
  unit: UnitOfWork;
  loaded: Loaded;
}

/** The results of a pass before its commit. */
interface Ran {
  ends: ReadonlyMap<Delivery, EventEnd>;
  outage: Failure | undefined;
}

/** The key of each event, by identity. */
type Homes = ReadonlyMap<string, string>;

function homesOf(deliveries: Delivery[]): Homes {
  const homes = deliveries.map(({ identity, envelope }) => [identity, ownKey(envelope)] as const);
  return new Map(homes.filter(([, key]) => isStorableKey(key)));
}

/** The deliveries whose content matches their ledger entry, and the others. */
function split(deliveries: Delivery[], { ledger }: BatchRead): [Delivery[], Delivery[]] {
  const isOther = ({ identity, digest }: Delivery) => (ledger.get(identity)?.digest ?? digest) !== digest;
  return [deliveries.filter((delivery) => !isOther(delivery)), deliveries.filter(isOther)];
}

/** The outcome after the commit: an event that the commit did not accept is not done. */
function atCommit({ identity, envelope }: Delivery, outcome: EventOutcome, commit: Commit): EventOutcome {
  if (commit.conflicted.has(identity)) return CONFLICTED;
  const refused = commit.rejected.get(identity);
  if (!refused) return outcome;
  const { code: reason, message: error } = refused;
  return { is: "failed", failure: { kind: "handler", reason, error, eventId: envelope.id } };
}

/** An event that was not started, because the failure of another event would affect it too. */
function unrun({ envelope }: Delivery, outage: Failure | undefined): EventEnd {
  if (!outage) return { outcome: UNSTARTED, handlers: [] };
  const failure = { ...outage, eventId: envelope.id, handler: undefined };
  return { outcome: { is: "failed", failure }, handlers: [] };
}
