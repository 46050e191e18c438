import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { createCircuit } from "../../lib/consumer/circuit.ts";
import { createLiveRuntime } from "../../lib/consumer/live-runtime.ts";
import { AppError } from "../../lib/errors.ts";
import { createQueueSender } from "../../lib/events/send.ts";
import { createDeadLetters, type Verdict } from "../../lib/queue/dead-letters.ts";
import type { QueueRecord } from "../../lib/queue/records.ts";
import type { Release } from "../../lib/releases/release.ts";
import { MISS, type Session } from "../../lib/sessions/session.ts";
import {
  count,
  countIn,
  createRelease,
  createRuntime,
  createTable,
  fail,
  failFor,
  MAX_ATTEMPTS,
  message,
  RECEIVE_LIMIT,
  type Script,
  setUp,
  TIMEOUT_MS,
} from "../helpers/consumer.ts";
import { NO_METRICS } from "../helpers/metrics.ts";
import { NO_LOG } from "../helpers/no-log.ts";

describe("a batch", () => {
  it("runs the handlers of each event in the order of the definition, and commits what they wrote", async () => {
    const { consume, runs, table } = setUp({ first: count, second: count });
    assert.deepEqual(await consume([message("e1"), message("e2")]), []);
    assert.deepEqual(runs, ["e1 first", "e1 second", "e2 first", "e2 second"]);
    assert.deepEqual([table.session("e1"), table.session("e2")], [{ rate: 2 }, { rate: 2 }]);
    assert.deepEqual(table.done("e1"), ["first", "second"]);
  });

  it("with nothing in it has no failures", async () => {
    assert.deepEqual(await setUp({ count }).consume([]), []);
  });

  it("acknowledges events that no handler is for", async () => {
    const { consume, letters, runs } = setUp({ count });
    assert.deepEqual(await consume([message("e1", { type: "HostUp" })]), []);
    assert.deepEqual([runs, letters], [[], []]);
  });

  it("runs a handler twice that the API names twice, and knows both when they are done", async () => {
    const table = createTable();
    const runtime = createRuntime({ count });
    const release = createRelease({ KeyExpired: ["count", "count"] });
    const live = { at: async () => ({ release, runtime }), close: async () => {} };
    const { consume } = setUp({}, { table, live });
    for (const _ of [1, 2]) assert.deepEqual(await consume([message("e1")]), []);
    assert.deepEqual(table.session("e1"), { rate: 2 });
    assert.equal(table.done("e1").length, 2);
  });

  it("tells each handler what it runs for", async () => {
    const contexts: Record<string, unknown>[] = [];
    const { consume } = setUp({
      tells: ({ context }) => {
        contexts.push(context);
      },
    });
    await consume([message("e1", { receives: 3 })]);
    const own = JSON.stringify({ id: "e2", api_id: "demo", org_id: "own", event: { Type: "KeyExpired" } });
    await consume([message("e2", { body: own })]);
    assert.deepEqual(contexts, [
      { APIID: "demo", OrgID: "o1", EventID: "e1", Handler: "tells", Attempt: 3 },
      { APIID: "demo", OrgID: "own", EventID: "e2", Handler: "tells", Attempt: 1 },
    ]);
  });

  it("takes bare events, with the API and the identity in the message's attributes", async () => {
    const { consume, runs } = setUp({ count });
    const body = JSON.stringify({ Type: "KeyExpired", Meta: { Key: "k1" } });
    const attributes = { api_id: "demo", event_id: "before-redrive" };
    assert.deepEqual(await consume([message("", { messageId: "m1", body, attributes })]), []);
    assert.deepEqual(
      await consume([message("", { messageId: "m2", body, attributes: { api_id: "demo" } })]),
      [],
    );
    assert.deepEqual(runs, ["before-redrive count", "m2 count"]);
  });
});

