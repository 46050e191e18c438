// What becomes of events that are not done: when they come again, what costs an attempt, and what does not.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ChangeMessageVisibilityBatchCommand, SQSClient } from "@aws-sdk/client-sqs";
import fc from "fast-check";
import { createCircuit } from "../../lib/consumer/circuit.ts";
import { AppError } from "../../lib/errors.ts";
import { MESSAGE_BYTES } from "../../lib/events/event.ts";
import { createRetryDelay } from "../../lib/queue/retry-delay.ts";
import { createChangeVisibility } from "../../lib/queue/visibility.ts";
import type { Windows } from "../../lib/tasks/windows.ts";
import {
  count,
  countIn,
  createRelease,
  createRuntime,
  createTable,
  fail,
  failFor,
  message,
  RECEIVE_LIMIT,
  type Script,
  setUp,
  TIMEOUT_MS,
} from "../helpers/consumer.ts";
import { NO_LOG } from "../helpers/no-log.ts";
import { scopeOf } from "../helpers/scope.ts";

describe("an event that failed", () => {
  it("comes again later after each receive", async () => {
    const { consume, returns } = setUp({ no: fail("no") }, { maxAttempts: 9 });
    for (const receives of [1, 2, 5]) await consume([message("e1", { receives })]);
    assert.deepEqual(returns, [
      ["m-e1", 1],
      ["m-e1", 2],
      ["m-e1", 5],
    ]);
  });

  it("waits twice as long each time, between half and all of it, up to a longest", () => {
    const delays = (random: number) => {
      const delay = createRetryDelay({ baseSeconds: 5, maxSeconds: 60, random: () => random });
      return [1, 2, 3, 4, 5, 50].map(delay);
    };
    assert.deepEqual(delays(1), [5, 10, 20, 40, 60, 60]);
    assert.deepEqual(delays(0), [3, 5, 10, 20, 30, 30]);
  });

  it("counts as done where handlers' errors are dropped, with the other handlers' work", async () => {
    const lines: string[] = [];
    const log = { ...NO_LOG, error: (text: string) => void lines.push(text) };
    const scripts = { no: fail("no"), count };
    const { consume, letters, runs, table } = setUp(scripts, { handlerErrors: "drop", log });
    assert.deepEqual(await consume([message("e1")]), []);
    assert.deepEqual(letters, []);
    assert.deepEqual(table.done("e1"), ["no", "count"]);
    assert.deepEqual(lines, ["handler failed", "handler dropped"]);
    await consume([message("e1", { receives: 2 })]);
    assert.deepEqual(runs, ["e1 no", "e1 count"], "a second delivery runs nothing");
  });
});

describe("an event that was not started", () => {
  it("comes again at once, and at no cost", async () => {
    let left = 2 * TIMEOUT_MS + 1_600;
    const slow: Script = () => {
      left -= TIMEOUT_MS;
    };
    const { consume, returns, letters } = setUp({ slow });
    assert.deepEqual(await consume([message("e1"), message("e2"), message("e3")], () => left), ["m-e3"]);
    assert.deepEqual(returns, [["m-e3", 0]]);
    assert.deepEqual(letters, []);
  });

  it("waits where no invocation has time for it, so that they do not spin", async () => {
    const { consume, returns } = setUp({ count });
    assert.deepEqual(await consume([message("e1", { receives: 3 })], () => TIMEOUT_MS), ["m-e1"]);
    assert.deepEqual(returns, [["m-e1", 3]]);
  });
});

