// Many equal events, and one run for all of a window: real tables, a queue and a clock of the test, processes that die.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, it } from "node:test";
import { GetCommand } from "@aws-sdk/lib-dynamodb";
import { parseDefinitions } from "../../lib/apis/definition.ts";
import { deliveryOf } from "../../lib/queue/delivery.ts";
import { openRelease } from "../../lib/releases/release.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { windowTask } from "../../lib/tasks/tasks.ts";
import { createWindowStore } from "../../lib/tasks/window-store.ts";
import { createWindows } from "../../lib/tasks/windows.ts";
import { consumerDeps, createTable, message, NOW, setUp } from "../helpers/consumer.ts";
import { answer, createHookWorld, type HookWorldOptions } from "../helpers/hook-world.ts";
import { NO_METRICS } from "../helpers/metrics.ts";
import { createRandom } from "../helpers/random.ts";
import { useServices } from "../helpers/services.ts";

const services = useServices();

const coalesce = { window: "60s", by: "Key" };
const script = (name: string) => ({
  handler_name: "eh_dynamic_handler",
  handler_meta: { name, path: `${name}.js`, gatehook: { coalesce } },
});
const logHandler = {
  handler_name: "eh_log_handler",
  handler_meta: { prefix: "storm", gatehook: { coalesce } },
};
const webhook = {
  handler_name: "eh_web_hook_handler",
  handler_meta: {
    method: "POST",
    target_path: "https://in.example/",
    gatehook: { json: true, coalesce: { window: "60s", by: "Key" } },
  },
};

interface Window {
  Count: number;
  First: string;
  Last: string;
}

interface Counts {
  meta_data?: { windows?: Window[] };
}

async function worldOf(options: Partial<HookWorldOptions>) {
  const env = await services.newResources("storm");
  const world = createHookWorld({
    dynamo: services.clients.dynamoClient,
    env,
    events: { KeyExpired: [script("counts"), logHandler, webhook] },
    target: () => answer(200),
    scripts: {
      // What it writes is committed with its ledger entry, so it counts runs once.
      async counts({ event, context, get, set }) {
        const { meta_data } = (await get(`of ${event.Meta.Key}`)) as Counts;
        const windows = [...(meta_data?.windows ?? []), context.Coalesced];
        await set(`of ${event.Meta.Key}`, { meta_data: { windows } } as unknown as Session);
      },
    },
    ...options,
  });
  async function windowsOf(key: string): Promise<Window[]> {
    const { Item } = await services.clients.dynamo.send(
      new GetCommand({ TableName: env.SESSIONS_TABLE, Key: { key: `of ${key}` } }),
    );
    return (Item?.session as Counts | undefined)?.meta_data?.windows ?? [];
  }
  return { ...world, windowsOf };
}

const sum = (windows: Window[]) => windows.reduce((total, { Count }) => total + Count, 0);

