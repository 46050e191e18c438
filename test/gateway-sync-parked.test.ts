// Changes that the gateway does not take while it takes others, against the real engine.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { marshall } from "@aws-sdk/util-dynamodb";
import { keyDigest, type StreamRecord } from "../lib/gateway-sync/changes.ts";
import type { Refusal } from "../lib/gateway-sync/dead-letters.ts";
import type { Answer, Gateway } from "../lib/gateway-sync/gateway.ts";
import { createParkedChanges, type ParkedChanges } from "../lib/gateway-sync/parked.ts";
import { createRetry } from "../lib/gateway-sync/retry.ts";
import { createGatewaySync } from "../lib/gateway-sync/sync.ts";
import { type LocalAws, startAws } from "../local/aws.ts";
import { type Clients, createClients, createResources } from "../local/resources.ts";
import { losingAnswers } from "./helpers/lost-answers.ts";
import { createTally } from "./helpers/metrics.ts";
import { createRandom, pick } from "./helpers/random.ts";

const OK: Answer = { status: 200, message: "" };
const BAD: Answer = { status: 502, message: "" };
const START = 1_787_396_400_000;
const MINUTE = 60_000;
const RETRY_SECONDS = 60;
const GIVE_UP_SECONDS = 86_400;
const LEFT_MS = 60_000;

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

/** A stream whose changes of a session are numbered: the number is what the gateway gets. */
function createStream(now: () => number) {
  const records: StreamRecord[] = [];
  const sequenceOf = (at: number) => String(at + 1);
  return {
    /** A change of the key's session, or its removal. */
    change(key: string, removed = false): number {
      const number = records.length + 1;
      const session = { rate: number, org_id: "o" };
      records.push({
        eventName: removed ? "REMOVE" : "INSERT",
        dynamodb: {
          ApproximateCreationDateTime: Math.floor(now() / 1000),
          Keys: marshall({ key }),
          SequenceNumber: sequenceOf(records.length),
          [removed ? "OldImage" : "NewImage"]: marshall({ key, session }),
        },
      });
      return number;
    },
    records,
    indexOf: (sequence: string) => Number(sequence) - 1,
  };
}

interface Options {
  /** What the gateway answers for a key's number; OK when it says nothing. */
  answer?: (key: string, number: number) => Promise<Answer | undefined> | Answer | undefined;
  /** Stands before the table of parked changes. */
  around?: (parked: ParkedChanges) => ParkedChanges;
  dynamo?: Clients["dynamo"];
}

async function setUp({ answer = () => undefined, around = (parked) => parked, dynamo }: Options = {}) {
  const prefix = `parked-${randomUUID().slice(0, 8)}`;
  const { env } = await createResources(clients, { prefix, visibilitySeconds: 30, receiveLimit: 5 });
  const clock = { now: START };
  const now = () => clock.now;
  const stream = createStream(now);
  const taken: string[] = [];
  const asked: string[] = [];
  const refusals: Refusal[] = [];
  const { tally, metrics } = createTally();
  const tell = async (key: string, number: number, text: string) => {
    asked.push(text);
    const answered = (await answer(key, number)) ?? OK;
    if (answered.status === 200) taken.push(text);
    return answered;
  };
  const gateway: Gateway = {
    put: (key, session) => {
      const { rate } = JSON.parse(session) as { rate: number };
      return tell(key, rate, `${key}${rate}`);
    },
    remove: (key) => tell(key, 0, `${key}-`),
    close: async () => {},
  };
  const table = createParkedChanges({ dynamo: dynamo ?? clients.dynamo, table: env.STATE_TABLE, now });
  const deps = {
    connect: () => gateway,
    parked: around(table),
    sendRefusal: async (refusal: Refusal) => void refusals.push(refusal),
    holdSeconds: 300,
    retrySeconds: RETRY_SECONDS,
    giveUpSeconds: GIVE_UP_SECONDS,
    changeMs: 1_000,
    now,
    log: { info() {}, warn() {}, error() {} },
    metrics,
  };
  const sync = createGatewaySync(deps);
  const retry = createRetry(deps);
  let checkpoint = 0;
  return {
    ...stream,
    table,
    clock,
    taken,
    asked,
    refusals,
    tally,
    deps,
    /** The stream's next batch, up to this record; true when it goes on behind it. */
    async batch(end = stream.records.length): Promise<boolean> {
      const failed = await sync(stream.records.slice(checkpoint, end), () => LEFT_MS);
      checkpoint = failed === undefined ? end : stream.indexOf(failed);
      return failed === undefined;
    },
    retry: () => retry(() => LEFT_MS),
    pass: (ms: number) => {
      clock.now += ms;
    },
    parkedKeys: (keys: string[]) => table.among(keys),
  };
}

