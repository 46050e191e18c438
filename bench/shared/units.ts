// What an event consumes of the tables, as the engine itself says: no machine's speed is a part of it.
import { type Capacity, type CapacityProxy, startCapacityProxy } from "./capacity.ts";
import { type Container, startContainer } from "./container.ts";
import { rounded } from "./figures.ts";
import { openPlace, type Place, type Space } from "./place.ts";
import { COST_RELEASE, keysOf, sessionOf } from "./samples.ts";

/** By API of the release: what its handler does with the session of the event's key. */
export const KINDS = {
  touch: "reads and writes one session",
  demo: "reads and writes one session, and moves its end",
  look: "reads one session and writes none",
  unhandled: "is for no handler",
} as const;
export type Kind = keyof typeof KINDS;

/** An event's, in DynamoDB's units; what it logs, in bytes. */
export interface Units {
  read_units: number;
  write_units: number;
  /** Of which to the sessions' table, to all of its indexes, and to the table with the ledger. */
  writes: { sessions: number; indexes: number; ledger: number };
  log_bytes: number;
}

const BATCH = 10;
const BYTES = 2_000;

export interface Meter {
  /** Of events of this kind, that come in batches of ten. */
  measure(kind: Kind, batches: number): Promise<Units>;
  close(): Promise<void>;
}

/** The embedded engine with the consumer as it is, before it a proxy that counts. */
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
      // The first batch learns what its handlers read, so that it comes with the next ones' first read.
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
