import { createHash } from "node:crypto";
import type { UnitOfWork } from "../commit/unit-of-work.ts";
import { entriesFor } from "../consumer/entries.ts";
import type { Failure } from "../consumer/failure.ts";
import { AppError } from "../errors.ts";
import type { Metrics } from "../metrics.ts";
import type { Delivery } from "../queue/delivery.ts";
import type { QueueRecord } from "../queue/records.ts";
import type { LiveRelease } from "../releases/release.ts";
import type { Coalesce } from "../webhooks/definition.ts";
import { type Coalesced, type SendTask, windowTask } from "./tasks.ts";
import { COUNT_EVENTS, type Counted, type Span, type WindowStore } from "./window-store.ts";

/** `counter` identifies this process: it must be unique. */
export interface WindowsDeps {
  store: WindowStore;
  sendTask: SendTask;
  /** In ms since 1970. */
  now: () => number;
  /** The prefix of this consumer's counters. */
  counter: string;
  metrics: Metrics;
}

/** Coalesces equal events within a window into one run, after the end of the window. */
export interface Windows {
  /**
   * Counts the events for the handlers with `coalesce`, and marks these handlers as done in the ledger. An event is
   * counted once, even if its commit fails. `reject` is called for events that cannot be counted. Throws
   * `dependency-failed`.
   */
  take(
    deliveries: Delivery[],
    release: LiveRelease,
    unit: Pick<UnitOfWork, "isDone" | "dismiss">,
    reject: (delivery: Delivery, failure: Failure) => void,
  ): Promise<void>;
  /** Closes the window of a task; undefined if nothing was counted in it. */
  close(delivery: Delivery): Promise<Coalesced | undefined>;
}

/** Equal events, and the handler for which they are counted. */
interface Group {
  key: string;
  entry: string;
  coalesce: Coalesce;
  deliveries: Delivery[];
}

/** A window in which this consumer counts, with its own counter. */
interface Joined extends Span {
  counter: string;
}

/** The number of windows that are remembered; after a window is forgotten, its next event gets a new counter. */
const MOST_JOINED = 10_000;
/** Added to a window's end, so that a consumer whose clock is a little behind can still count in it. */
const GRACE_SECONDS = 1;
/** Another consumer's clock may close a window too early; this never affects the next but one. */
const WINDOWS = 3;