const failing = (...keys: string[]) => ({ answer: (key: string) => (keys.includes(key) ? BAD : undefined) });

describe("a key that the gateway does not take", () => {
  it("holds no other key back, and is tried again by itself", async () => {
    let bad: Answer | undefined = BAD;
    const world = await setUp({ answer: (key) => (key === "bad" ? bad : undefined) });
    for (const key of ["bad", "good", "fine"]) world.change(key);
    assert.equal(await world.batch(), true);
    assert.deepEqual(world.taken, ["good2", "fine3"]);
    assert.equal(world.tally.SyncParked, 1);
    bad = undefined;
    world.pass(RETRY_SECONDS * 1000 - 1);
    await world.retry();
    assert.deepEqual(world.asked, ["bad1", "good2", "fine3"], "not before it is due");
    world.pass(1);
    await world.retry();
    assert.deepEqual(world.taken, ["good2", "fine3", "bad1"]);
    assert.equal((await world.parkedKeys(["bad"])).size, 0);
  });

  it("has its later changes wait with it, and the last one is sent", async () => {
    let bad: Answer | undefined = BAD;
    const world = await setUp({ answer: (key) => (key === "bad" ? bad : undefined) });
    world.change("bad");
    world.change("good");
    await world.batch();
    world.change("bad");
    world.change("bad", true);
    await world.batch();
    world.change("bad");
    await world.batch();
    assert.deepEqual(world.asked, ["bad1", "good2"], "what waits is not asked for by the stream");
    bad = undefined;
    await world.retry();
    assert.deepEqual(world.taken, ["good2", "bad5"], "and a later change is due with the next retry");
    world.change("bad");
    await world.batch();
    assert.deepEqual(world.taken, ["good2", "bad5", "bad6"], "then the stream sends it again");
  });

  it("has its removal wait too", async () => {
    let bad: Answer | undefined = BAD;
    const world = await setUp({ answer: (key) => (key === "bad" ? bad : undefined) });
    world.change("bad");
    world.change("good");
    await world.batch();
    world.change("bad", true);
    await world.batch();
    bad = undefined;
    await world.retry();
    assert.deepEqual(world.taken, ["good2", "bad-"]);
  });

  it("is tried later and later, up to a quarter of an hour", async () => {
    const world = await setUp(failing("bad"));
    world.change("bad");
    world.change("good");
    await world.batch();
    const times: number[] = [];
    for (let minute = 1; minute <= 60; minute += 1) {
      world.pass(MINUTE);
      const before = world.asked.length;
      await world.retry();
      if (world.asked.length > before) times.push(minute);
    }
    assert.deepEqual(times, [1, 3, 7, 15, 30, 45, 60]);
    assert.equal(world.tally.SyncParkedAge, times.length);
  });

  it("is refused at last, with what the gateway said", async () => {
    const own = { status: 500, message: "Failed to create key" };
    const world = await setUp({ answer: (key) => (key === "bad" ? own : undefined) });
    world.change("bad");
    world.change("good");
    await world.batch();
    world.pass(GIVE_UP_SECONDS * 1000 - 1);
    await world.retry();
    assert.deepEqual(world.refusals, []);
    world.pass(15 * MINUTE);
    await world.retry();
    assert.deepEqual(world.refusals, [
      { key_sha256: keyDigest("bad"), sequence_number: "1", operation: "put", ...own },
    ]);
    assert.equal((await world.parkedKeys(["bad"])).size, 0);
    assert.equal(world.tally.SyncRefused, 1);
  });

  it("is refused once the gateway says for good that it does not take it", async () => {
    let answer = BAD;
    const world = await setUp({ answer: (key) => (key === "bad" ? answer : undefined) });
    world.change("bad");
    world.change("good");
    await world.batch();
    answer = { status: 400, message: "no" };
    world.pass(MINUTE);
    await world.retry();
    assert.equal(world.refusals[0]?.status, 400);
    assert.equal((await world.parkedKeys(["bad"])).size, 0);
  });

  it("is refused when no item can hold its session until then", async () => {
    const world = await setUp(failing("bad"));
    world.change("bad");
    const image = world.records[0]?.dynamodb as { NewImage: object };
    const session = { rate: 1, alias: "x".repeat(420_000) };
    image.NewImage = marshall({ key: "bad", session });
    world.change("good");
    assert.equal(await world.batch(), true);
    assert.match(world.refusals[0]?.message ?? "", /too large/);
  });

  it("is left alone while five in a row are not taken, and nothing before them was", async () => {
    const keys = Array.from({ length: 12 }, (_, at) => `bad${at}`);
    let away = false;
    const world = await setUp({ answer: (key) => (away || key !== "good" ? BAD : undefined) });
    for (const key of [...keys, "good"]) world.change(key);
    await world.batch();
    away = true;
    world.pass(MINUTE);
    world.asked.length = 0;
    await world.retry();
    assert.equal(world.asked.length, 5);
    await world.retry();
    assert.equal(new Set(world.asked).size, 10, "the next time others come first");
  });
});