describe("a batch with several workers", () => {
  it("runs that many events at once, and those of one key in their order", async () => {
    const order: string[] = [];
    let atOnce = 0;
    let most = 0;
    const { consume, table } = setUp(
      {
        slow: async (tyk) => {
          atOnce += 1;
          most = Math.max(most, atOnce);
          await new Promise((resolve) => setImmediate(resolve));
          order.push(String(tyk.context.EventID));
          await count(tyk);
          atOnce -= 1;
        },
      },
      { workers: 3 },
    );
    const batch = ["a1", "b1", "a2", "c1", "a3", "d1", "b2"].map((id) =>
      message(id, { key: id.slice(0, 1) }),
    );
    assert.deepEqual(await consume(batch), []);
    assert.equal(most, 3);
    for (const key of ["a", "b"]) {
      const ofKey = order.filter((id) => id.startsWith(key));
      assert.deepEqual(ofKey, ofKey.toSorted());
    }
    assert.deepEqual(
      ["a", "b", "c", "d"].map((key) => table.session(key)?.rate),
      [3, 2, 1, 1],
    );
  });

  it("counts each event once although they all change one session", async () => {
    const { consume, table } = setUp({ counts: countIn("shared") }, { workers: 4 });
    const ids = Array.from({ length: 20 }, (_, index) => `e${index}`);
    assert.deepEqual(await consume(ids.map((id) => message(id))), []);
    assert.deepEqual(table.session("shared"), { rate: 20 });
  });

  it("keeps the failure of one event from the others", async () => {
    const { consume, table } = setUp({ count, picky: failFor("e2") }, { workers: 3 });
    assert.deepEqual(await consume(["e1", "e2", "e3", "e4"].map((id) => message(id))), ["m-e2"]);
    assert.deepEqual(
      ["e1", "e3", "e4"].map((key) => table.session(key)?.rate),
      [1, 1, 1],
    );
  });
});

describe("an event that is delivered twice", () => {
  it("in one batch runs once, and both messages are acknowledged", async () => {
    const { consume, runs, table } = setUp({ count });
    assert.deepEqual(await consume([message("e1"), message("e2"), message("e1", { messageId: "twin" })]), []);
    assert.deepEqual(runs.sort(), ["e1 count", "e2 count"]);
    assert.deepEqual(table.session("e1"), { rate: 1 });
  });

  it("in one batch is reported with both messages when it fails", async () => {
    const { consume, letters } = setUp({ no: fail("no") });
    assert.deepEqual(await consume([message("e1"), message("e1", { messageId: "twin" })]), ["m-e1", "twin"]);
    assert.deepEqual(letters, []);
  });

  it("in two batches has one effect", async () => {
    const { consume, runs, table } = setUp({ count });
    for (const _ of [1, 2]) assert.deepEqual(await consume([message("e1")]), []);
    assert.deepEqual(runs, ["e1 count"]);
    assert.deepEqual(table.session("e1"), { rate: 1 });
  });
});

describe("a handler that fails", () => {
  it("has its event reported, and the others are committed", async () => {
    const { consume, letters, table } = setUp({ count, picky: failFor("e2") });
    assert.deepEqual(await consume(["e1", "e2", "e3"].map((id) => message(id))), ["m-e2"]);
    assert.deepEqual([table.session("e1"), table.session("e3")], [{ rate: 1 }, { rate: 1 }]);
    assert.deepEqual([table.done("e1"), table.done("e2")], [["count", "picky"], ["count"]]);
    assert.deepEqual(letters, []);
  });

  it("leaves nothing of what it wrote", async () => {
    const { consume, table } = setUp({
      writes: async (tyk) => {
        await count(tyk);
        throw new Error("after all");
      },
    });
    assert.deepEqual(await consume([message("e1")]), ["m-e1"]);
    assert.equal(table.session("e1"), undefined);
    assert.deepEqual(table.done("e1"), []);
  });

  it("does not run the event's other handlers again", async () => {
    let broken = true;
    const { consume, runs, table } = setUp({
      first: count,
      second: () => {
        if (broken) throw new Error("not yet");
      },
      third: count,
    });
    assert.deepEqual(await consume([message("e1")]), ["m-e1"]);
    assert.deepEqual(table.session("e1"), { rate: 2 }, "the others are committed at once");
    broken = false;
    assert.deepEqual(await consume([message("e1", { receives: 2 })]), []);
    assert.deepEqual(runs, ["e1 first", "e1 second", "e1 third", "e1 second"]);
    assert.deepEqual(table.session("e1"), { rate: 2 });
  });

  it("sends the same idempotency keys with each delivery, and others for each request and handler", async () => {
    const keys: string[] = [];
    const send = async ({ http }: Parameters<Script>[0]) => {
      for (const _ of [1, 2]) await http("{}");
      throw new Error("again");
    };
    const { consume } = setUp(
      { one: send, two: send },
      {
        makeHttpRequest: async (_request, { idempotencyKey }) => {
          keys.push(idempotencyKey());
          return "{}";
        },
      },
    );
    for (const receives of [1, 2]) await consume([message("e1", { receives })]);
    assert.equal(new Set(keys.slice(0, 4)).size, 4);
    assert.deepEqual(keys.slice(0, 4), keys.slice(4));
  });
});

