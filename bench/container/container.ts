// A process with one consumer, as in a Lambda container: runs the slices that its parent requests, through the
// function's own `main`. Its output goes to a file, whose size is the amount of log.
import { randomUUID } from "node:crypto";
import { subscribe } from "node:diagnostics_channel";
import { fstatSync, ftruncateSync, readFileSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import type { SQSBatchResponse } from "aws-lambda";
import { sandboxTime } from "../shared/threads.ts";
import type { FromContainer, Measured, Side, Slice } from "./protocol.ts";

type Main = (batch: unknown, context: unknown) => Promise<SQSBatchResponse>;

const MODULES: Record<Side, string> = {
  "plain fresh": "./plain.ts",
  "plain warm": "./plain.ts",
  gatehook: "../../functions/consumer.ts",
};
const [, , side, LOG = ""] = process.argv;
const TIMEOUT_MS = 60_000;

const { main } = (await import(MODULES[side as Side])) as { main: Main };
const send = (message: FromContainer) => process.send?.(message);

let calls = 0;
for (const channel of ["http.client.request.start", "undici:request:create"])
  subscribe(channel, () => (calls += 1));

let nextKey = 0;

function batchOf({ batch, prefix, keys, stride = 1, apiId = "demo" }: Slice) {
  return {
    Records: Array.from({ length: batch }, () => {
      const messageId = randomUUID();
      nextKey = (nextKey + stride) % keys;
      const Meta = {
        Message: "Attempted access from expired key.",
        Path: "/demo/get",
        Origin: "203.0.113.7",
        Key: `${prefix}${nextKey}`,
      };
      const event = { Type: "KeyExpired", Meta, TimeStamp: "2026-01-02 03:04:05 +0000 UTC" };
      const body = JSON.stringify({ id: messageId, api_id: apiId, event });
      const attributes = { ApproximateReceiveCount: "1" };
      return { messageId, receiptHandle: messageId, body, attributes, messageAttributes: {} };
    }),
  };
}

/** The size of the texts that scripts logged, which no consumer can make shorter. */
function scriptBytes(): number {
  const texts = logged().matchAll(/"message":"script".*?"text":"((?:[^"\\]|\\.)*)"/g);
  return texts.reduce((sum, [, text = ""]) => sum + Buffer.byteLength(text), 0);
}

/** V8's profiler, on the main thread. */
function startProfiler() {
  const session = new Session();
  session.connect();
  const started = session
    .post("Profiler.enable")
    .then(() => session.post("Profiler.setSamplingInterval", { interval: 200 }))
    .then(() => session.post("Profiler.start"));
  return {
    async end(file: string): Promise<void> {
      await started;
      writeFileSync(file, JSON.stringify((await session.post("Profiler.stop")).profile));
      session.disconnect();
    },
  };
}

const logged = () => readFileSync(LOG, "utf8");

const ms = ({ user, system }: NodeJS.CpuUsage) => (user + system) / 1_000;

async function run(slice: Slice): Promise<Measured> {
  const batches = Array.from({ length: slice.batches }, () => batchOf(slice));
  const { timeoutMs = TIMEOUT_MS } = slice;
  ftruncateSync(1);
  const profiler = slice.profile === undefined ? undefined : startProfiler();
  const before = {
    all: process.cpuUsage(),
    main: process.threadCpuUsage(),
    sandbox: sandboxTime(),
    calls,
    started: performance.now(),
  };
  for (const batch of batches) {
    const deadline = performance.now() + timeoutMs;
    const context = { getRemainingTimeInMillis: () => Math.round(deadline - performance.now()) };
    const { batchItemFailures } = await main(batch, context);
    if (batchItemFailures.length > 0)
      throw new Error(`${batchItemFailures.length} events of a batch failed: ${logged().slice(-2_000)}`);
  }
  const wallMs = performance.now() - before.started;
  if (slice.profile !== undefined) await profiler?.end(slice.profile);
  const total = ms(process.cpuUsage(before.all));
  const ofMain = ms(process.threadCpuUsage(before.main));
  const sandbox = (sandboxTime() - before.sandbox) / 1e6;
  // After a rejected write a handler continues as if nothing had happened; the figures would be wrong.
  const [refused] = /^.*"level":"(?:ERROR|WARN)".*$/m.exec(logged()) ?? [];
  if (refused) throw new Error(`a batch was not run as it should be: ${refused}`);
  return {
    events: slice.batch * slice.batches,
    cpu: { total, main: ofMain, sandbox, rest: Math.max(0, total - ofMain - sandbox) },
    wallMs,
    logBytes: fstatSync(1).size - scriptBytes(),
    calls: calls - before.calls,
    rssMb: process.memoryUsage.rss() / 1024 / 1024,
  };
}

process.on("message", (slice: Slice) => {
  run(slice).then(
    (measured) => send({ measured }),
    (thrown: unknown) => send({ failed: thrown instanceof Error ? String(thrown.stack) : String(thrown) }),
  );
});
process.on("disconnect", () => process.exit(0));
send({ ready: true });
