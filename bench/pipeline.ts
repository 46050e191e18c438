// npm run bench:pipeline: the cost of an event in gatehook, compared with consumers that a user would write: fresh (a
// QuickJS context for each record, one after the other) and warm (one context, records in parallel). Each runs in its
// own process on the same tables; they are measured in turns.

import { type Capacity, startCapacityProxy } from "./shared/capacity.ts";
import { type Container, type Measured, type Side, type Slice, startContainer } from "./shared/container.ts";
import { inTurns, median, ratioOf, rounded } from "./shared/figures.ts";
import { type Part, runPart } from "./shared/part.ts";
import { openPlace } from "./shared/place.ts";
import { EDITOR_RELEASE, keysOf, SESSIONS, type SessionSize, sessionOf } from "./shared/samples.ts";

const SIDES: Side[] = ["plain fresh", "plain warm", "gatehook"];
const SIZES: SessionSize[] = ["250 B", "2.7 KB"];
const BATCHES = [1, 10, 100];
const KEYS = 1_000;
const ROUNDS = 5;
const WARM_UP = { batch: 10, batches: 40 };
/** Events of one turn: enough for the resolution of the clock. */
const EVENTS = { 1: 150, 10: 300, 100: 500 } as Record<number, number>;
/** For `write_units` and `read_units`: the handler changes a session of 2 KB, but no attribute of an index. */
const UNITS = { apiId: "touch", batch: 10, bytes: 2_000, prefix: "touch " };
/** The row whose calls and log size are printed too. */
const SAID = { session: "250 B", batch: 10 };

interface Row {
  session: SessionSize;
  batch: number;
  side: Side;
  /** Processor time of an event in ms: in total, and by thread. */
  cpu_ms: number;
  main_ms: number;
  sandbox_ms: number;
  rest_ms: number;
  /** HTTP requests of an event. */
  aws_calls: number;
  log_bytes: number;
  read_units: number;
  write_units: number;
}

export interface PipelineResult {
  rows: Row[];
  /** The processor time of the plain consumers divided by gatehook's, by batch size. */
  ratios: Record<string, { plain: number; warm: number }>;
  ratios_large: Record<string, { plain: number; warm: number }>;
  /** Of gatehook: an event in a batch of 10 whose handler changes a session of 2 KB, but no attribute of an index. */
  write_units: number;
  /** The part of the sessions table, of all its indexes, and of the table with the ledger. */
  writes: { sessions: number; indexes: number; ledger: number };
  read_units: number;
  /** Of gatehook: an event in a batch of 10 with a session of 250 B. */
  aws_calls: number;
  log_bytes: number;
}

type Containers = Record<Side, Container>;

async function startAll(env: Record<string, string>): Promise<Containers> {
  const started = await Promise.all(
    SIDES.map(async (side) => [side, await startContainer(side, env)] as const),
  );
  return Object.fromEntries(started) as Containers;
}

const closeAll = (containers: Containers) => Promise.all(SIDES.map((side) => containers[side].close()));
const prefixOf = (side: Side, session: SessionSize) => `${side} ${session} `;

const sliceOf = (side: Side, session: SessionSize, batch: number, batches: number) => ({
  batch,
  batches,
  prefix: prefixOf(side, session),
  keys: KEYS,
});

