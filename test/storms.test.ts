// Many equal events, and one run for all of a window: real tables, a queue and a clock of the test, processes that die.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { GetCommand } from "@aws-sdk/lib-dynamodb";
import type { Session } from "../lib/sessions/session.ts";
import { type LocalAws, startAws } from "../local/aws.ts";
import { type Clients, createClients, createResources, type Resources } from "../local/resources.ts";
import { consumerDeps, createTable, message, setUp } from "./helpers/consumer.ts";
import { answer, createHookWorld, type HookWorldOptions } from "./helpers/hook-world.ts";
import { createRandom } from "./helpers/random.ts";

let aws: LocalAws;
let clients: Clients;

before(async () => {
  aws = await startAws(process.env);
  clients = createClients(aws);
});
after(async () => {
  for (const client of Object.values(clients)) client.destroy();
  await aws.close();
});

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
  const prefix = `storm-${randomUUID().slice(0, 8)}`;
  const resources: Resources = await createResources(clients, {
    prefix,
    visibilitySeconds: 30,
    receiveLimit: 5,
  });
  const world = createHookWorld({
    dynamo: clients.dynamoClient,
    env: resources.env,
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
    const { Item } = await clients.dynamo.send(
      new GetCommand({ TableName: resources.env.SESSIONS_TABLE, Key: { key: `of ${key}` } }),
    );
    return (Item?.session as Counts | undefined)?.meta_data?.windows ?? [];
  }
  return { ...world, windowsOf };
}

const sum = (windows: Window[]) => windows.reduce((total, { Count }) => total + Count, 0);

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

  it("fails the batch when it cannot be counted, and costs no event an attempt", async () => {
    const table = createTable();
    const storms = {
      ...consumerDeps().storms,
      take: () => Promise.reject(new Error("the table is away")),
    };
    const { consume, letters } = setUp({ never: () => {} }, { table, storms });
    assert.deepEqual(await consume([message("e1")]), ["m-e1"]);
    assert.deepEqual(letters, []);
  });
});