describe("the order of a key's changes", () => {
  it("holds when a later one comes while an earlier one is being tried again", async () => {
    const world = await setUp({
      async answer(key, number) {
        if (key !== "bad") return undefined;
        if (world.clock.now === START) return BAD;
        if (number !== 1) return undefined;
        world.change("bad");
        assert.equal(await world.batch(), true);
        return undefined;
      },
    });
    world.change("bad");
    world.change("good");
    await world.batch();
    world.pass(MINUTE);
    await world.retry();
    assert.deepEqual(world.taken, ["good2", "bad1"]);
    await world.retry();
    assert.deepEqual(world.taken, ["good2", "bad1", "bad3"]);
  });

  it("holds when the retry is over between the stream's look and its change", async () => {
    const world = await setUp({
      answer: (key) => (key === "bad" && world.clock.now === START ? BAD : undefined),
      around: (parked) => ({
        ...parked,
        async among(keys) {
          const found = await parked.among(keys);
          if (found.size > 0) await world.retry();
          return found;
        },
      }),
    });
    world.change("bad");
    world.change("good");
    await world.batch();
    world.pass(MINUTE);
    world.change("bad");
    assert.equal(await world.batch(), true);
    assert.deepEqual(world.taken, ["good2", "bad1", "bad3"]);
    assert.equal((await world.parkedKeys(["bad"])).size, 0);
  });

  it("holds when the stream delivers again, in smaller batches, what is parked already", async () => {
    const world = await setUp(failing("bad"));
    world.change("bad");
    world.change("bad");
    world.change("good");
    const { records } = world;
    const sync = createGatewaySync(world.deps);
    for (const [from, to] of [
      [0, 3],
      [0, 1],
      [0, 3],
    ] as const)
      assert.equal(await sync(records.slice(from, to), () => LEFT_MS), undefined);
    const id = await firstOf(world.table.due());
    assert.equal(id, undefined, "an older one neither replaces it nor makes it due");
    world.pass(MINUTE);
    const claimed = await world.table.claim((await firstOf(world.table.due())) ?? "", world.clock.now + 1);
    assert.deepEqual(claimed?.change.sequenceNumber, "2");
  });

  it("holds between two retries: one at a time has a key in hand, and a dead one's time ends", async () => {
    const world = await setUp(failing("bad"));
    world.change("bad");
    world.change("good");
    await world.batch();
    world.pass(MINUTE);
    const { table, clock } = world;
    const id = (await firstOf(table.due())) ?? "";
    const dead = await table.claim(id, clock.now + 1_000);
    assert.ok(dead);
    await world.retry();
    assert.deepEqual(world.asked, ["bad1", "good2"]);
    world.pass(1_000);
    const second = await table.claim(id, clock.now + 1_000);
    assert.ok(second);
    await table.forget(dead);
    await table.postpone(dead, clock.now);
    assert.equal(await table.claim(id, clock.now + 5_000), undefined, "what the dead one sends late is void");
    await table.forget(second);
    assert.equal((await world.parkedKeys(["bad"])).size, 0);
  });

  it("holds when every answer of the table is lost once", async () => {
    let bad: Answer | undefined = BAD;
    const losing = await losingAnswers(clients);
    const world = await setUp({ answer: (key) => (key === "bad" ? bad : undefined), dynamo: losing.dynamo });
    world.change("bad");
    world.change("good");
    await world.batch();
    world.change("bad");
    await world.batch();
    world.pass(MINUTE);
    // Its claim is there, but nobody has heard so: the key waits for that claim's end.
    await world.retry();
    world.pass(LEFT_MS + 10_000);
    bad = undefined;
    losing.stop();
    await world.retry();
    assert.deepEqual(world.taken, ["good2", "bad3"]);
    // The second one finds what the first one has put there.
    const parking = ["BatchGetItem", "PutItem", "UpdateItem"];
    assert.deepEqual(losing.lost, [...parking, "BatchGetItem", "UpdateItem", "Query", "UpdateItem"]);
    losing.dynamo.destroy();
  });
});

