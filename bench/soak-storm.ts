// npm run soak:storm: 100,000 equal events in one minute of a fake clock, on the real engine, with consumers that die.
// Checks that each window of a minute has one run, and that the counts are exact.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { startAws } from "../local/aws.ts";
import { createClients, createResources } from "../local/resources.ts";
import { createHookWorld } from "../test/helpers/hook-world.ts";
import { createRandom } from "../test/helpers/random.ts";

const EVENTS = Number(process.env.EVENTS ?? 100_000);
const MINUTE = 60_000;
const CONSUMERS = 8;
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
console.log(`SEED=${seed} EVENTS=${EVENTS}`);

const aws = await startAws(process.env);
const clients = createClients(aws);
try {
  const prefix = `soak-${randomUUID().slice(0, 8)}`;
  const { env } = await createResources(clients, { prefix, visibilitySeconds: 30, receiveLimit: 5 });
  const gatehook = { coalesce: { window: "60s", by: "Key" } };
  const { publish, pass, step, settle, now, lines, letters, queue, world, tally } = createHookWorld({
    dynamo: clients.dynamoClient,
    env,
    events: { KeyExpired: [{ handler_name: "eh_log_handler", handler_meta: { prefix: "log", gatehook } }] },
    random: createRandom(seed),
    deaths: 0.001,
    batchSize: 25,
  });
  const began = now();
  const started = performance.now();
  let sent = 0;
  while (sent < EVENTS) {
    const due = Math.min(EVENTS, Math.ceil(((now() - began + 20) / MINUTE) * EVENTS));
    for (; sent < due; sent += 1) {
      publish(`e${sent}`, { Key: "one" });
      // SQS delivers some messages twice.
      if (sent % 97 === 0) publish(`e${sent}`, { Key: "one" });
    }
    if (!(await step(CONSUMERS))) pass(20);
  }
  const publishedIn = now() - began;
  await settle({ consumers: CONSUMERS });
  // If a process dies after it has written its line, the line is written again.
  const runs = new Map<unknown, { Count: number; First: string; Last: string }>();
  for (const { message, fields } of lines) {
    if (message !== "log handler") continue;
    const coalesced = fields.coalesced as { Count: number; First: string; Last: string };
    assert.deepEqual(
      runs.get(fields.event_id) ?? coalesced,
      coalesced,
      "a window is closed once and for all",
    );
    runs.set(fields.event_id, coalesced);
  }
  const windows = [...runs.values()];
  const counted = windows.reduce((sum, { Count }) => sum + Count, 0);
  console.log({
    windows,
    counted,
    publishedIn,
    killed: world.killed,
    put: tally.EventsCoalesced,
    seconds: Math.round((performance.now() - started) / 1000),
  });
  assert.equal(counted, EVENTS);
  // The events of a process that died are delivered again six minutes later, in another window.
  const late = windows.filter(({ Count }) => Count < EVENTS / 100);
  assert(windows.length - late.length <= Math.ceil(publishedIn / MINUTE) + 1, `${windows.length} runs`);
  assert(world.killed > 0, "no process died");
  assert.deepEqual([letters.length, queue.length], [0, 0]);
} finally {
  for (const client of Object.values(clients)) client.destroy();
  await aws.close();
}