describe("the count of a window", () => {
  async function stores() {
    const env = await services.newResources("count");
    return createWindowStore({
      dynamo: services.clients.dynamoClient,
      table: env.STATE_TABLE,
      ttlSeconds: 60,
      now: Date.now,
      random: () => 0,
      newToken: randomUUID,
    });
  }
  const events = (...marks: string[]) => marks.map((mark) => ({ mark, at: 1_000 }));
  const span = { first: 1_000, last: 2_000 };

  it("has each event once, in whatever window and by whatever consumer it came first", async () => {
    const store = await stores();
    for (const counter of ["a", "b"]) assert.deepEqual(await store.join("w1", counter), { hasCloser: false });
    await store.closerSent("w1");
    assert.deepEqual(await store.join("w1", "c"), { hasCloser: true });
    assert.equal(await store.count("w1", "a", events("e1", "e2", "e3"), span), true);
    assert.equal(await store.count("w1", "b", events("e3", "e4", "e1"), { first: 500, last: 700 }), true);
    assert.equal(await store.count("w1", "b", events("e3"), span), true, "nothing is left to count");
    await store.join("w2", "a");
    assert.equal(await store.count("w2", "a", events("e4", "e5"), span), true);
    assert.deepEqual(await store.close("w1"), { count: 4, first: 500, last: 2_000 });
    assert.deepEqual(await store.close("w2"), { count: 1, ...span });
  });

  it("is closed once and for all, also for those that have joined and not counted yet", async () => {
    const store = await stores();
    for (const counter of ["a", "b"]) await store.join("w", counter);
    await store.count("w", "a", events("e1"), span);
    const closed = await store.close("w");
    assert.deepEqual(closed, { count: 1, ...span });
    for (const counter of ["a", "b"])
      assert.equal(await store.count("w", counter, events("e2"), span), false, counter);
    assert.equal(await store.join("w", "c"), undefined);
    assert.deepEqual(await store.close("w"), closed);
    await store.join("w2", "a");
    assert.equal(await store.count("w2", "a", events("e2"), span), true, "what was refused is free");
    assert.equal(await store.close("nobody"), undefined);
  });

  it("holds while many count at the same time", async () => {
    const store = await stores();
    const counters = Array.from({ length: 6 }, (_, nth) => `c${nth}`);
    await Promise.all(counters.map((counter) => store.join("w", counter)));
    const all = events(...Array.from({ length: 90 }, (_, nth) => `e${nth}`));
    await Promise.all(
      counters.flatMap((counter, at) =>
        [0, 30, 60].map((from) => store.count("w", counter, all.slice(from, from + 30 - at), span)),
      ),
    );
    assert.equal((await store.close("w"))?.count, 90);
  });

  it("is that of the next window for a consumer whose clock is behind", async () => {
    const store = await stores();
    const sent: [string, number][] = [];
    const sendTask = async (_: unknown, id: string, { due }: { due: number }) => void sent.push([id, due]);
    const windows = (clock: () => number, counter: string) =>
      createWindows({ store, sendTask, now: clock, counter, metrics: NO_METRICS });
    const [{ api } = { api: undefined }] = parseDefinitions(
      "a",
      JSON.stringify({ api_id: "demo", event_handlers: { events: { KeyExpired: [logHandler] } } }),
    );
    assert(api);
    const release = openRelease("v1", { format: 1, apis: [api], scripts: [] });
    const dismissed: string[] = [];
    const unit = {
      isDone: () => false,
      dismiss: (identity: string) => void dismissed.push(identity),
    };
    const of = (id: string) => deliveryOf(message(id, { key: "k" }));
    await windows(() => NOW, "one").take([of("e1")], release, unit, assert.fail);
    const [[id, due] = ["", 0]] = sent;
    const closer = { ...of("e1"), task: windowTask("log:storm", id, due) };
    assert.equal((await windows(() => due * 1_000, "two").close(closer))?.count, 1);
    await windows(() => NOW, "slow").take([of("e2"), of("e1")], release, unit, assert.fail);
    assert.deepEqual(dismissed, ["demo#e1", "demo#e2", "demo#e1"]);
    assert.equal(sent.length, 2);
    const [, [next, later] = ["", 0]] = sent;
    assert.equal(later - due, 60);
    const last = { ...of("e2"), task: windowTask("log:storm", next, later) };
    assert.equal((await windows(() => later * 1_000, "two").close(last))?.count, 1);
  });
});

