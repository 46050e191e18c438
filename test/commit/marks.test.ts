// An event whose write is known by a mark in its own session until the ledger says it: each step at which a consumer
// can die, against the real engine. And what would be cheaper: the order of requests in which it goes wrong.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it, test } from "node:test";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DeleteCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import type { EntryWrite, SessionWrite } from "../../lib/commit/commit.ts";
import { createProveMarks } from "../../lib/commit/prove-marks.ts";
import { type ConsumerStore, createConsumerStore } from "../../lib/commit/store.ts";
import { takeMarks } from "../../lib/commit/take-marks.ts";
import { SCOPED_KEY } from "../../lib/dynamo/state-keys.ts";
import { createRows } from "../../lib/gateway/rows.ts";
import { createSessionStore } from "../../lib/sessions/store.ts";
import type { Resources } from "../../local/resources.ts";
import { adds, type DeliveryOptions, type Doing, deliver, type TestEvent } from "../helpers/deliveries.ts";
import { useServices } from "../helpers/services.ts";
import { SHORT_CUTS, type ShortCut } from "../helpers/short-cuts.ts";

const services = useServices();
let env: Resources["env"];

before(async () => {
  env = await services.newResources("marks");
  for (const item of [
    { pk: "release", version: "v1", format: 2 },
    { pk: SCOPED_KEY, since: 1 },
  ])
    await services.clients.dynamo.send(new PutCommand({ TableName: env.STATE_TABLE, Item: item }));
});

const common = { now: Date.now, random: Math.random };

/** One consumer's work, request by request: one that goes no further has died there. */
interface Consumer {
  /** Lets its next request go, and waits for its answer. */
  next(requests?: number): Promise<void>;
  /** Lets all of them go. */
  rest(): Promise<void>;
}

/** The tables of one test, with what became true in them. */
interface Place {
  home: string;
  other: string;
  event: TestEvent;
  /** Another event about the same key. */
  later: TestEvent;
  deliver(event: TestEvent, doing: Doing, options?: DeliveryOptions): Consumer;
  people: ReturnType<typeof createSessionStore>;
  put(key: string): Promise<void>;
  /** How many runs of this event's handlers were applied, by handler. */
  applied(event: TestEvent): Record<string, number>;
}

const NO_SHORT_CUT: ShortCut = (store) => store;

function open(shortCut: ShortCut = NO_SHORT_CUT): Place {
  const id = randomUUID().slice(0, 8);
  const [home, other] = [`home-${id}`, `other-${id}`];
  const runs = new Set<string>();
  const dynamo = services.clients.dynamoClient;
  const tell = (write: { kind: string; session?: SessionWrite["session"] }) => {
    if (write.kind === "session") for (const tag of write.session?.tags ?? []) runs.add(tag);
  };

  /** Tells what became true, whoever is told of it. */
  const telling = (store: ConsumerStore): ConsumerStore => ({
    ...store,
    async commit(writes) {
      const end = await store.commit(writes);
      if (end.conflicts.length === 0) writes.forEach(tell);
      return end;
    },
    async put(writes: (SessionWrite | EntryWrite)[]) {
      const ends = await store.put(writes);
      writes.forEach((write, index) => {
        if (ends[index]?.is === "written") tell(write);
      });
      return ends;
    },
  });

  const people = createSessionStore({
    dynamo,
    table: env.SESSIONS_TABLE,
    proveMarks: shortCut({
      proveMarks: createProveMarks({ dynamo, stateTable: env.STATE_TABLE, ledgerTtlSeconds: 60, ...common }),
    } as ConsumerStore).proveMarks,
    ...common,
  });
  return {
    home,
    other,
    event: { identity: `a#1-${id}`, home, handlers: ["h"] },
    later: { identity: `a#2-${id}`, home, handlers: ["h"] },
    deliver: (event, doing, options) =>
      stepped((gated) => {
        const store = createConsumerStore({
          dynamo: gated,
          sessionsTable: env.SESSIONS_TABLE,
          stateTable: env.STATE_TABLE,
          ledgerTtlSeconds: 60,
          newToken: randomUUID,
          ...common,
        });
        return deliver(shortCut(telling(store)), [event], doing, options);
      }),
    people,
    async put(key) {
      await people.put(key, {}, await people.read(key), { changedBy: { by: "api" } });
    },
    applied: ({ identity, handlers }) =>
      Object.fromEntries(
        handlers.map((handler) => [
          handler,
          [...runs].filter((run) => run.startsWith(`${identity} ${handler} `)).length,
        ]),
      ),
  };
}