describe("a dependency that fails", () => {
  const away = new AppError("dependency-failed", "dynamodb:TransactWriteItems failed: throttled");

  it("costs no attempt, however often", async () => {
    const table = createTable();
    table.store.failing = () => away;
    let clock = 0;
    const circuit = createCircuit({ now: () => clock, random: () => 1 });
    const { consume, letters } = setUp({ count }, { table, circuit, maxAttempts: 1 });
    for (let receives = 1; receives < RECEIVE_LIMIT; receives += 1) {
      assert.deepEqual(await consume([message("e1", { receives })]), ["m-e1"]);
      clock += 60_000;
    }
    assert.deepEqual(letters, []);
    table.store.failing = () => undefined;
    assert.deepEqual(await consume([message("e1", { receives: RECEIVE_LIMIT - 1 })]), []);
    assert.deepEqual(table.session("e1"), { rate: 1 });
  });

  it("opens a circuit: the next batches are returned to the queue without a try, for longer each time", async () => {
    const table = createTable();
    let reads = 0;
    table.store.read = () => {
      reads += 1;
      return Promise.reject(away);
    };
    let clock = 0;
    const circuit = createCircuit({ now: () => clock, random: () => 1 });
    const { consume, returns } = setUp({ count }, { table, circuit });
    const take = () => consume([message("e1")]);
    assert.deepEqual(await take(), ["m-e1"]);
    assert.deepEqual(await take(), ["m-e1"]);
    assert.equal(reads, 1, "the second batch asked nothing");
    assert.deepEqual(returns.at(-1), ["m-e1", 2], "it comes again when the circuit tries again");
    clock += 1_000;
    await take();
    assert.equal(reads, 2);
    clock += 1_999;
    await take();
    assert.equal(reads, 2, "twice as long after the second failure");
  });

  it("is tried as before once it answers", () => {
    const circuit = createCircuit({ now: () => 0, random: () => 1 });
    for (let failure = 0; failure < 30; failure += 1) circuit.failed();
    assert.equal(circuit.wait(), 60, "a minute at most");
    circuit.succeeded();
    assert.equal(circuit.wait(), 0);
    circuit.failed();
    assert.equal(circuit.wait(), 1);
  });

  it("in the middle of a batch has what was done before committed, and the rest returned to the queue", async () => {
    const table = createTable();
    const { read, readSession } = table.store;
    table.store.read = (events) => read(events, []);
    table.store.readSession = (key) => (key === "e2" ? Promise.reject(away) : readSession(key));
    const { consume, runs } = setUp({ count }, { table });
    assert.deepEqual(await consume([message("e1"), message("e2"), message("e3")]), ["m-e2", "m-e3"]);
    assert.deepEqual(runs, ["e1 count", "e2 count"]);
    assert.deepEqual(table.session("e1"), { rate: 1 });
  });

  for (const [waited, attempts] of [
    [0.6 * TIMEOUT_MS, 0],
    [0.4 * TIMEOUT_MS, 1],
  ] as const) {
    it(`costs ${attempts} attempts when a run is over after ${waited} ms of waiting for a table's answer`, async () => {
      let clock = 0;
      const table = createTable();
      table.store.readSession = () => new Promise(() => {});
      const runtime = createRuntime({});
      runtime.run = async (_, host) => {
        void host.call("getKeyData", ["k", "demo"], scopeOf(host));
        clock += waited;
        const error = { name: "Error", message: "interrupted", stack: "" };
        return { ok: false, code: "timeout", sandbox: "rebuilt", error, ms: TIMEOUT_MS };
      };
      const release = createRelease({ KeyExpired: ["h"] });
      const live = { at: async () => ({ release, runtime }), close: async () => {} };
      const { consume } = setUp({}, { table, live, now: () => clock });
      assert.deepEqual(await consume([message("e1")]), ["m-e1"]);
      assert.equal(table.ledger.get("demo#e1")?.attempts ?? 0, attempts);
    });
  }

  it("is the event's own when the table refuses what a script stores", async () => {
    const refused = Object.assign(new Error("no such value"), { name: "ValidationException" });
    const storage = { call: () => Promise.reject(refused) };
    const stores: Script = ({ event, store }) => (event.Meta.Key === "e1" ? store() : undefined);
    const { consume, letters, runs } = setUp({ stores }, { storage, maxAttempts: 1 });
    assert.deepEqual(await consume([message("e1"), message("e2")]), []);
    assert.deepEqual(runs, ["e1 stores", "e2 stores"]);
    assert.deepEqual(
      letters.map(({ reason }) => reason),
      ["runtime-failed"],
    );
  });

  it("is the event's own when its stored session is unfit", async () => {
    const table = createTable({ e1: { rate: "ten" } as never });
    const { consume, letters } = setUp({ count }, { table, maxAttempts: 1 });
    assert.deepEqual(await consume([message("e1"), message("e2")]), []);
    assert.deepEqual(
      letters.map(({ messageId, reason }) => [messageId, reason]),
      [["m-e1", "session-unfit"]],
    );
    assert.deepEqual(table.session("e2"), { rate: 1 });
  });
});

