// npm run bench:contention [-- --consumers N --hot N --cold N --json]: what events on one session cost the others.
// The consumer as it is, over a table in memory that locks the items of a transaction as DynamoDB does, with latencies
// that are assumed. Both sides in one run: the cold events beside as many others, once on one session, once on their own.
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import {
  type AttributeValue,
  BatchGetItemCommand,
  type TransactWriteItem,
  TransactWriteItemsCommand,
} from "@aws-sdk/client-dynamodb";
import { Command } from "commander";
import { createConsumerStore } from "../lib/commit/store.ts";
import { createCircuit } from "../lib/consumer/circuit.ts";
import { type ConsumerDeps, createConsumer } from "../lib/consumer/consumer.ts";
import type { QueueRecord } from "../lib/consumer/records.ts";
import { createRetryDelay } from "../lib/consumer/retry-delay.ts";
import { consumerDeps, count, createRelease, createRuntime, message } from "../test/helpers/consumer.ts";
import { times } from "./shared/figures.ts";
import { type Part, runPart } from "./shared/part.ts";

const READ_MS = 5;
const TRANSACTION_MS = 12;
const BATCH = 10;
const PATIENCE_MS = 180_000;

type Item = Record<string, AttributeValue>;

/** DynamoDB as far as contention goes: a transaction that meets a locked item is cancelled. */
function createEngine() {
  const items = new Map<string, Item>();
  const locked = new Set<string>();
  const refused = { TransactionConflict: 0, ConditionalCheckFailed: 0 };
  const jitter = (ms: number) => delay(ms * (0.7 + Math.random() * 0.6));
  const nameOf = (table: string | undefined, item: Item) => `${table} ${(item.pk ?? item.key)?.S}`;

  function cancel(at: boolean[], code: keyof typeof refused): void {
    if (!at.some(Boolean)) return;
    refused[code] += 1;
    throw Object.assign(new Error(code), {
      name: "TransactionCanceledException",
      CancellationReasons: at.map((hit) => ({ Code: hit ? code : "None" })),
      $metadata: { httpStatusCode: 400 },
    });
  }

  async function transact(actions: TransactWriteItem[]): Promise<void> {
    const puts = actions.flatMap(({ Put }) => Put ?? []);
    const names = puts.map(({ TableName, Item = {} }) => nameOf(TableName, Item));
    await delay(1);
    cancel(
      names.map((name) => locked.has(name)),
      "TransactionConflict",
    );
    for (const name of names) locked.add(name);
    try {
      await jitter(TRANSACTION_MS);
      cancel(
        puts.map(({ ExpressionAttributeValues }, nth) => {
          const version = items.get(names[nth] ?? "")?.version?.N;
          return version !== ExpressionAttributeValues?.[":read"]?.N;
        }),
        "ConditionalCheckFailed",
      );
      for (const [nth, { Item = {} }] of puts.entries()) items.set(names[nth] ?? "", Item);
    } finally {
      for (const name of names) locked.delete(name);
    }
  }

  async function send(command: object): Promise<object> {
    if (command instanceof TransactWriteItemsCommand) await transact(command.input.TransactItems ?? []);
    if (!(command instanceof BatchGetItemCommand)) return {};
    await jitter(READ_MS);
    const Responses: Record<string, Item[]> = {};
    for (const [table, { Keys = [] }] of Object.entries(command.input.RequestItems ?? {}))
      Responses[table] = Keys.flatMap((key) => {
        const item = items.get(nameOf(table, key));
        return item ? [item] : [];
      });
    return { Responses };
  }

  items.set("state release", { pk: { S: "release" }, version: { S: "v1" } });
  return {
    refused,
    rateOf: (key: string) => Number(items.get(`sessions ${key}`)?.session?.M?.rate?.N ?? 0),
    client: { send } as unknown as Parameters<typeof createConsumerStore>[0]["dynamo"],
  };
}

interface Queued {
  record: QueueRecord;
  hot: boolean;
  /** When it can be received, and how often it was. */
  at: number;
  receives: number;
}

interface Load {
  /** Containers at the same time. */
  consumers: number;
  /** Events on one session, and on sessions of their own. */
  hot: number;
  cold: number;
}

async function play({ consumers, hot, cold }: Load) {
  const engine = createEngine();
  const queue: Queued[] = Array.from({ length: hot + cold }, (_, nth) => {
    const isHot = nth < hot;
    return {
      record: message(`e${nth}`, { key: isHot ? "hot" : `cold-${nth}` }),
      hot: isHot,
      at: 0,
      receives: 0,
    };
  }).sort(() => Math.random() - 0.5);
  const runtime = createRuntime({ count });
  const release = createRelease({ KeyExpired: ["count"] });
  const took = { hot: [] as number[], cold: [] as number[] };
  const said = new Map<string, number>();
  const say = (text: string) => void said.set(text, (said.get(text) ?? 0) + 1);
  let letters = 0;
  const started = performance.now();
  const now = () => performance.now() - started;

  function take(): Queued[] {
    const batch: Queued[] = [];
    for (let at = 0; at < queue.length && batch.length < BATCH; ) {
      const [next] = (queue[at]?.at ?? 0) <= now() ? queue.splice(at, 1) : [];
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
      circuit: createCircuit({ now: Date.now, random: Math.random }),
      retryDelay: createRetryDelay({ baseSeconds: 5, maxSeconds: 900, random: Math.random }),
      handBack: async (returns) => {
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
      const failed = new Set(await consume(records, () => 30_000));
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
    counted: engine.rateOf("hot"),
    dead_letters: letters,
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

export interface ContentionResult {
  consumers: number;
  events: { hot: number; cold: number };
  apart: Awaited<ReturnType<typeof play>>;
  together: Awaited<ReturnType<typeof play>>;
  ratios: { cold_p50: number; cold_max: number };
}

async function compare(load: Load): Promise<ContentionResult> {
  const { consumers, hot, cold } = load;
  const apart = await play({ consumers, hot: 0, cold: cold + hot });
  const together = await play(load);
  const ratios = {
    cold_p50: times(together.cold.p50_ms, apart.cold.p50_ms),
    cold_max: times(together.cold.max_ms, apart.cold.max_ms),
  };
  return { consumers, events: { hot, cold }, apart, together, ratios };
}

const DEFAULTS: Load = { consumers: 20, hot: 1_000, cold: 1_000 };

export const contention: Part<ContentionResult> = {
  name: "contention",
  measure: ({ quick }) => compare(quick ? { consumers: 4, hot: 50, cold: 50 } : DEFAULTS),
  tables({ consumers, events, apart, together, ratios }) {
    const row = (name: string, { done, p50_ms, max_ms }: ReturnType<typeof timesOf>) => [
      name,
      done,
      p50_ms,
      max_ms,
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
          ["dead letters", together.dead_letters],
          ["transactions that met another", together.refused.TransactionConflict],
          ["transactions that came too late", together.refused.ConditionalCheckFailed],
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