describe("the last attempt of an event that fails", () => {
  it("puts it into the dead letters, with the reason, and acknowledges it", async () => {
    const { consume, letters, table } = setUp({ count, no: fail("not mine") });
    for (let attempt = 1; attempt < MAX_ATTEMPTS; attempt += 1) {
      assert.deepEqual(await consume([message("e1", { receives: attempt })]), ["m-e1"]);
    }
    assert.equal(letters.length, 0);
    assert.deepEqual(await consume([message("e1", { receives: MAX_ATTEMPTS })]), []);
    assert.deepEqual(
      letters.map(({ messageId, reason, eventId, handler, release }) => {
        return { messageId, reason, eventId, handler, release };
      }),
      [{ messageId: "m-e1", reason: "handler-threw", eventId: "e1", handler: "no", release: "v1" }],
    );
    assert.match(letters[0]?.error ?? "", /TypeError: not mine/);
    assert.deepEqual(table.session("e1"), { rate: 1 }, "what other handlers did for it stays");
  });

  it("is counted by runs that failed, not by receives", async () => {
    const { consume, letters } = setUp({ no: fail("no") });
    assert.deepEqual(await consume([message("e1", { receives: RECEIVE_LIMIT - 1 })]), ["m-e1"]);
    assert.deepEqual(letters, []);
  });

  it("is followed by as many when it is redriven from the dead letters", async () => {
    const { consume, letters } = setUp({ no: fail("no") });
    for (let delivery = 1; delivery <= 2 * MAX_ATTEMPTS; delivery += 1) {
      const messageId = delivery <= MAX_ATTEMPTS ? "first" : "redriven";
      await consume([message("e1", { messageId })]);
    }
    assert.deepEqual(
      letters.map(({ messageId }) => messageId),
      ["first", "redriven"],
    );
  });

  it("leaves it in the queue when the dead letter cannot be sent", async () => {
    const { consume, runs } = setUp(
      { no: fail("no"), count },
      { sendDeadLetter: () => Promise.reject(new Error("queue away")) },
    );
    const batch = [
      message("e1", { receives: RECEIVE_LIMIT }),
      message("", { messageId: "poison", body: "{" }),
      message("e2", { apiId: "nobody" }),
    ];
    assert.deepEqual(await consume(batch), ["m-e1", "poison", "m-e2"]);
    assert.deepEqual(runs, ["e1 no", "e1 count"]);
  });

  it("is not the last for contention: it is sent as a new message before its receives are used up", async () => {
    const table = createTable();
    table.store.meanwhile = () => table.change("e1", { rate: 50 });
    const { consume, letters, requeued, returns } = setUp({ count }, { table });
    assert.deepEqual(await consume([message("e1")]), ["m-e1"], "it was not the event's fault");
    assert.ok((returns[0]?.[1] ?? 0) <= 5, "and it comes again soon");
    assert.deepEqual(await consume([message("e1", { receives: RECEIVE_LIMIT - 1 })]), []);
    assert.deepEqual(requeued, ["e1"]);
    assert.deepEqual(letters, []);
    assert.deepEqual(table.ledger.get("demo#e1"), undefined, "and it cost no attempt");
  });

  it("is not waited for where the invocation has no time for the pause before the next run", async () => {
    const table = createTable();
    table.store.meanwhile = () => table.change("e1", { rate: 50 });
    const { consume, runs, letters } = setUp({ count }, { table, random: () => 1 });
    const last = message("e1", { receives: RECEIVE_LIMIT, group: "g" });
    await consume([last], () => (runs.length > 0 ? 1_500 : 600_000));
    assert.deepEqual([runs.length, letters[0]?.reason], [1, "session-stale"]);
  });

  it("is the queue's last receive for contention in a FIFO queue, where a copy would lose its place", async () => {
    const table = createTable();
    table.store.meanwhile = () => table.change("e1", { rate: 50 });
    const { consume, letters, requeued } = setUp({ count }, { table });
    assert.deepEqual(await consume([message("e1", { receives: RECEIVE_LIMIT, group: "g" })]), []);
    assert.deepEqual(requeued, []);
    assert.deepEqual(
      letters.map(({ messageId, eventId, reason }) => [messageId, eventId, reason]),
      [["m-e1", "e1", "session-stale"]],
    );
  });
});

