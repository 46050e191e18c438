// npm run bench:contention [-- --consumers N --hot N --cold N --json]: how events on one session (hot) affect events on
// other sessions (cold). It runs the real consumer on a table in memory that locks the items of a transaction as
// DynamoDB does, with assumed latencies. All cases are measured in one run: the cold events together with hot ones, and
// with the same number of events on sessions of their own; the same from a FIFO queue; and with transactions instead of
// marks.
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Command } from "commander";
import { createConsumerStore } from "../lib/commit/store.ts";
import { type Circuit, createCircuit } from "../lib/consumer/circuit.ts";
import { type ConsumerDeps, createConsumer } from "../lib/consumer/consumer.ts";
import { SCOPED_KEY } from "../lib/dynamo/state-keys.ts";
import type { QueueRecord } from "../lib/queue/records.ts";
import { createRetryDelay } from "../lib/queue/retry-delay.ts";
import { TABLE_FORMAT } from "../lib/releases/table-format.ts";
import { consumerDeps, count, createRelease, createRuntime, message } from "../test/helpers/consumer.ts";
import { createContendedTable } from "./shared/contended-table.ts";
import { rounded, times } from "./shared/figures.ts";
import { type Part, runPart } from "./shared/part.ts";

const BATCH = 10;
const PATIENCE_MS = 180_000;
const HOT = "hot";
/** Makes a session of 2 KB, together with the other attributes of its item. */
const ALIAS = "x".repeat(1_700);

/** With `format` 1 there are no marks, and each commit is a transaction. */
function createEngine(format: number) {
  const table = createContendedTable();
  table.items.set("state release", {
    pk: { S: "release" },
    version: { S: "v1" },
    format: { N: String(format) },
  });
  table.items.set(`state ${SCOPED_KEY}`, { pk: { S: SCOPED_KEY }, since: { N: "1" } });
  return {
    ...table,
    seed: (key: string) =>
      table.items.set(`sessions ${key}`, {
        key: { S: key },
        session: { M: { alias: { S: ALIAS } } },
        version: { N: "1" },
      }),
    rateOf: (key: string) => Number(table.items.get(`sessions ${key}`)?.session?.M?.rate?.N ?? 0),
    client: { send: table.send } as unknown as Parameters<typeof createConsumerStore>[0]["dynamo"],
  };
}

interface Queued {
  record: QueueRecord;
  hot: boolean;
  /** When it can be received, and how often it was received. */
  at: number;
  receives: number;
}

interface Load {
  /** Concurrent containers. */
  consumers: number;
  /** The number of events on one session (hot), and on sessions of their own (cold). */
  hot: number;
  cold: number;
}

interface Mode {
  /** The format of the tables. */
  format?: number;
  /** From a FIFO queue with a group for each key. */
  fifo?: boolean;
}

async function play({ consumers, hot, cold }: Load, { format = TABLE_FORMAT, fifo = false }: Mode = {}) {
  const engine = createEngine(format);
  const queue: Queued[] = Array.from({ length: hot + cold }, (_, nth) => {
    const isHot = nth < hot;
    const key = isHot ? HOT : `cold-${nth}`;
    engine.seed(key);
    return {
      record: message(`e${nth}`, { key, ...(fifo && { group: key }) }),
      hot: isHot,
      at: 0,
      receives: 0,
    };
  }).sort(() => Math.random() - 0.5);
  const runtime = createRuntime({ count });
  const release = createRelease({ KeyExpired: ["count"] });
  const took = { hot: [] as number[], cold: [] as number[] };
  const said = new Map<string, number>();
  let circuits = 0;
  const counted = (circuit: Circuit): Circuit => ({
    ...circuit,
    failed() {
      circuits += 1;
      circuit.failed();
    },
  });
  const say = (text: string) => void said.set(text, (said.get(text) ?? 0) + 1);
  let letters = 0;
  const started = performance.now();
  const now = () => performance.now() - started;

  /** The groups of a FIFO queue with a message that is in progress, or waits for its retry. */
  const busy = new Set<string>();
  const groupOf = ({ record }: Queued) => record.attributes?.MessageGroupId ?? "";

  function take(): Queued[] {
    const batch: Queued[] = [];
    const waits = new Set(busy);
    const isReady = (one: Queued | undefined) => {
      if (!one || waits.has(groupOf(one))) return false;
      if (one.at > now() && fifo) waits.add(groupOf(one));
      return one.at <= now();
    };
    for (let at = 0; at < queue.length && batch.length < BATCH; ) {
      const [next] = isReady(queue[at]) ? queue.splice(at, 1) : [];
      if (next) batch.push(next);
      else at += 1;
    }
    return batch;
  }

  async function consumeAll(): Promise<void> {
    const back = new Map<string, number>();
    const deps: ConsumerDeps = {
      ...consumerDeps(),
      store: createConsumerStore({
        dynamo: engine.client,
        sessionsTable: "sessions",
        stateTable: "state",
        ledgerTtlSeconds: 1_000,
        now: Date.now,
        random: Math.random,
        newToken: randomUUID,
      }),
      live: { at: async () => ({ release, runtime }), close: async () => {} },
      circuit: counted(createCircuit({ now: Date.now, random: Math.random })),
      retryDelay: createRetryDelay({ baseSeconds: 5, maxSeconds: 900, random: Math.random }),
      changeVisibility: async (returns) => {
        for (const { record, seconds } of returns) back.set(record.messageId, seconds);
      },
      sendDeadLetter: async () => {
        letters += 1;
      },
      requeue: async (record, { seconds }) =>
        void queue.push({ record, hot: true, at: now() + seconds * 1_000, receives: 0 }),
      now: Date.now,
      log: { debug() {}, info() {}, warn: say, error: say },
    };
    const consume = createConsumer(deps);
    while (took.hot.length + took.cold.length + letters < hot + cold && now() < PATIENCE_MS) {
      const batch = take();
      if (batch.length === 0) {
        await delay(20);
        continue;
      }
      const records = batch.map(({ record, receives }) => ({
        ...record,
        attributes: { ApproximateReceiveCount: String(receives + 1) },
      }));
      if (fifo) for (const one of batch) busy.add(groupOf(one));
      const failed = new Set(await consume(records, () => 30_000));
      for (const one of batch) busy.delete(groupOf(one));
      for (const one of batch) {
        const { messageId } = one.record;
        if (!failed.has(messageId)) took[one.hot ? "hot" : "cold"].push(now());
        else
          queue.push({ ...one, receives: one.receives + 1, at: now() + (back.get(messageId) ?? 30) * 1_000 });
      }
    }
  }

  await Promise.all(Array.from({ length: consumers }, consumeAll));
  return {
    hot: timesOf(took.hot),
    cold: timesOf(took.cold),
    counted: engine.rateOf(HOT),
    dead_letters: letters,
    circuits_opened: circuits,
    units_per_event: rounded(engine.units.write / (hot + cold)),
    ms: Math.round(Math.max(...took.hot, ...took.cold)),
    refused: engine.refused,
    said: Object.fromEntries(said),
  };
}