async function measure({ quick }: { quick: boolean }): Promise<PipelineResult> {
  const place = await openPlace();
  try {
    const { env, putSessions } = await place.space(EDITOR_RELEASE);
    for (const side of SIDES)
      for (const session of SIZES)
        await putSessions(keysOf(prefixOf(side, session), KEYS), SESSIONS[session]);
    await putSessions(keysOf(UNITS.prefix, KEYS), sessionOf(UNITS.bytes));
    const units = await unitsOf(env);
    const containers = await startAll(env);
    if (!quick)
      for (const side of SIDES) await containers[side].run({ ...sliceOf(side, "250 B", 10, 1), ...WARM_UP });
    const rows: Row[] = [];
    const ratios = { "250 B": {}, "2.7 KB": {} } as Record<SessionSize, PipelineResult["ratios"]>;
    try {
      for (const session of SIZES) {
        for (const batch of BATCHES) {
          const batches = quick ? 2 : Math.ceil((EVENTS[batch] ?? 0) / batch);
          const taken = await inTurns(
            Object.fromEntries(
              SIDES.map((side) => [side, () => containers[side].run(sliceOf(side, session, batch, batches))]),
            ) as Record<Side, () => Promise<Measured>>,
            quick ? 1 : ROUNDS,
          );
          for (const side of SIDES)
            rows.push(rowOf(session, batch, side, taken[side], units.get(`${side} ${session} ${batch}`)));
          const total = (side: Side) => taken[side].map(({ cpu }) => cpu.total);
          ratios[session][batch] = {
            plain: ratioOf(total("plain fresh"), total("gatehook")),
            warm: ratioOf(total("plain warm"), total("gatehook")),
          };
        }
      }
    } finally {
      await closeAll(containers);
    }
    const own = rows.find(
      ({ side, session, batch }) => side === "gatehook" && session === SAID.session && batch === SAID.batch,
    );
    const { aws_calls = 0, log_bytes = 0 } = own ?? {};
    const { read = 0, write = 0, writes = new Map<string, number>() } = units.get(UNITS.apiId) ?? {};
    const sum = (isOurs: (name: string) => boolean) =>
      rounded([...writes].reduce((all, [name, units]) => all + (isOurs(name) ? units : 0), 0));
    return {
      rows,
      ratios: ratios["250 B"],
      ratios_large: ratios["2.7 KB"],
      write_units: rounded(write),
      writes: {
        sessions: sum((name) => name === env.SESSIONS_TABLE),
        indexes: sum((name) => name.startsWith(`${env.SESSIONS_TABLE} `)),
        ledger: sum((name) => name.startsWith(env.STATE_TABLE)),
      },
      read_units: rounded(read),
      aws_calls,
      log_bytes,
    };
  } finally {
    await place.close();
  }
}

/** The consumed capacity of an event, counted in separate processes, since the proxy costs time. */
async function unitsOf(env: Record<string, string>): Promise<Map<string, Capacity>> {
  const proxy = await startCapacityProxy(env.AWS_ENDPOINT_URL_DYNAMODB ?? "");
  const units = new Map<string, Capacity>();
  async function count(name: string, container: Container, slice: Slice): Promise<void> {
    proxy.take();
    const { events } = await container.run(slice);
    const { read, write, writes } = proxy.take();
    const each = new Map([...writes].map(([what, sum]) => [what, sum / events]));
    units.set(name, { read: read / events, write: write / events, writes: each });
  }
  try {
    const containers = await startAll({ ...env, AWS_ENDPOINT_URL_DYNAMODB: proxy.endpoint });
    try {
      for (const side of SIDES) {
        await containers[side].run(sliceOf(side, "250 B", 10, 2)); // reads what is read once
        for (const session of SIZES) {
          for (const batch of BATCHES)
            await count(`${side} ${session} ${batch}`, containers[side], sliceOf(side, session, batch, 3));
        }
      }
      const { apiId, prefix, batch } = UNITS;
      await count(apiId, containers.gatehook, { apiId, prefix, batch, batches: 3, keys: KEYS });
    } finally {
      await closeAll(containers);
    }
  } finally {
    await proxy.close();
  }
  return units;
}

function rowOf(
  session: SessionSize,
  batch: number,
  side: Side,
  turns: Measured[],
  units: Capacity | undefined,
): Row {
  const each = (figure: (turn: Measured) => number) =>
    rounded(median(turns.map((turn) => figure(turn) / turn.events)));
  return {
    session,
    batch,
    side,
    cpu_ms: each(({ cpu }) => cpu.total),
    main_ms: each(({ cpu }) => cpu.main),
    sandbox_ms: each(({ cpu }) => cpu.sandbox),
    rest_ms: each(({ cpu }) => cpu.rest),
    aws_calls: each(({ calls }) => calls),
    log_bytes: Math.round(each(({ logBytes }) => logBytes)),
    read_units: rounded(units?.read ?? Number.NaN),
    write_units: rounded(units?.write ?? Number.NaN),
  };
}

export const pipeline: Part<PipelineResult> = {
  name: "pipeline",
  measure,
  tables: ({ rows, ratios, ratios_large }) => [
    {
      title: "What an event costs",
      heads: [
        "session",
        "batch",
        "consumer",
        "CPU ms",
        "main thread",
        "sandbox",
        "others",
        "AWS calls",
        "log bytes",
        "read units",
        "write units",
      ],
      rows: rows.map((row) => Object.values(row)),
    },
    {
      title: "How many times less CPU gatehook takes",
      heads: ["session", "batch", "than plain, fresh context", "than plain, warm context"],
      rows: [
        ...Object.entries(ratios).map(([batch, { plain, warm }]) => ["250 B", batch, plain, warm]),
        ...Object.entries(ratios_large).map(([batch, { plain, warm }]) => ["2.7 KB", batch, plain, warm]),
      ],
    },
  ],
};

if (import.meta.main) await runPart(pipeline);
