// Deliveries of events without a runtime: they use the unit of work as a pass does, with "handlers" that tests define.
import { withMarks } from "../../lib/commit/marks.ts";
import type { ConsumerStore } from "../../lib/commit/store.ts";
import { createUnitOfWork, type RunBuffer } from "../../lib/commit/unit-of-work.ts";
import type { Session } from "../../lib/sessions/session.ts";

export interface TestEvent {
  identity: string;
  /** The key of the event. */
  home: string;
  handlers: string[];
}

export interface TestRun {
  event: TestEvent;
  handler: string;
  /** Different for each run. */
  nth: number;
}

/** The actions of a handler in one run; false if it fails. */
export type Doing = (buffer: RunBuffer, run: TestRun) => Promise<boolean>;

let runs = 0;

export interface DeliveryOptions {
  /** How often an event is run if it has conflicts. */
  rounds?: number;
  endOf?: (session: Session) => number;
  /** Another key that is used as an event's home. */
  homeOf?: (event: TestEvent) => string;
  /** Called for each run that was accepted, and for each event that is acknowledged. */
  onAccepted?: (event: TestEvent, handler: string) => void;
  onDone?: (event: TestEvent) => void;
}

/** One delivery of these events, as one batch. */
export async function deliver(
  store: ConsumerStore,
  events: TestEvent[],
  doing: Doing,
  {
    rounds = 3,
    endOf,
    homeOf = ({ home }) => home,
    onAccepted = () => {},
    onDone = () => {},
  }: DeliveryOptions = {},
): Promise<void> {
  let open = events;
  for (let round = 0; round < rounds && open.length > 0; round += 1) {
    const homes = new Map(open.map((event) => [event.identity, homeOf(event)]));
    const keys = open.map(({ identity }) => ({ identity, id: identity }));
    const found = await store.read(keys, [...new Set(homes.values())]);
    const unit = createUnitOfWork({ ...found, ledger: withMarks(found, homes) }, store, {
      homes,
      ...(endOf && { endOf }),
    });
    const failed = new Set<TestEvent>();
    for (const event of open) {
      for (const handler of event.handlers) {
        if (unit.isDone(event.identity, handler) || unit.isLost(event.identity)) continue;
        const buffer = unit.startRun();
        runs += 1;
        if (!(await doing(buffer, { event, handler, nth: runs }))) failed.add(event);
        else if (await unit.accept(buffer, event.identity, handler)) onAccepted(event, handler);
      }
      if (failed.has(event)) unit.setAttempts(event.identity, unit.attempts(event.identity) + 1);
    }
    const { conflicted, rejected } = await unit.commit();
    for (const event of open) {
      const { identity } = event;
      if (!conflicted.has(identity) && !rejected.has(identity) && !failed.has(event)) onDone(event);
    }
    open = open.filter(({ identity }) => conflicted.has(identity));
  }
}

/** `event handler nth` */
export const nameOf = ({ event, handler, nth }: TestRun) => `${event.identity} ${handler} ${nth}`;

/** A run that adds its own name to these sessions, so that they show which runs were applied. */
export const adds =
  (...keys: string[]): Doing =>
  async (buffer, run) => {
    for (const key of keys) {
      const session = await buffer.read(key);
      const tags = [...(session?.tags ?? []), nameOf(run)];
      await buffer.write(key, { session: { ...session, tags } });
    }
    return true;
  };