describe("what can never succeed", () => {
  it("goes to the dead letters at its first receive: a body that is no event", async () => {
    const { consume, letters, table } = setUp({ count });
    const batch = [
      message("", { messageId: "text", body: "Key expired!" }),
      message("e1"),
      message("", { messageId: "typeless", body: '{"api_id":"demo","event":{"Meta":{}}}' }),
      message("", { messageId: "nameless", body: '{"Type":"KeyExpired","Meta":{}}' }),
    ];
    assert.deepEqual(await consume(batch), []);
    assert.deepEqual(
      letters.map(({ messageId, reason }) => [messageId, reason]),
      [
        ["text", "event-invalid"],
        ["typeless", "event-invalid"],
        ["nameless", "event-invalid"],
      ],
    );
    for (const { error } of letters) assert.ok(error);
    assert.deepEqual(table.session("e1"), { rate: 1 });
  });

  it("goes to the dead letters at its first receive: an event of an API that no definition names", async () => {
    const { consume, letters, table } = setUp({ count });
    assert.deepEqual(await consume([message("e1", { apiId: "nobody" }), message("e2")]), []);
    assert.deepEqual(
      letters.map(({ messageId, reason, eventId, release }) => [messageId, reason, eventId, release]),
      [["m-e1", "api-unknown", "e1", "v1"]],
    );
    assert.match(letters[0]?.error ?? "", /nobody/);
    assert.deepEqual(table.session("e2"), { rate: 1 });
  });

  it("goes to the dead letters at its first receive: a run whose writes do not fit in a transaction", async () => {
    const { consume, letters, table } = setUp({
      count,
      greedy: async ({ event, set }) => {
        if (event.Meta.Key !== "e1") return;
        for (let index = 0; index < 150; index += 1) await set(`k${index}`, { rate: 1 });
      },
    });
    assert.deepEqual(await consume([message("e1"), message("e2")]), []);
    assert.deepEqual(
      letters.map(({ messageId, reason, handler }) => [messageId, reason, handler]),
      [["m-e1", "commit-impossible", "greedy"]],
    );
    assert.equal(table.session("k0"), undefined);
    assert.deepEqual([table.done("e1"), table.done("e2")], [["count"], ["count", "greedy"]]);
  });

  it("does not keep what another delivery may mend from being tried again", async () => {
    const greedy: Script = async ({ set }) => {
      for (let index = 0; index < 150; index += 1) await set(`k${index}`, { rate: 1 });
    };
    const { consume, letters } = setUp({ greedy, no: fail("no") });
    assert.deepEqual(await consume([message("e1")]), ["m-e1"]);
    assert.deepEqual(letters, []);
  });
});

describe("an invocation with no time left", () => {
  it("hands back what it has not started, and commits the rest", async () => {
    let left = 3 * TIMEOUT_MS + 4_000;
    const { consume, letters, runs, table } = setUp({
      slow: async (tyk) => {
        left -= 2_000;
        await count(tyk);
      },
    });
    const batch = ["e1", "e2", "e3", "e4", "e5"].map((id) => message(id));
    const failed = await consume(batch, () => left);
    assert.deepEqual(
      runs.map((entry) => `m-${entry.split(" ")[0]}`).concat(failed),
      batch.map(({ messageId }) => messageId),
      "each is either run or returned to the queue",
    );
    assert.ok(runs.length > 0 && failed.length > 0);
    assert.ok(left >= 0);
    assert.deepEqual(letters, [], "what was never tried is no dead letter");
    assert.deepEqual(table.session("e1"), { rate: 1 });
    assert.equal(table.session("e5"), undefined);
  });

  it("does not start an event's second handler either, and keeps what the first did", async () => {
    let left = TIMEOUT_MS + 2_000;
    const { consume, runs, table } = setUp({
      slow: async (tyk) => {
        left -= TIMEOUT_MS;
        await count(tyk);
      },
      second: count,
    });
    assert.deepEqual(await consume([message("e1")], () => left), ["m-e1"]);
    assert.deepEqual(runs, ["e1 slow"]);
    assert.deepEqual(table.done("e1"), ["slow"]);
    left = 600_000;
    assert.deepEqual(await consume([message("e1", { receives: 2 })], () => left), []);
    assert.deepEqual(runs, ["e1 slow", "e1 second"]);
    assert.deepEqual(table.session("e1"), { rate: 2 });
  });
});