describe("a storm of equal events", () => {
  it("is one run a window for each key, of each kind of handler, with the exact count", async () => {
    const requests: string[] = [];
    const { publish, settle, windowsOf, lines, now, tally } = await worldOf({
      target({ headers }) {
        requests.push(new Map(headers).get("gatehook-coalesced") ?? "");
        return answer(200);
      },
    });
    const began = now();
    for (let nth = 0; nth < 300; nth += 1) publish(`e${nth}`, { Key: nth % 3 === 0 ? "b" : "a" });
    await settle();
    // The queue is empty within a second, so nothing but an edge of a window divides them.
    for (const [key, count] of [
      ["a", 200],
      ["b", 100],
    ] as const) {
      const windows = await windowsOf(key);
      assert.equal(sum(windows), count);
      assert(windows.length <= 2, String(windows.length));
      assert.equal(Math.min(...windows.map(({ First }) => Date.parse(First))), began);
    }
    const told = lines.filter(({ message }) => message === "log handler");
    assert.equal(sum(told.map(({ fields }) => fields.coalesced as Window)), 300);
    const counts = requests.map((text) => Number(/^count=(\d+), first="[^"]+Z", last="/.exec(text)?.[1]));
    assert.equal(
      counts.reduce((a, b) => a + b, 0),
      300,
    );
    assert(now() - began >= 1_000 && now() - began < 200_000, "each window was closed by itself");
    assert.equal(tally.EventsCoalesced, 900);
  });

  it("is counted exactly while processes die, messages come twice, and several consumers count", async () => {
    const random = createRandom(3);
    const { publish, settle, windowsOf, pass, world, queue, letters } = await worldOf({
      events: { KeyExpired: [script("counts")] },
      random,
      deaths: 0.06,
    });
    for (let nth = 0; nth < 600; nth += 1) {
      publish(`e${nth}`, { Key: "a" });
      if (nth % 5 === 0) publish(`e${nth}`, { Key: "a" });
      // Some of it is worked off in one window, some in the next.
      if (nth % 200 === 199) {
        await settle({ until: () => queue.length < 50 });
        pass(30_000);
      }
    }
    await settle();
    assert(world.killed > 10, `only ${world.killed} processes died`);
    assert.deepEqual(letters, []);
    const windows = await windowsOf("a");
    assert.equal(sum(windows), 600);
  });

  it("leaves single events as they are, each with a window of its own", async () => {
    const { publish, settle, windowsOf } = await worldOf({});
    publish("e1", { Key: "a" });
    await settle();
    publish("e2", { Key: "a" });
    await settle();
    assert.deepEqual(
      (await windowsOf("a")).map(({ Count }) => Count),
      [1, 1],
    );
  });

  it("has a window that is longer than a message can wait in the queue", async () => {
    const long = {
      handler_name: "eh_dynamic_handler",
      handler_meta: { name: "counts", path: "c.js", gatehook: { coalesce: { window: "12h", by: "Key" } } },
    };
    const { publish, settle, windowsOf, now } = await worldOf({ events: { KeyExpired: [long] } });
    const began = now();
    publish("e1", { Key: "a" });
    await settle();
    assert.equal(sum(await windowsOf("a")), 1);
    assert(now() - began > 900_000 && now() - began < 13 * 3_600_000, String(now() - began));
  });

  it("fails alone where an event leaves no room for the message that ends a window, and nobody else asks for it", async () => {
    const { publish, settle, windowsOf, letters, lines } = await worldOf({
      events: { KeyExpired: [script("counts"), logHandler] },
    });
    const Blob = "x".repeat(1024 * 1024 - 200);
    publish("large", { Key: "a", Blob });
    publish("small", { Key: "b" });
    publish("larger", { Key: "c", Blob });
    publish("smaller", { Key: "c" });
    await settle({ consumers: 1 });
    const facts = letters.map(({ attributes = {} }) => [attributes.event_id, attributes.reason]);
    assert.deepEqual(facts, [["large", "event-too-large"]]);
    for (const [key, count] of Object.entries({ a: 0, b: 1, c: 2 }))
      assert.equal(sum(await windowsOf(key)), count, key);
    assert.deepEqual(
      lines.filter(({ level }) => level === "error").map(({ message }) => message),
      ["event to the dead letters"],
    );
  });

  it("fails the batch when it cannot be counted, and costs no event an attempt", async () => {
    const table = createTable();
    const windows = {
      ...consumerDeps().windows,
      take: () => Promise.reject(new Error("the table is away")),
    };
    const { consume, letters } = setUp({ never: () => {} }, { table, windows });
    assert.deepEqual(await consume([message("e1")]), ["m-e1"]);
    assert.deepEqual(letters, []);
  });
});