const firstOf = async (ids: AsyncIterable<string>) => {
  for await (const id of ids) return id;
  return undefined;
};

const KEYS = ["a", "b", "c"] as const;
const SEEDS = 12;
const STEPS = 60;

describe("whatever dies, and wherever", () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    it(`no change is lost, and none is overwritten by an earlier one (seed ${seed})`, async () => {
      const random = createRandom(seed);
      let well = false;
      let steps = Number.POSITIVE_INFINITY;
      let died = () => {};
      const forever = new Promise<never>(() => {});
      /** The process ends at one of its steps: before what it does, or after it and before its answer. */
      const mortal = <Args extends unknown[], T>(work: (...args: Args) => Promise<T>) => {
        return async (...args: Args): Promise<T> => {
          steps -= 1;
          if (steps < 0) return forever;
          const late = random() < 0.5;
          if (steps === 0 && !late) return dies();
          const done = await work(...args);
          return steps === 0 && late ? dies() : done;
        };
      };
      const dies = () => {
        died();
        return forever;
      };
      const world = await setUp({
        answer: () => (!well && random() < 0.5 ? BAD : undefined),
        around: (parked) => ({
          ...parked,
          among: mortal(parked.among),
          park: mortal(parked.park),
          join: mortal(parked.join),
          claim: mortal(parked.claim),
          forget: mortal(parked.forget),
          postpone: mortal(parked.postpone),
        }),
      });
      const { put, remove } = world.deps.connect();
      Object.assign(world.deps.connect(), { put: mortal(put), remove: mortal(remove) });

      /** False when the process died on the way. */
      async function live(work: () => Promise<unknown>, maxSteps: number): Promise<boolean> {
        steps = maxSteps;
        const end = new Promise<boolean>((resolve) => {
          died = () => resolve(false);
        });
        const alive = await Promise.race([work().then(() => true), end]);
        if (!alive) world.pass(LEFT_MS + 10_000);
        return alive;
      }
      const last = new Map<string, string>();
      for (let step = 0; step < STEPS; step += 1) {
        const key = pick(random, KEYS);
        const maxSteps = random() < 0.3 ? 1 + Math.floor(random() * 8) : Number.POSITIVE_INFINITY;
        world.pass(Math.floor(random() * 2 * MINUTE));
        if (random() < 0.5) {
          const removed = random() < 0.2;
          const number = world.change(key, removed);
          last.set(key, removed ? `${key}-` : `${key}${number}`);
        } else if (random() < 0.3) {
          await live(() => Promise.all([world.batch(), world.retry()]), Number.POSITIVE_INFINITY);
        } else await live(random() < 0.5 ? () => world.batch() : world.retry, maxSteps);
      }
      well = true;
      steps = Number.POSITIVE_INFINITY;
      while (!(await world.batch()));
      for (let round = 0; round < 3; round += 1) {
        world.pass(15 * MINUTE);
        await world.retry();
      }
      for (const [key, expected] of last) {
        const sent = world.taken.filter((text) => text.startsWith(key));
        assert.equal(sent.at(-1), expected, `${key}: ${sent}`);
        const numbers = sent.flatMap((text) => Number(text.slice(1)) || []);
        assert.deepEqual(
          numbers,
          numbers.toSorted((one, other) => one - other),
          `${key}: ${sent}`,
        );
      }
      assert.equal((await world.parkedKeys([...KEYS])).size, 0);
      assert.deepEqual(world.refusals, []);
    });
  }
});