describe("a session that somebody else changes between the read and the commit", () => {
  /** A table in which this happens right before each of the next commits. */
  function tableWith(changes: (() => void)[], table = createTable({ k1: { rate: 1 }, k2: { rate: 1 } })) {
    table.store.meanwhile = () => changes.shift()?.();
    return table;
  }

  it("has its events run again on fresh data, and only those", async () => {
    const table = createTable({ k1: { rate: 1 }, k2: { rate: 1 } });
    tableWith([() => table.change("k1", { rate: 50 })], table);
    const { consume, runs } = setUp({ count }, { table });
    const batch = [message("e1", { key: "k1" }), message("e2", { key: "k2" }), message("e3", { key: "k1" })];
    assert.deepEqual(await consume(batch), []);
    assert.deepEqual([table.session("k1"), table.session("k2")], [{ rate: 52 }, { rate: 2 }]);
    assert.deepEqual(runs, ["e1 count", "e2 count", "e3 count", "e1 count", "e3 count"]);
  });

  it("leaves its events to the queue when it is changed again and again, and the others commit", async () => {
    const table = createTable({ k1: { rate: 1 }, k2: { rate: 1 } });
    const change = () => table.change("k1", { rate: 50 });
    tableWith(
      Array.from({ length: 1_000 }, () => change),
      table,
    );
    const { consume, letters, runs } = setUp({ count }, { table });
    assert.deepEqual(await consume([message("e1", { key: "k1" }), message("e2", { key: "k2" })]), ["m-e1"]);
    assert.deepEqual(table.session("k2"), { rate: 2 });
    assert.deepEqual(letters, []);
    assert.ok(runs.length < 20, `${runs.length} runs`);
  });

  it("does not have its events run again when no time is left for it", async () => {
    let left = 600_000;
    const table = createTable({ k1: { rate: 1 }, k2: { rate: 1 } });
    tableWith(
      [
        () => {
          table.change("k1", { rate: 50 });
          left = 1_000;
        },
      ],
      table,
    );
    const { consume, runs } = setUp({ count }, { table });
    const batch = [message("e1", { key: "k1" }), message("e2", { key: "k2" })];
    assert.deepEqual(await consume(batch, () => left), ["m-e1"]);
    assert.deepEqual(runs, ["e1 count", "e2 count"]);
    assert.deepEqual(table.session("k2"), { rate: 2 });
  });

  it("when it is a ledger entry, shows that the event is done by now", async () => {
    const table = createTable();
    tableWith([() => table.ledger.set("demo#e1", { version: 1, done: ["count"] })], table);
    const { consume } = setUp({ count }, { table });
    assert.deepEqual(await consume([message("e1")]), []);
    assert.equal(table.session("e1"), undefined, "somebody else's run of it counts");
  });
});

describe("a session that a handler removes", () => {
  const remove: Script = ({ event, del }) => del(String(event.Meta.Key));

  it("goes in the same transaction as the ledger entry, on condition of what was read", async () => {
    const table = createTable({ k: { rate: 1 } });
    const { commits } = table.store;
    const { consume } = setUp({ remove }, { table });
    assert.deepEqual(await consume([message("e1", { key: "k" })]), []);
    const [[removal, entry] = [], ...others] = commits;
    assert.deepEqual(removal, { kind: "session", key: "k", session: undefined, version: 1 });
    assert.ok(entry?.kind === "ledger" && entry.done.includes("remove"));
    assert.deepEqual(others, []);
    assert.equal(table.session("k"), undefined);
  });

  it("that somebody changes meanwhile is looked at again, not removed unread", async () => {
    const table = createTable({ k: { rate: 1 } });
    table.store.meanwhile = () => {
      table.store.meanwhile = () => {};
      table.change("k", { rate: 9 });
    };
    const removeIdle: Script = async ({ get, del }) => {
      if (((await get("k")) as Session).rate === 1) await del("k");
    };
    const { consume, runs } = setUp({ removeIdle }, { table });
    assert.deepEqual(await consume([message("e1", { key: "k" })]), []);
    assert.deepEqual(runs, ["e1 removeIdle", "e1 removeIdle"]);
    assert.deepEqual(table.session("k"), { rate: 9 });
  });

  it("and that is made again stays when the event is delivered once more", async () => {
    const table = createTable({ k: { rate: 1 } });
    const { consume } = setUp({ remove }, { table });
    await consume([message("e1", { key: "k" })]);
    table.change("k", { rate: 2 });
    assert.deepEqual(await consume([message("e1", { key: "k", receives: 2 })]), []);
    assert.deepEqual(table.session("k"), { rate: 2 });
  });

  it("is missing to the next event of the batch", async () => {
    const table = createTable({ k: { rate: 1 } });
    const seen: unknown[] = [];
    const look: Script = async ({ event, get, del }) => {
      seen.push(await get("k"));
      if (event.Meta.Key === "k") await del("k");
    };
    const { consume } = setUp({ look }, { table });
    await consume([message("e1", { key: "k" }), message("e2", { key: "k" })]);
    assert.deepEqual(seen, [{ rate: 1 }, JSON.parse(MISS)]);
  });

  it("of a key that is missing writes nothing but the ledger entry", async () => {
    const table = createTable();
    const { consume } = setUp({ remove }, { table });
    assert.deepEqual(await consume([message("e1", { key: "k" })]), []);
    assert.deepEqual(table.done("e1"), ["remove"]);
    assert.equal(table.session("k"), undefined);
  });
});