describe("events of one group of a FIFO queue", () => {
  const inGroup = (id: string, group: string) => message(id, { key: id, group });

  it("wait for an earlier one that failed, and those of other groups do not", async () => {
    const { consume, returns, runs } = setUp({ no: failFor("a1") });
    const batch = [inGroup("a1", "a"), inGroup("b1", "b"), inGroup("a2", "a"), inGroup("b2", "b")];
    assert.deepEqual(await consume(batch), ["m-a1", "m-a2"]);
    assert.deepEqual(runs, ["a1 no", "b1 no", "b2 no"]);
    assert.deepEqual(returns, [
      ["m-a1", 1],
      ["m-a2", 0],
    ]);
  });

  it("wait where several workers run, too", async () => {
    const { consume, runs } = setUp({ no: failFor("a1") }, { workers: 4 });
    const batch = ["a1", "a2", "a3", "a4"].map((id) => inGroup(id, "a"));
    assert.deepEqual(await consume([...batch, inGroup("b1", "b")]), ["m-a1", "m-a2", "m-a3", "m-a4"]);
    assert.deepEqual(runs.toSorted(), ["a1 no", "b1 no"]);
  });

  it("are run again together, in order, when the session of the first was changed by others", async () => {
    const table = createTable({ a1: { rate: 1 }, a2: { rate: 1 } });
    const changes = [() => table.change("a1", { rate: 50 })];
    table.store.meanwhile = () => changes.shift()?.();
    const { consume, runs } = setUp({ count }, { table });
    assert.deepEqual(await consume([inGroup("a1", "a"), inGroup("b1", "b"), inGroup("a2", "a")]), []);
    assert.deepEqual(runs, ["a1 count", "b1 count", "a2 count", "a1 count", "a2 count"]);
    const orders = table.store.commits
      .flat()
      .flatMap((write) => (write.kind === "ledger" ? [write.identity.replace("demo#", "")] : []));
    assert.deepEqual(orders, ["b1", "a1", "a2"], "a2 has no effect before a1");
    assert.deepEqual([table.session("a1"), table.session("a2")], [{ rate: 51 }, { rate: 2 }]);
  });

  it("are not started once an event before them was discarded", async () => {
    const table = createTable({ a1: { rate: 1 } });
    const changes = [() => table.change("a1", { rate: 50 })];
    table.store.meanwhile = () => changes.shift()?.();
    // Too much for one transaction together with others' work, which is committed before.
    const fills: Script = async ({ event, set }) => {
      if (event.Meta.Key !== "c1") return;
      for (let nth = 0; nth < 99; nth += 1) await set(`c${nth}`, { rate: 1 });
    };
    const { consume, runs } = setUp({ count, fills }, { table });
    assert.deepEqual(await consume([inGroup("a1", "a"), inGroup("c1", "c"), inGroup("a2", "a")]), []);
    assert.equal(runs.filter((run) => run === "a1 count").length, 2);
    assert.equal(runs.filter((run) => run === "a2 count").length, 1, `${runs}`);
  });
});

