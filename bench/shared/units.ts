// The units of the tables that an event consumes, as reported by the engine: they do not depend on the machine's speed.
import { type Capacity, type CapacityProxy, startCapacityProxy } from "./capacity.ts";
import { type Container, startContainer } from "./container.ts";
import { rounded } from "./figures.ts";
import { openPlace, type Place, type Space } from "./place.ts";
import { COST_RELEASE, keysOf, sessionOf } from "./samples.ts";

/** What the handler of each API does with the session of the event's key. */
export const KINDS = {
  touch: "reads and writes one session",
  demo: "reads and writes one session, and moves its end",
  look: "reads one session and writes none",
  unhandled: "is for no handler",
} as const;
export type Kind = keyof typeof KINDS;

/** Of one event: DynamoDB's units, and the size of its log in bytes. */
export interface Units {
  read_units: number;
  write_units: number;
  /** The part of the sessions table, of all its indexes, and of the table with the ledger. */
  writes: { sessions: number; indexes: number; ledger: number };
  log_bytes: number;
}

const BATCH = 10;
const BYTES = 2_000;

export interface Meter {
  /** Measures events of this kind, in batches of ten. */
  measure(kind: Kind, batches: number): Promise<Units>;
  close(): Promise<void>;
}

/** The real consumer on the embedded engine, with a proxy in front of the engine that counts. */
export async function openMeter(): Promise<Meter> {
  const place = await openPlace();
  try {
    const space = await place.space(COST_RELEASE);
    const proxy = await startCapacityProxy(space.env.AWS_ENDPOINT_URL_DYNAMODB ?? "");
    const env = { ...space.env, AWS_ENDPOINT_URL_DYNAMODB: proxy.endpoint };
    const container = await startContainer("gatehook", env);
    return meterOf({ place, space, proxy, container });
  } catch (thrown) {
    await place.close();
    throw thrown;
  }
}

interface Parts {
  place: Place;
  space: Space;
  proxy: CapacityProxy;
  container: Container;
}

function meterOf({ place, space, proxy, container }: Parts): Meter {
  return {
    async measure(kind, batches) {
      // In the first batch the consumer learns what its handlers read, and prefetches it for the next batches.
      const keys = BATCH * (batches + 1);
      const slice = { apiId: kind, prefix: `${kind} `, batch: BATCH, keys };
      await space.putSessions(keysOf(slice.prefix, keys), sessionOf(BYTES));
      await container.run({ ...slice, batches: 1 });
      proxy.take();
      const { events, logBytes } = await container.run({ ...slice, batches });
      return unitsOf(proxy.take(), space, events, logBytes);
    },
    async close() {
      await container.close();
      await proxy.close();
      await place.close();
    },
  };
}

function unitsOf({ read, write, writes }: Capacity, { env }: Space, events: number, logBytes: number): Units {
  const sum = (isOurs: (name: string) => boolean) =>
    rounded([...writes].reduce((all, [name, units]) => all + (isOurs(name) ? units : 0), 0) / events);
  return {
    read_units: rounded(read / events),
    write_units: rounded(write / events),
    writes: {
      sessions: sum((name) => name === env.SESSIONS_TABLE),
      indexes: sum((name) => name.startsWith(`${env.SESSIONS_TABLE} `)),
      ledger: sum((name) => name.startsWith(env.STATE_TABLE)),
    },
    log_bytes: Math.round(logBytes / events),
  };
}