function stepped(start: (dynamo: Pick<DynamoDBClient, "send">) => Promise<void>): Consumer {
  const waiting: { go(): void; answered: Promise<unknown> }[] = [];
  let arrived = Promise.withResolvers<void>();
  const send = async (command: never) => {
    const gate = Promise.withResolvers<void>();
    const answer = gate.promise.then(() => services.clients.dynamoClient.send(command));
    waiting.push({ go: gate.resolve, answered: answer.catch(() => {}) });
    arrived.resolve();
    return answer;
  };
  let ended = false;
  const work = start({ send } as never).then(() => {
    ended = true;
  });
  const somethingWaits = async () => {
    while (waiting.length === 0 && !ended) {
      await Promise.race([work, arrived.promise]);
      arrived = Promise.withResolvers();
    }
  };
  async function next(): Promise<void> {
    await somethingWaits();
    const request = waiting.shift();
    request?.go();
    await request?.answered;
    await somethingWaits();
  }
  return {
    async next(requests = 1) {
      for (let nth = 0; nth < requests; nth += 1) await next();
    },
    async rest() {
      while (!ended) await next();
      await work;
    },
  };
}

const READ = 2; // its sessions, then the ledger
const addsHome = ({ home }: Place) => adds(home);
/** A delivery that lives. */
const whole = (place: Place, event: TestEvent, doing: Doing = addsHome(place)) =>
  place.deliver(event, doing).rest();

/** One that dies once its session is written, before the ledger says so. */
async function dies(place: Place, event: TestEvent, doing: Doing = addsHome(place)): Promise<Consumer> {
  const consumer = place.deliver(event, doing);
  await consumer.next(READ + 1);
  return consumer;
}

/** By short-cut, the order of requests in which it applies a run twice, and the protocol does not. */
const ORDERS: Record<keyof typeof SHORT_CUTS, (place: Place) => Promise<void>> = {
  async "no marks"(place) {
    await place.put(place.home);
    await dies(place, place.event);
    await whole(place, place.event);
  },
  async "marks that go without proof"(place) {
    await place.put(place.home);
    await dies(place, place.event);
    await whole(place, place.later);
    await whole(place, place.event);
  },
  async "no fences"(place) {
    await place.put(place.home);
    await place.put(place.other);
    const elsewhere = place.deliver(place.event, adds(place.other));
    await elsewhere.next(READ + 1);
    await dies(place, place.event);
    await elsewhere.rest();
    await whole(place, place.event);
  },
  async "no look at a home that is not there"(place) {
    await place.put(place.other);
    const elsewhere = place.deliver(place.event, adds(place.other));
    await elsewhere.next(READ + 1);
    await place.put(place.home);
    await dies(place, place.event);
    await elsewhere.rest();
    await whole(place, place.event);
  },
  async "the ledger read before the sessions"(place) {
    await place.put(place.home);
    const slow = place.deliver(place.event, addsHome(place));
    // The short-cut's first read is of the ledger alone.
    await slow.next(shortCutReads);
    await whole(place, place.event);
    await whole(place, place.later);
    await slow.rest();
  },
  async "an eventually consistent ledger"(place) {
    await place.put(place.home);
    await whole(place, place.event);
    await whole(place, place.later);
    await whole(place, place.event);
  },
  async "a delete that drops marks"(place) {
    const { people, home } = place;
    await place.put(home);
    await dies(place, place.event);
    assert.ok(await people.remove(home, await people.read(home)));
    await place.put(home);
    await whole(place, place.event);
  },
  async "a session that is made the cheap way"(place) {
    await place.put(place.other);
    const slow = place.deliver(place.event, addsHome(place));
    await slow.next(READ);
    await whole(place, place.event, adds(place.other));
    await slow.rest();
  },
  async "entries put without a condition"(place) {
    await place.put(place.home);
    const event = { ...place.event, handlers: ["h", "g"] };
    const onlyFirst: Doing = async (buffer, run) =>
      run.handler === "h" && (await addsHome(place)(buffer, run));
    const slow = place.deliver(event, onlyFirst);
    await slow.next(READ + 1);
    await whole(place, event);
    await whole(place, place.later);
    await slow.rest();
    await whole(place, event);
  },
};
const shortCutReads = 2;

const times = (place: Place) =>
  Math.max(...Object.values(place.applied({ ...place.event, handlers: ["h", "g"] })));

