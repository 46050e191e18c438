// npm run bench:gateway [-- --json]: the cost of a gateway: the time of a batch of ten keys that the table does not
// have, compared with a batch of one; and how many changed sessions are written to a gateway per second.
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { toAttributes } from "../lib/dynamo/attributes.ts";
import { createAbsence } from "../lib/gateway/absence.ts";
import { createCanary } from "../lib/gateway/canary.ts";
import { connectGateway, type Gateway } from "../lib/gateway/client.ts";
import { createReadThrough } from "../lib/gateway/read-through.ts";
import { createSettle } from "../lib/gateway/settle.ts";
import { createSync, type StreamRecord } from "../lib/gateway/sync.ts";
import { type StoredSession, sessionItem } from "../lib/sessions/item.ts";
import { parseSession } from "../lib/sessions/session.ts";
import { NO_METRICS } from "../test/helpers/metrics.ts";

const { values: options } = parseArgs({
  options: { json: { type: "boolean", default: false }, keys: { type: "string", default: "10000" } },
});
const KEYS = Number(options.keys);
const BATCH = 500;
const ROUNDS = 30;
const SECRET = "secret";
const ORG = "5e9d9544a1dcd60001d0ed20";
const LOG = { info() {}, warn() {}, error() {} };

async function withGateway<T>(
  setup: { keys: number; latencyMs: number },
  work: (url: URL) => Promise<T>,
): Promise<T> {
  const workerData = { secret: SECRET, org: ORG, ...setup };
  const server = new Worker(new URL("./gateway/server.ts", import.meta.url), { workerData });
  try {
    const [url] = await once(server, "message");
    return await work(new URL(url));
  } finally {
    await server.terminate();
  }
}

const connect = (url: URL) => connectGateway({ url, secret: SECRET, timeoutMs: 5_000, hashed: false });
const median = (values: number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const round = (value: number) => Math.round(value * 100) / 100;

/** A batch of keys that the table does not have, each read from a gateway that answers after 5 ms. */
const readThrough = (url: URL) => {
  const gateway = connect(url);
  const missing: StoredSession = { session: undefined, version: 0 };
  const complete = createReadThrough({
    gateway,
    mode: "missing",
    isAsked: () => true,
    keep: async () => 1,
    doubt: async () => {},
    fullName: async (key) => key,
    read: async () => missing,
    log: LOG,
    metrics: NO_METRICS,
  });
  let next = 0;
  const read = async (count: number) => {
    const started = performance.now();
    const keys = Array.from({ length: count }, () => `${ORG}key${next++ % 500}`);
    await Promise.all(keys.map((key) => complete(key, missing)));
    return performance.now() - started;
  };
  return { read, close: () => gateway.close() };
};

const one = { ms: [] as number[] };
const ten = { ms: [] as number[] };
await withGateway({ keys: 500, latencyMs: 5 }, async (url) => {
  const { read, close } = readThrough(url);
  await read(10); // connections are made
  for (let nth = 0; nth < ROUNDS; nth += 1) {
    one.ms.push(await read(1));
    ten.ms.push(await read(10));
  }
  await close();
});

/** A changed session, as in a record of the table's stream. */
function record(nth: number): StreamRecord {
  const base = parseSession(
    JSON.stringify({
      org_id: ORG,
      rate: 100,
      per: 60,
      quota_max: -1,
      access_rights: { api1: { api_id: "api1", versions: ["Default"] } },
      meta_data: { plan: "basic" },
    }),
  );
  const session = { ...base, meta_data: { plan: "gold", nth } };
  const gateway = { change: { base, since: Date.now() } };
  return {
    eventName: "MODIFY",
    dynamodb: { NewImage: toAttributes(sessionItem(`${ORG}key${nth}`, session, 2, 0, gateway)) },
  };
}

let puts = 0;
let lastPut = 0;
let wrong = 0;
function count(): void {
  wrong += 1;
}
const seconds = await withGateway({ keys: KEYS, latencyMs: 0 }, async (url) => {
  const counting = (gateway: Gateway): Gateway => ({
    ...gateway,
    async put(key, session, how) {
      const answer = await gateway.put(key, session, how);
      puts += 1;
      lastPut = performance.now();
      return answer;
    },
  });
  const settle = createSettle({
    absence: createAbsence({
      canary: createCanary("canary"),
      quickMs: 1_000,
      wasCanaryMade: async () => true,
      noteCanaryMade: async () => {},
      onCanaryMissing: () => {},
      now: Date.now,
    }),
    admit: async () => true,
    reject: async () => count(),
    overrule: () => count(),
    markReset: async () => undefined,
    pause: delay,
    now: Date.now,
    cacheMs: 11_000,
    giveUpMs: 60_000,
    hashed: false,
  });
  const sync = createSync({
    connect: () => counting(connect(url)),
    settle,
    rows: { write: async () => true, remove: async () => true },
    later: async () => {},
    concurrency: 256,
    keyMs: 0,
    now: Date.now,
    random: Math.random,
    log: LOG,
    metrics: NO_METRICS,
  });
  const batches = Array.from({ length: Math.ceil(KEYS / BATCH) }, (_, batch) =>
    Array.from({ length: Math.min(BATCH, KEYS - batch * BATCH) }, (_, nth) => record(batch * BATCH + nth)),
  );
  const started = performance.now();
  for (const batch of batches) await sync(batch, () => 60_000);
  return (lastPut - started) / 1000;
});

const result = {
  read_through: {
    one_miss_ms: round(median(one.ms)),
    ten_misses_ms: round(median(ten.ms)),
    ratio: round(median(ten.ms) / median(one.ms)),
  },
  sync: { sessions: puts, seconds: round(seconds), per_second: Math.round(puts / seconds), wrong },
};
if (puts !== KEYS || wrong > 0) process.exitCode = 1;
if (options.json) console.log(JSON.stringify(result));
else {
  const { read_through, sync } = result;
  console.log(
    `a batch with one miss ${read_through.one_miss_ms} ms, with ten ${read_through.ten_misses_ms} ms: ${read_through.ratio} times`,
  );
  console.log(
    `${sync.sessions} changed sessions at the gateway after ${sync.seconds} s: ${sync.per_second} a second, ${sync.wrong} wrong`,
  );
}
