// npm run bench:publish [-- --json]: the cost of writing an event to the disk before its 202. Compares the publisher
// with ingest's own code, which answers when the queue has the event; both over HTTP, with the same local queue.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { SQSClient } from "@aws-sdk/client-sqs";
import { openOnThisMachine } from "../cli/open-publisher.ts";
import { createRedact } from "../lib/events/redact.ts";
import { createSend } from "../lib/events/send.ts";
import { createIngest } from "../lib/ingest/ingest.ts";
import type { Publisher } from "../lib/publisher/publisher.ts";
import { startServer } from "../lib/publisher/server.ts";
import { openRelease } from "../lib/releases/release.ts";
import { releaseOf } from "../test/helpers/ingest.ts";
import { NO_METRICS } from "../test/helpers/metrics.ts";

const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    events: { type: "string", default: "2000" },
    /** The folder of the spool: on a disk, not on a file system in memory. */
    dir: { type: "string", default: tmpdir() },
  },
});
const EVENTS = Number(options.events);
const CLIENTS = [1, 16, 64];
const LOG = { info() {}, warn() {}, error() {} };
const EVENT = JSON.stringify({
  Type: "AuthFailure",
  Meta: {
    Message: "Auth Failure",
    OriginatingRequest: Buffer.alloc(600, "x").toString("base64"),
    Path: "/a",
    Key: "k",
  },
  TimeStamp: "2026-11-26 00:37:49.117223464 +0000 UTC",
});

interface Result {
  side: string;
  clients: number;
  events_per_second: number;
  p50_ms: number;
  p99_ms: number;
  syncs: number;
}

const worker = new Worker(new URL("./publish/queue.ts", import.meta.url));
const [{ env, queueUrl }] = (await once(worker, "message")) as [
  { env: Record<string, string>; queueUrl: string },
];
Object.assign(process.env, env);
const folder = mkdtempSync(join(options.dir, "gatehook-bench-"));
const syncs = await countSyncs();

async function countSyncs(): Promise<{ count: number }> {
  const counted = { count: 0 };
  const probe = await open(join(folder, "probe"), "w");
  const prototype = Object.getPrototypeOf(probe) as FileHandle;
  const { datasync } = prototype;
  prototype.datasync = function (this: FileHandle) {
    counted.count += 1;
    return datasync.call(this);
  };
  await probe.close();
  return counted;
}

const shared = { redact: createRedact(["x-api-key"]), oversize: "trim" } as const;

function ingest(): Pick<Publisher, "take"> {
  const release = openRelease("v1", releaseOf("demo"));
  const sqs = new SQSClient({});
  const take = createIngest({
    ...shared,
    checkToken() {},
    release: async () => release,
    send: createSend({ sqs, queueUrl }),
    newId: randomUUID,
    hasGateway: false,
    log: LOG,
    metrics: NO_METRICS,
  });
  return { take: async (head, body) => take({ ...head, body: await body() }) };
}

const post = (url: string, agent: Agent) =>
  new Promise<number>((resolve, reject) => {
    const asked = request(`${url}/events/demo`, { method: "POST", agent }, (answer) => {
      answer.resume().once("end", () => resolve(answer.statusCode ?? 0));
    });
    asked.once("error", reject).end(EVENT);
  });

async function measure(side: string, publisher: Pick<Publisher, "take">, clients: number): Promise<Result> {
  const status = () => ({}) as ReturnType<Publisher["status"]>;
  const at = { host: "127.0.0.1", port: 0 };
  const server = await startServer({ publisher: { ...publisher, status }, at, anyHost: false, log: LOG });
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const times: number[] = [];
  const syncsBefore = syncs.count;
  let left = EVENTS;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (left > 0) {
        left -= 1;
        const sent = performance.now();
        const code = await post(server.url, agent);
        if (code !== 202) throw new Error(`${side} answered ${code}`);
        times.push(performance.now() - sent);
      }
    }),
  );
  const seconds = (performance.now() - started) / 1_000;
  agent.destroy();
  await server.close(AbortSignal.abort());
  times.sort((a, b) => a - b);
  const percentile = (part: number) => Math.round((times[Math.floor(times.length * part)] ?? 0) * 100) / 100;
  return {
    side,
    clients,
    events_per_second: Math.round(EVENTS / seconds),
    p50_ms: percentile(0.5),
    p99_ms: percentile(0.99),
    syncs: syncs.count - syncsBefore,
  };
}

const results: Result[] = [];
const publisher = await openOnThisMachine({
  ...shared,
  queueUrl,
  folder: join(folder, "spool"),
  maxBytes: 1_000_000_000,
  log: LOG,
});
try {
  const straight = ingest();
  await measure("warm-up", straight, 16);
  await measure("warm-up", publisher, 16);
  for (const clients of CLIENTS) {
    results.push(await measure("ingest", straight, clients));
    results.push(await measure("publisher", publisher, clients));
    // What the publisher has not sent yet must not be sent during the next turn of ingest.
    while (publisher.status().spooled > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  }
} finally {
  await publisher.close(0);
  await worker.terminate();
  rmSync(folder, { recursive: true });
}
if (options.json) console.log(JSON.stringify(results));
else console.table(results);
process.exit(0);