describe("a part that fails", () => {
  const batch = [message("e1"), message("", { messageId: "poison", body: "{" }), message("e2")];

  it("has everything reported that is not done, and never throws: the read of the batch", async () => {
    const table = createTable();
    table.store.read = () => Promise.reject(new Error("table away"));
    const { consume, letters, runs } = setUp({ count }, { table });
    assert.deepEqual(await consume(batch), ["m-e1", "m-e2"]);
    assert.deepEqual(runs, []);
    assert.equal(letters.length, 1);
  });

  it("has everything reported that is not done, and never throws: the commit", async () => {
    const table = createTable();
    table.store.put = () => Promise.reject(new Error("connection lost"));
    const { consume } = setUp({ count, no: failFor("e1") }, { table });
    assert.deepEqual(await consume(batch), ["m-e1", "m-e2"]);
  });

  it("has everything reported that is not done, and never throws: the release", async () => {
    const live = { at: () => Promise.reject(new Error("bucket away")), close: async () => {} };
    assert.deepEqual(await setUp({ count }, { live }).consume(batch), ["m-e1", "m-e2"]);
  });

  it("fails the run that asked it, whatever the script made of that: a session that cannot be read", async () => {
    const table = createTable();
    const { readSession } = table.store;
    let away = true;
    let clock = 0;
    const circuit = createCircuit({ now: () => clock, random: () => 1 });
    table.store.readSession = (key) =>
      key === "plan-e1" && away
        ? Promise.reject(new AppError("dependency-failed", "throttled"))
        : readSession(key);
    const answers: unknown[] = [];
    const { consume, letters } = setUp(
      {
        reads: async ({ event, get, set }) => {
          answers.push(await get(`plan-${event.Meta.Key}`));
          await set("seen", { alias: String(event.Meta.Key) });
        },
      },
      { table, circuit },
    );
    assert.deepEqual(await consume([message("e2"), message("e1")]), ["m-e1"]);
    assert.deepEqual(answers, [JSON.parse(MISS), JSON.parse(MISS)]);
    assert.deepEqual(table.session("seen"), { alias: "e2" });
    clock += 60_000;
    assert.deepEqual(await consume([message("e1", { receives: RECEIVE_LIMIT })]), []);
    assert.deepEqual(
      letters.map(({ reason, handler }) => [reason, handler]),
      [["dependency-failed", "reads"]],
    );
    assert.match(letters[0]?.error ?? "", /throttled/);
    away = false;
    clock += 60_000;
    assert.deepEqual(await consume([message("e1")]), []);
    assert.deepEqual(table.session("seen"), { alias: "e1" });
  });
});