describe("what would be cheaper applies a run twice, and the marks do not", () => {
  for (const [name, order] of Object.entries(ORDERS))
    it(name, async () => {
      const wrong = open(SHORT_CUTS[name as keyof typeof SHORT_CUTS]);
      await order(wrong);
      assert.equal(times(wrong), 2, "the short-cut goes wrong in this order");
      const right = open();
      await order(right);
      assert.equal(times(right), 1);
    });

  it("a mark in whatever session was written", async () => {
    for (const [homeOf, expected] of [
      [({ other }: Place) => other, 2],
      [({ home }: Place) => home, 1],
    ] as const) {
      const place = open();
      await place.put(place.home);
      await place.put(place.other);
      const first = place.deliver(place.event, adds(place.other), { homeOf: () => homeOf(place) });
      await first.next(READ + (expected === 2 ? 1 : 2));
      await whole(place, place.event);
      assert.equal(times(place), expected);
    }
  });
});

test("a session that a batch makes and removes again keeps the fast way closed", async () => {
  const place = open();
  await place.put(place.other);
  const elsewhere = place.deliver(place.event, async (buffer, run) => {
    await buffer.read(place.home);
    await buffer.write(place.home, { session: undefined });
    return adds(place.other)(buffer, run);
  });
  await elsewhere.next(READ + 1);
  await place.put(place.home);
  await dies(place, place.event);
  await elsewhere.rest();
  assert.deepEqual(place.applied(place.event), { h: 1 });
});

describe("a consumer that dies", () => {
  it("at any of its requests has its event applied once in the end", async () => {
    for (let requests = 0; requests < 6; requests += 1) {
      const place = open();
      await place.put(place.home);
      await place.deliver(place.event, addsHome(place)).next(requests);
      await whole(place, place.event);
      assert.deepEqual(place.applied(place.event), { h: 1 }, `${requests} requests`);
      const { session, marks } = await place.people.read(place.home);
      assert.equal(session?.tags?.length, 1);
      await whole(place, place.later);
      const after = await place.people.read(place.home);
      assert.deepEqual(Object.keys(after.marks ?? {}), [place.later.identity], JSON.stringify(marks));
    }
  });
});

describe("where marks end", () => {
  const remove = (key: string) =>
    services.clients.dynamo.send(new DeleteCommand({ TableName: env.SESSIONS_TABLE, Key: { key } }));

  it("an item that is deleted by hand takes its marks along: the event of a dead consumer is run again", async () => {
    const place = open();
    await place.put(place.home);
    await dies(place, place.event);
    await remove(place.home);
    await place.put(place.home);
    await whole(place, place.event);
    assert.deepEqual(place.applied(place.event), { h: 2 });
  });

  it("but not once the ledger has said what they say", async () => {
    const place = open();
    await place.put(place.home);
    await whole(place, place.event);
    await remove(place.home);
    await place.put(place.home);
    await whole(place, place.event);
    assert.deepEqual(place.applied(place.event), { h: 1 });
  });

  it("two messages of one id about different keys both run while the first has not reached the ledger", async () => {
    const place = open();
    await place.put(place.home);
    await place.put(place.other);
    const elsewhere = { ...place.event, home: place.other };
    await dies(place, place.event);
    await whole(place, elsewhere, adds(place.other));
    assert.deepEqual(place.applied(place.event), { h: 2 });
  });

  it("and one of them alone once it has", async () => {
    const place = open();
    await place.put(place.home);
    await place.put(place.other);
    await whole(place, place.event);
    await whole(place, { ...place.event, home: place.other }, adds(place.other));
    assert.deepEqual(place.applied(place.event), { h: 1 });
  });
});