describe("a commit that the table refuses for what it is", () => {
  const impossible = new AppError("commit-impossible", "Item size has exceeded the maximum allowed size");

  it("costs the event at fault alone, which becomes a dead letter with the table's reason", async () => {
    const table = createTable();
    table.store.failing = (writes) =>
      writes.some((write) => write.kind === "session" && write.key === "e3") ? impossible : undefined;
    const { consume, letters } = setUp({ count }, { table });
    const batch = ["e1", "e2", "e3", "e4", "e5"].map((id) => message(id));
    assert.deepEqual(await consume(batch), []);
    assert.deepEqual(
      letters.map(({ messageId, reason, error }) => [messageId, reason, error]),
      [["m-e3", "commit-impossible", impossible.message]],
    );
    for (const id of ["e1", "e2", "e4", "e5"]) assert.deepEqual(table.session(id), { rate: 1 });
  });

  it("is tried event by event where several share a session, and takes all that can be taken", async () => {
    const table = createTable();
    // Takes a count of at most 3.
    table.store.failing = (writes) =>
      writes.some((write) => write.kind === "session" && (write.session?.rate ?? 0) > 3)
        ? impossible
        : undefined;
    const { consume, letters } = setUp({ count: countIn("shared") }, { table });
    const batch = ["e1", "e2", "e3", "e4", "e5"].map((id) => message(id));
    assert.deepEqual(await consume(batch), []);
    assert.deepEqual(table.session("shared"), { rate: 3 });
    assert.deepEqual(
      letters.map(({ messageId }) => messageId),
      ["m-e4", "m-e5"],
    );
  });

  it("affects no other event of its FIFO group, also if these events are counted in windows", async () => {
    const table = createTable();
    table.store.failing = (writes) =>
      writes.some((write) => write.kind === "session" && write.key === "e1") ? impossible : undefined;
    const windows: Windows = {
      async take(deliveries, _release, unit) {
        for (const { identity } of deliveries) unit.dismiss(identity, "windowed");
      },
      close: async () => undefined,
    };
    const { consume, letters } = setUp({ count }, { table, windows });
    const batch = ["e1", "e2", "e3"].map((id) => message(id, { group: "a" }));
    assert.deepEqual(await consume(batch), ["m-e2", "m-e3"], "they wait for the event before them");
    assert.deepEqual(
      letters.map(({ messageId, reason }) => [messageId, reason]),
      [["m-e1", "commit-impossible"]],
    );
    assert.deepEqual(await consume(batch.slice(1)), []);
    for (const id of ["e2", "e3"]) assert.deepEqual(table.session(id), { rate: 1 });
  });
});

describe("an event whose handler failed, and whose other handler's write fails too", () => {
  it("counts one attempt a delivery", async () => {
    const strange = new AppError("commit-failed", "a reason that nobody knows");
    for (const maxAttempts of [1, 2, 3, 4, 5]) {
      const table = createTable();
      table.store.failing = (writes) =>
        writes.some((write) => write.kind === "session" && write.key === "e1") ? strange : undefined;
      const { consume, letters } = setUp({ no: fail("no"), count }, { table, maxAttempts });
      for (let receives = 1; receives < maxAttempts; receives += 1)
        assert.deepEqual(
          await consume([message("e1", { receives })]),
          ["m-e1"],
          `${receives}/${maxAttempts}`,
        );
      assert.deepEqual(await consume([message("e1", { receives: maxAttempts })]), []);
      assert.deepEqual(
        letters.map(({ messageId, reason }) => [messageId, reason]),
        [["m-e1", "commit-failed"]],
      );
    }
  });
});

describe("the queue is told when to deliver again", () => {
  const returns = (length: number) =>
    Array.from({ length }, (_, index) => ({ record: message(`e${index}`), seconds: index }));

  it("in calls of ten, each message by its receipt", async () => {
    const calls: ChangeMessageVisibilityBatchCommand["input"][] = [];
    const send = async ({ input }: ChangeMessageVisibilityBatchCommand) => {
      calls.push(input);
      return {};
    };
    const sqs = { send } as unknown as SQSClient;
    await createChangeVisibility({ sqs, queueUrl: "q", log: NO_LOG })(returns(23));
    assert.deepEqual(
      calls.map(({ Entries }) => Entries?.length),
      [10, 10, 3],
    );
    const entries = calls.flatMap(({ Entries = [] }) => Entries);
    assert.deepEqual(entries[22], { Id: "2", ReceiptHandle: "r-m-e22", VisibilityTimeout: 22 });
  });

  it("as well as it can be: a queue that is away changes nothing of the answer", async () => {
    const warnings: unknown[] = [];
    const log = { ...NO_LOG, warn: (_: string, facts: object) => void warnings.push(facts) };
    const sqs = { send: () => Promise.reject(new Error("queue away")) } as unknown as SQSClient;
    await createChangeVisibility({ sqs, queueUrl: "q", log })(returns(2));
    assert.deepEqual(warnings, [{ records: 2, error: "queue away" }]);
  });
});