describe("the batch's one read", () => {
  it("brings the event's own session", async () => {
    const { consume, table } = setUp({ count });
    await consume([message("e1", { key: "k1" })]);
    await consume([message("e2", { key: "k1" }), message("e3", { key: "k2" }), message("e4", { key: "k1" })]);
    assert.deepEqual(table.prefetched, [["k1"], ["k1", "k2"]]);
    assert.deepEqual([table.session("k1"), table.session("k2")], [{ rate: 3 }, { rate: 1 }]);
  });

  it("leaves out the sessions of events whose handler was seen to do without", async () => {
    const other: Script = async ({ get }) => void (await get("other"));
    const { consume, table } = setUp({ other });
    await consume([message("e1", { key: "k1" })]);
    await consume([message("e2", { key: "k2" })]);
    assert.deepEqual(table.prefetched, [["k1"], []]);
  });

  it("brings it too for a handler that writes others: what it writes is committed by its own", async () => {
    const other: Script = async ({ set }) => set("other", { rate: 1 });
    const { consume, table } = setUp({ other });
    await consume([message("e1", { key: "k1" })]);
    await consume([message("e2", { key: "k2" })]);
    assert.deepEqual(table.prefetched, [["k1"], ["k2"]]);
  });

  it("does not ask for keys that no table can have", async () => {
    const { consume, table } = setUp({ count });
    await consume([message("e1", { key: "k1" })]);
    assert.deepEqual(
      await consume([
        message("e2", { key: "" }),
        message("e3", { key: "k".repeat(3_000) }),
        message("e4", { key: "é".repeat(1_500) }),
        message("e5", { key: "k5" }),
      ]),
      [],
    );
    assert.deepEqual(table.prefetched[1], ["k5"]);
  });

  it("asks for no key twice, as the table would see it", async () => {
    const { consume, table } = setUp({ count });
    await consume([message("e1", { key: "k1" })]);
    // Halves of surrogate pairs, which UTF-8 cannot tell apart.
    await consume([message("e2", { key: "a\ud800" }), message("e3", { key: "a\ud801" })]);
    const asked = (table.prefetched[1] ?? []).map((key) => Buffer.from(key).toString());
    assert.equal(new Set(asked).size, asked.length, JSON.stringify(asked));
  });
});

describe("the runtime in use", () => {
  const release: Release = { format: 1, apis: [], scripts: [] };

  function setUpLive() {
    const steps: string[] = [];
    let away = false;
    const live = createLiveRuntime({
      releases: {
        async read(version) {
          if (away) throw new Error("bucket away");
          steps.push(`read ${version}`);
          return release;
        },
      },
      async start({ version }) {
        steps.push(`start ${version}`);
        return { ...createRuntime({}), close: async () => void steps.push(`close ${version}`) };
      },
      metrics: NO_METRICS,
      log: NO_LOG,
    });
    return {
      live,
      steps,
      fail: () => {
        away = true;
      },
    };
  }

  it("is that of the live version, loaded once", async () => {
    const { live, steps } = setUpLive();
    const first = await live.at("v1");
    assert.equal(await live.at("v1"), first);
    assert.equal(first.release.version, "v1");
    assert.deepEqual(steps, ["read v1", "start v1"]);
  });

  it("is swapped when the version changes: the new one is loaded before the old one is closed", async () => {
    const { live, steps } = setUpLive();
    await live.at("v1");
    assert.equal((await live.at("v2")).release.version, "v2");
    assert.deepEqual(steps, ["read v1", "start v1", "read v2", "start v2", "close v1"]);
    await live.close();
    assert.equal(steps.at(-1), "close v2");
  });

  it("goes on when the new one cannot be loaded, or when there is no live version any more", async () => {
    const { live, steps, fail: takeAway } = setUpLive();
    const first = await live.at("v1");
    assert.equal(await live.at(undefined), first);
    takeAway();
    assert.equal(await live.at("v2"), first);
    assert.ok(!steps.includes("close v1"));
  });

  it("goes on when a script of the new one cannot be loaded here, and the new one is tried again later", async () => {
    let now = 0;
    let fault = true;
    const starts: string[] = [];
    const live = createLiveRuntime({
      releases: { read: async () => release },
      async start({ version }) {
        starts.push(version);
        const error = { name: "", message: "did not finish loading", stack: "" };
        const faults = fault && version === "v2" ? [{ path: "a.js", error }] : [];
        return { ...createRuntime({}), faults, close: async () => void starts.push(`close ${version}`) };
      },
      metrics: NO_METRICS,
      log: NO_LOG,
      now: () => now,
    });
    const first = await live.at("v1");
    assert.equal(await live.at("v2"), first);
    assert.equal(await live.at("v2"), first);
    assert.deepEqual(starts, ["v1", "v2", "close v2"]);
    fault = false;
    now += 5_000;
    assert.equal((await live.at("v2")).release.version, "v2");
  });

  it("prepares the next one when it is used again, not while it starts", async () => {
    let prepared = 0;
    const live = createLiveRuntime({
      releases: { read: async () => release },
      start: async () => createRuntime({}),
      prepare: () => {
        prepared += 1;
      },
      metrics: NO_METRICS,
      log: NO_LOG,
    });
    await live.at("v1");
    assert.equal(prepared, 0);
    await live.at("v1");
    assert.equal(prepared, 1);
  });

  it("is missing before the first release, and when the first cannot be loaded", async () => {
    const { live, fail: takeAway } = setUpLive();
    await assert.rejects(live.at(undefined), { code: "release-missing" });
    takeAway();
    await assert.rejects(live.at("v1"), /bucket away/);
  });
});