describe("the format of the tables", () => {
  const setFormat = (format?: number) =>
    services.clients.dynamo.send(
      new PutCommand({
        TableName: env.STATE_TABLE,
        Item: { pk: "release", version: "v1", ...(format && { format }) },
      }),
    );
  after(() => setFormat(2));

  it("without a number has none make marks, and what has some is not run again", async () => {
    const place = open();
    await place.put(place.home);
    await dies(place, place.event);
    await setFormat();
    await whole(place, place.later);
    const { marks } = await place.people.read(place.home);
    assert.deepEqual(Object.keys(marks ?? {}), [place.event.identity]);
    await whole(place, place.event);
    assert.deepEqual([place.applied(place.event), place.applied(place.later)], [{ h: 1 }, { h: 1 }]);
    await setFormat(2);
  });

  it("of a later version has events wait", async () => {
    await setFormat(3);
    const place = open();
    await assert.rejects(whole(place, place.event), { code: "format-unknown", message: /format 3/ });
    await setFormat(2);
  });

  it("can go back: the ledger says what marks said, and the sessions have none", async () => {
    const place = open();
    await place.put(place.home);
    await dies(place, place.event);
    let told = 0;
    const dynamo = services.clients.dynamoClient;
    const taken = await takeMarks({
      dynamo,
      table: env.SESSIONS_TABLE,
      proveMarks: createProveMarks({ dynamo, stateTable: env.STATE_TABLE, ledgerTtlSeconds: 60, ...common }),
      onTaken: (count) => {
        told = count;
      },
    });
    assert.ok(taken > 0 && told === taken);
    assert.equal((await place.people.read(place.home)).marks, undefined);
    await whole(place, place.event);
    assert.deepEqual(place.applied(place.event), { h: 1 });
  });
});

describe("the marks of a session", () => {
  it("go on with a put of the API, and the event is not run again", async () => {
    const place = open();
    await place.put(place.home);
    await dies(place, place.event);
    await place.put(place.home);
    await whole(place, place.event);
    assert.deepEqual(place.applied(place.event), { h: 1 });
  });

  it("are the ledger's before an end is set to it, which lets DynamoDB remove it", async () => {
    const place = open();
    const { people, home } = place;
    await place.put(home);
    await dies(place, place.event);
    const read = await people.read(home);
    assert.ok(read.marks);
    await people.put(home, { session_lifetime: 100 }, read, { changedBy: { by: "api" } });
    assert.equal((await people.read(home)).marks, undefined);
    await whole(place, place.event);
    assert.deepEqual(place.applied(place.event), { h: 1 });
  });

  it("go on with what gateway-sync writes, and are the ledger's before it removes a row", async () => {
    const place = open();
    const { home, people } = place;
    const dynamo = services.clients.dynamoClient;
    const proveMarks = createProveMarks({
      dynamo,
      stateTable: env.STATE_TABLE,
      ledgerTtlSeconds: 60,
      ...common,
    });
    const rows = createRows({ dynamo, table: env.SESSIONS_TABLE, proveMarks, now: Date.now });
    await place.put(home);
    await dies(place, place.event);
    const marksNow = async () => Object.keys((await people.read(home)).marks ?? {});
    assert.ok(await rows.keep(home, await people.read(home), { rate: 1 }, { created: "" }));
    assert.deepEqual(await marksNow(), [place.event.identity]);
    const row = await rows.read(home);
    assert.ok(row && (await rows.write(row, { rate: 2 }, { created: "" })));
    assert.deepEqual(await marksNow(), [place.event.identity]);
    const again = await rows.read(home);
    assert.ok(again && (await rows.remove(again)));
    await place.put(home);
    await whole(place, place.event);
    assert.deepEqual(place.applied(place.event), { h: 1 });
  });

  it("are the ledger's before a handler removes it", async () => {
    const place = open();
    await place.put(place.home);
    await dies(place, place.event);
    await whole(place, place.later, async (buffer) => {
      await buffer.read(place.home);
      await buffer.write(place.home, { session: undefined });
      return true;
    });
    assert.equal((await place.people.read(place.home)).session, undefined);
    await place.put(place.home);
    await whole(place, place.event);
    assert.deepEqual(place.applied(place.event), { h: 1 });
  });

  it("are not made where the session may vanish: one transaction says it to both", async () => {
    const place = open();
    await place.put(place.home);
    const consumer = place.deliver(place.event, addsHome(place), { endOf: () => 4_000_000_000 });
    await consumer.rest();
    assert.equal((await place.people.read(place.home)).marks, undefined);
    await whole(place, place.event);
    assert.deepEqual(place.applied(place.event), { h: 1 });
  });

  it("do not grow without end while consumers die", async () => {
    const place = open();
    await place.put(place.home);
    const events = Array.from({ length: 40 }, (_, nth) => ({
      ...place.event,
      identity: `${place.event.identity}-${nth}`,
    }));
    for (const event of events) await dies(place, event);
    const { marks, session } = await place.people.read(place.home);
    assert.ok(JSON.stringify(marks).length <= 1_024, JSON.stringify(marks));
    for (const event of events) await whole(place, event);
    for (const event of events) assert.deepEqual(place.applied(event), { h: 1 });
    assert.equal(session?.tags?.length, 40);
  });
});