describe("whatever comes", () => {
  const bodies = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json(),
    fc.uint8Array().map((bytes) => Buffer.from(bytes).toString("latin1")),
    fc
      .record({
        id: fc.oneof(fc.string(), fc.constant("same"), fc.integer()),
        api_id: fc.constantFrom("demo", "other", ""),
        event: fc.record({ Type: fc.constantFrom("KeyExpired", "Other", 7), Meta: fc.anything() }),
      })
      .map((body) => JSON.stringify(body)),
  );

  const same = (Type: string) => JSON.stringify({ id: "same", api_id: "demo", event: { Type, Meta: {} } });
  const idOf = (body: string) => {
    try {
      const { id, api_id } = JSON.parse(body) as Record<string, unknown>;
      // Without one, each message is an event of its own.
      return id === undefined ? body : `${api_id} ${id}`;
    } catch {
      return body;
    }
  };

  /** The ids that more than one content has. */
  function differentTwins(texts: string[]): Set<string> {
    const byId = Map.groupBy(texts, idOf);
    return new Set([...byId].filter(([, same]) => new Set(same).size > 1).map(([id]) => id));
  }

  it("each message is acknowledged, a dead letter, or named in the answer, which is never malformed", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(bodies, { maxLength: 12 }), fc.boolean(), async (texts, sends) => {
        const sendDeadLetter = sends ? {} : { sendDeadLetter: () => Promise.reject(new Error("away")) };
        const { consume, letters, table } = setUp({ count, no: failFor("k") }, sendDeadLetter);
        const batch = texts.map((body, index) => message("", { messageId: `m${index}`, body }));
        const failed = await consume(batch);
        assert.equal(new Set(failed).size, failed.length);
        for (const id of failed) assert.ok(batch.some(({ messageId }) => messageId === id));
        const others = differentTwins(texts);
        for (const { messageId, body } of batch) {
          const buried = letters.some((letter) => letter.messageId === messageId);
          assert.ok(!(buried && failed.includes(messageId)));
          if (buried || failed.includes(messageId)) continue;
          const { id, event } = JSON.parse(body) as { id?: string; event?: { Type: string }; Type?: string };
          const type = event?.Type ?? JSON.parse(body).Type;
          // Of two contents under one id only the first counts.
          if (type === "KeyExpired" && !others.has(idOf(body)))
            assert.deepEqual(table.done(id ?? messageId), ["count", "no"]);
        }
      }),
      { numRuns: 300, examples: [[["Other", "KeyExpired"].map(same), false]] },
    );
  });

  it("an event with twenty handlers runs each once, those after a failure too", async () => {
    const names = Array.from({ length: 20 }, (_, index) => `h${index}`);
    const scripts = Object.fromEntries(names.map((name) => [name, countIn(name)]));
    const { consume, runs, table } = setUp({ ...scripts, h7: fail("no") });
    assert.deepEqual(await consume([message("e1")]), ["m-e1"]);
    assert.equal(runs.length, 20);
    assert.equal(table.done("e1").length, 19);
    assert.deepEqual(table.session("h19"), { rate: 1 });
    await consume([message("e1", { receives: 2 })]);
    assert.deepEqual(runs.slice(20), ["e1 h7"]);
  });

  it("ten thousand events on one key count ten thousand times", async () => {
    const { consume, table } = setUp({ count: countIn("hot") });
    for (let first = 0; first < 10_000; first += 100) {
      const batch = Array.from({ length: 100 }, (_, index) => message(`e${first + index}`, { key: "hot" }));
      assert.deepEqual(await consume(batch), []);
    }
    assert.deepEqual(table.session("hot"), { rate: 10_000 });
  });

  it("an event of 1 MiB runs, and is given up whole", async () => {
    const { consume, letters, table } = setUp({ count, no: fail("no") }, { maxAttempts: 1 });
    const event = { Type: "KeyExpired", Meta: { Key: "k", Fill: "" }, TimeStamp: "" };
    const empty = JSON.stringify({ id: "large", api_id: "demo", event }).length;
    event.Meta.Fill = "x".repeat(MESSAGE_BYTES - empty);
    const body = JSON.stringify({ id: "large", api_id: "demo", event });
    assert.equal(Buffer.byteLength(body), MESSAGE_BYTES);
    assert.deepEqual(await consume([message("", { messageId: "m", body })]), []);
    assert.deepEqual(table.session("k"), { rate: 1 });
    assert.equal(letters.length, 1);
  });
});