describe("a dead letter", () => {
  async function send(record: QueueRecord, verdict: Verdict) {
    const sent: SendMessageCommand["input"][] = [];
    const sqs = { send: async ({ input }: SendMessageCommand) => void sent.push(input) };
    await createDeadLetters(
      createQueueSender({ sqs: sqs as unknown as SQSClient, queueUrl: "https://queue" }),
    )(record, verdict);
    assert.equal(sent.length, 1);
    const { QueueUrl, MessageBody, MessageAttributes = {} } = sent[0] ?? {};
    assert.equal(QueueUrl, "https://queue");
    const attributes = Object.entries(MessageAttributes).map(([name, { DataType, StringValue }]) => {
      assert.equal(DataType, "String");
      return [name, StringValue];
    });
    return { body: MessageBody, attributes: Object.fromEntries(attributes) as Record<string, string> };
  }

  it("has the message's body as it came, and says why, where and how often", async () => {
    const record = message("e1", { body: " {not json", receives: 5, attributes: { api_id: "demo" } });
    const verdict: Verdict = {
      reason: "handler-threw",
      error: "TypeError: no",
      eventId: "e1",
      handler: "h",
      release: "v1",
    };
    const { body, attributes } = await send(record, verdict);
    assert.equal(body, " {not json");
    assert.deepEqual(attributes, {
      reason: "handler-threw",
      error: "TypeError: no",
      event_id: "e1",
      handler: "h",
      release: "v1",
      receives: "5",
      api_id: "demo",
    });
  });

  it("leaves out what is not known, since the queue takes no empty attribute", async () => {
    const { attributes } = await send(message("e1"), { reason: "event-invalid", error: "" });
    assert.deepEqual(attributes, { reason: "event-invalid", receives: "1" });
  });

  it("fits into the queue whatever its body's size, with what identifies it first", async () => {
    const verdict: Verdict = {
      reason: "handler-threw",
      error: "no".repeat(400),
      eventId: "e1",
      handler: "h",
      release: "v1",
    };
    const sizes = [100, 1_000, 1_048_000, 1_048_570].map(async (bytes) => {
      const sent = await send(message("e1", { body: "x".repeat(bytes) }), verdict);
      const room = Object.entries(sent.attributes).map(([name, text]) =>
        Buffer.byteLength(`${name}String${text}`),
      );
      assert.ok(room.reduce((total, size) => total + size, bytes) <= 1_048_576, `a body of ${bytes} bytes`);
      return Object.keys(sent.attributes);
    });
    const all = ["event_id", "reason", "handler", "release", "receives", "error"];
    assert.deepEqual(await Promise.all(sizes), [all, all, all.slice(0, -1), []]);
  });

  it("keeps its place in a FIFO queue", async () => {
    const sent: SendMessageCommand["input"][] = [];
    const sqs = { send: async ({ input }: SendMessageCommand) => void sent.push(input) };
    const deps = { sqs: sqs as unknown as SQSClient, queueUrl: "https://queue.fifo" };
    await createDeadLetters(createQueueSender(deps))(message("e1", { group: "g" }), {
      reason: "event-invalid",
      error: "e",
    });
    assert.deepEqual([sent[0]?.MessageGroupId, sent[0]?.MessageDeduplicationId], ["g", "m-e1"]);
  });

  it("has only characters that the queue takes, and no endless text", async () => {
    const error = `a\0b\u0007c\ud800d\ufffe\uffff\t\n\r\u{1f600}${"x".repeat(5_000)}`;
    const { attributes } = await send(message("e1"), { reason: "event-invalid", error });
    const text = attributes.error ?? "";
    assert.ok(
      text.startsWith("a\ufffdb\ufffdc\ufffdd\ufffd\ufffd\t\n\r\u{1f600}x"),
      JSON.stringify(text.slice(0, 20)),
    );
    assert.ok(text.length <= 1_000);
  });
});