/** Remembers up to 10,000 windows in which it counts, as long as the container exists. */
export function createWindows({ store, sendTask, now, counter, metrics }: WindowsDeps): Windows {
  const joined = new Map<string, Joined>();
  let joins = 0;

  /**
   * Sends the message that will close the window before anything is counted in it. Undefined if the window is closed.
   */
  async function join(
    { entry, deliveries }: Group,
    window: string,
    ends: number,
  ): Promise<Joined | undefined> {
    const known = joined.get(window);
    if (known) return known;
    joins += 1;
    const made = { counter: `${counter}-${joins}`, first: Number.POSITIVE_INFINITY, last: 0 };
    const found = await store.join(window, made.counter);
    if (!found) return undefined;
    const record = found.hasCloser ? undefined : smallestOf(deliveries);
    if (record) {
      await sendTask(record, window, windowTask(entry, window, ends + GRACE_SECONDS));
      await store.closerSent(window);
    }
    const [oldest = window] = joined.keys();
    if (joined.size >= MOST_JOINED) joined.delete(oldest);
    joined.set(window, made);
    return made;
  }

  async function countIn(group: Group, window: string, ends: number, events: Counted[]): Promise<boolean> {
    const mine = await join(group, window, ends);
    if (!mine) return false;
    const times = events.map(({ at }) => at);
    const span = { first: Math.min(mine.first, ...times), last: Math.max(mine.last, ...times) };
    const isCounted = await store.count(window, mine.counter, events, span);
    if (isCounted) Object.assign(mine, span);
    else joined.delete(window);
    return isCounted;
  }

  async function count(group: Group, events: Counted[]): Promise<void> {
    const { key, coalesce } = group;
    for (let next = 0; next < WINDOWS; next += 1) {
      const { nth, ends } = windowAt(key, coalesce, now() / 1000, next);
      if (await countIn(group, `${key}-${nth}`, ends, events)) return;
    }
    throw new AppError(
      "dependency-failed",
      "all windows of an event are closed: check the clock of this machine",
    );
  }

  return {
    async take(deliveries, release, unit, reject) {
      async function takeGroup(group: Group): Promise<void> {
        const events = group.deliveries.map((delivery) => countedOf(delivery, group.entry, now()));
        for (let at = 0; at < events.length; at += COUNT_EVENTS)
          await count(group, events.slice(at, at + COUNT_EVENTS));
        metrics.count("EventsCoalesced", events.length);
        for (const { identity } of group.deliveries) unit.dismiss(identity, group.entry);
      }
      /** Only these events fail, not their batch. */
      function rejectLarge({ entry, deliveries: large }: Group, thrown: unknown): void {
        if (!(thrown instanceof AppError) || thrown.code !== "event-too-large") throw thrown;
        const { code: reason, message: error } = thrown;
        for (const delivery of large) {
          const names = { eventId: delivery.envelope.id, handler: entry, release: release.version };
          reject(delivery, { kind: "final", reason, error, ...names });
        }
      }
      // Each event of a batch may have another key, and windows of different keys are independent.
      const ended = await Promise.allSettled(
        [...groupsOf(deliveries, release, unit)].map((group) =>
          takeGroup(group).catch((thrown: unknown) => rejectLarge(group, thrown)),
        ),
      );
      for (const end of ended) if (end.status === "rejected") throw end.reason;
    },
    async close({ task }) {
      const counted = task && (await store.close(task.id));
      if (counted) metrics.count("WindowsClosed");
      return counted;
    },
  };
}

function groupsOf(
  deliveries: Delivery[],
  release: LiveRelease,
  unit: Pick<UnitOfWork, "isDone">,
): Iterable<Group> {
  const groups = new Map<string, Group>();
  for (const delivery of deliveries) {
    if (delivery.task) continue;
    const { api_id, event } = delivery.envelope;
    for (const { entry, coalesce } of entriesFor(release, api_id, event.Type)) {
      if (!coalesce || unit.isDone(delivery.identity, entry)) continue;
      const { by } = coalesce;
      const common = by !== undefined && Object.hasOwn(event.Meta, by) ? event.Meta[by] : null;
      const key = hashOf([api_id, event.Type, entry, coalesce.windowSeconds, common]);
      const group = groups.get(key) ?? { key, entry, coalesce, deliveries: [] };
      groups.set(key, group);
      group.deliveries.push(delivery);
    }
  }
  return groups.values();
}

/**
 * The window of a time, or one of the next ones: its number, and its end in unix seconds. Windows of different keys end
 * at different times, so that their runs do not all come at the same time.
 */
function windowAt(key: string, { windowSeconds }: Coalesce, seconds: number, next: number) {
  const offset =
    Number.parseInt(createHash("sha256").update(key).digest("hex").slice(0, 8), 16) % windowSeconds;
  const nth = Math.floor((seconds + offset) / windowSeconds) + next;
  return { nth, ends: (nth + 1) * windowSeconds - offset };
}

/** The event of a group whose message has most room for a task. */
function smallestOf(deliveries: Delivery[]): QueueRecord | undefined {
  const bytes = ({ body }: QueueRecord) => Buffer.byteLength(body);
  const records = deliveries.flatMap((delivery) => delivery.records);
  return records.toSorted((a, b) => bytes(a) - bytes(b))[0];
}

function countedOf({ identity, records }: Delivery, entry: string, now: number): Counted {
  const times = records.flatMap(({ attributes }) => Number(attributes.SentTimestamp) || []);
  return { mark: hashOf([identity, entry]), at: times.length > 0 ? Math.min(...times) : now };
}

const hashOf = (parts: unknown[]) =>
  createHash("sha256").update(JSON.stringify(parts)).digest("base64url").slice(0, 32);