function timesOf(ms: number[]) {
  const sorted = ms.toSorted((a, b) => a - b);
  const at = (share: number) =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { done: sorted.length, p50_ms: at(0.5), max_ms: at(1) };
}

type Played = Awaited<ReturnType<typeof play>>;

export interface ContentionResult {
  consumers: number;
  events: { hot: number; cold: number };
  apart: Played;
  together: Played;
  /** The same with transactions instead of marks, and from a FIFO queue. */
  without_marks: Played;
  fifo: Played;
  ratios: { cold_p50: number; cold_max: number; fifo: number };
}

async function compare(load: Load): Promise<ContentionResult> {
  const { consumers, hot, cold } = load;
  const apart = await play({ consumers, hot: 0, cold: cold + hot });
  const together = await play(load);
  const fifo = await play(load, { fifo: true });
  const without_marks = await play(load, { format: 1 });
  const ratios = {
    cold_p50: times(together.cold.p50_ms, apart.cold.p50_ms),
    cold_max: times(together.cold.max_ms, apart.cold.max_ms),
    fifo: times(together.ms, fifo.ms),
  };
  return { consumers, events: { hot, cold }, apart, together, without_marks, fifo, ratios };
}

const DEFAULTS: Load = { consumers: 20, hot: 1_000, cold: 250 };

export const contention: Part<ContentionResult> = {
  name: "contention",
  measure: ({ quick }) => compare(quick ? { consumers: 4, hot: 50, cold: 50 } : DEFAULTS),
  tables({ consumers, events, apart, together, without_marks, fifo, ratios }) {
    const row = (name: string, { done, p50_ms, max_ms }: ReturnType<typeof timesOf>) => [
      name,
      done,
      p50_ms,
      max_ms,
    ];
    const costs = (name: string, { ms, units_per_event, circuits_opened }: Played) => [
      name,
      ms,
      units_per_event,
      circuits_opened,
    ];
    return [
      {
        title: `${events.hot} events on one session beside ${events.cold} on their own, ${consumers} containers`,
        heads: ["events", "done", "half after, ms", "all after, ms"],
        rows: [
          row("each on a session of its own", apart.cold),
          row("the same beside those on one session", together.cold),
          row("those on one session", together.hot),
        ],
      },
      {
        title: "What the one session costs the others",
        heads: ["", ""],
        rows: [
          ["half of them done, times", ratios.cold_p50],
          ["all of them done, times", ratios.cold_max],
          ["all events done, times a FIFO queue with a group for each key", ratios.fifo],
          ["dead letters", together.dead_letters],
          ["writes that met a transaction", together.refused.TransactionConflict],
          ["writes that came too late", together.refused.ConditionalCheckFailed],
        ],
      },
      {
        title: "What it costs",
        heads: ["", "all done after, ms", "write units an event", "circuits opened"],
        rows: [
          costs("as it is", together),
          costs("from a FIFO queue", fifo),
          costs("without marks", without_marks),
        ],
      },
    ];
  },
};

function readLoad(): Load {
  return new Command("npm run bench:contention --")
    .option("--consumers <number>", "containers at the same time", Number, DEFAULTS.consumers)
    .option("--hot <number>", "events on one session", Number, DEFAULTS.hot)
    .option("--cold <number>", "events on sessions of their own", Number, DEFAULTS.cold)
    .option("--json", "the result as one JSON object in the last line")
    .option("--quick", "fewer events, to see that it runs")
    .parse()
    .opts<Load>();
}

if (import.meta.main) {
  const load = readLoad();
  await runPart({
    ...contention,
    measure: (options) => (options.quick ? contention.measure(options) : compare(load)),
  });
}
