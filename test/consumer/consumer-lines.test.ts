// What the consumer's log lines say of an event, for whoever follows one.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { meantType } from "../../lib/apis/event-types.ts";
import { MAX_ATTEMPTS, message, type Script, setUp } from "../helpers/consumer.ts";

type Line = Record<string, unknown>;

/** A log, and the lines of one message that it got. */
function createLog() {
  const lines: Line[] = [];
  const add = (text: string, facts: object = {}) => void lines.push({ text, ...facts });
  return {
    log: { debug: add, info: add, warn: add, error: add },
    all: lines,
    of: (text: string) => lines.filter((line) => line.text === text),
  };
}

const fail: Script = () => {
  throw new TypeError("no");
};

describe("the line of an event that comes again", () => {
  it("has which attempt failed, of how many, and when the next is", async () => {
    const { log, of } = createLog();
    const { consume, returns } = setUp({ fail }, { log, retryDelay: (receives) => 10 * receives });
    for (let receives = 1; receives <= MAX_ATTEMPTS; receives += 1)
      await consume([message("e1", { receives })]);
    const told = of("event left to SQS").map(({ event_id, reason, attempt, max_attempts, seconds }) => [
      event_id,
      reason,
      attempt,
      max_attempts,
      seconds,
    ]);
    assert.deepEqual(told, [
      ["e1", "handler-threw", 1, MAX_ATTEMPTS, 10],
      ["e1", "handler-threw", 2, MAX_ATTEMPTS, 20],
    ]);
    assert.deepEqual(
      returns,
      [
        ["m-e1", 10],
        ["m-e1", 20],
      ],
      "and that is what the queue is told",
    );
    assert.equal(of("event to the dead letters").length, 1);
  });

  it("has no attempt where it was not the event's fault", async () => {
    const { log, of } = createLog();
    const away: Script = () => {
      throw new Error("never reached");
    };
    const { consume } = setUp({ away }, { log });
    let left = 0;
    await consume([message("e1")], () => left--);
    const [line = {}] = of("event left to SQS");
    assert.deepEqual([line.reason, "attempt" in line], ["unstarted", false]);
    assert.equal(typeof line.seconds, "number");
  });
});

describe("the line of an event that is done", () => {
  const ok: Script = () => {};

  async function lineOf(type: string, times = 1): Promise<Line> {
    const { log, of } = createLog();
    const { consume } = setUp({ ok }, { log });
    for (let time = 0; time < times; time += 1) await consume([message("e1", { type })]);
    const { handlers, done_before, meant } = of("event done").at(-1) ?? {};
    return { handlers, done_before, meant };
  }

  it("has the handlers that ran for it, and how many were done before", async () => {
    const ran = [{ name: "ok", ms: 1 }];
    assert.deepEqual(await lineOf("KeyExpired"), { handlers: ran, done_before: undefined, meant: undefined });
    assert.deepEqual(await lineOf("KeyExpired", 2), { handlers: [], done_before: 1, meant: undefined });
  });

  it("is the only one that the consumer writes of it", async () => {
    const { log, all } = createLog();
    const { consume } = setUp({ ok, too: ok }, { log });
    await consume([message("e1")]);
    assert.deepEqual(
      all.map(({ text }) => text),
      ["event done"],
    );
  });

  it("has the code of a handler that counts as done although it failed", async () => {
    const { log, of } = createLog();
    const { consume } = setUp({ ok, fail }, { log, handlerErrors: "drop" });
    await consume([message("e1")]);
    const [{ handlers } = {}] = of("event done");
    assert.deepEqual(handlers, [
      { name: "ok", ms: 1 },
      { name: "fail", ms: 1, outcome: "handler-threw" },
    ]);
  });

  it("has the type that was meant, where no handler is for it", async () => {
    assert.deepEqual(await lineOf("KeyExpird"), {
      handlers: [],
      done_before: undefined,
      meant: "KeyExpired",
    });
    assert.deepEqual(await lineOf("HostDown"), { handlers: [], done_before: undefined, meant: undefined });
  });
});

describe("the type that was meant", () => {
  it("is one that the API handles before one that gateways fire", () => {
    assert.equal(meantType("AuthFailur", []), "AuthFailure");
    assert.equal(meantType("authfailure", []), "AuthFailure");
    assert.equal(meantType("AuthFailurs", ["AuthFailurz"]), "AuthFailurz");
  });

  it("is nothing for a type that is known, or near to none", () => {
    for (const type of ["AuthFailure", "TokenCreated", "OfAPlugin", "x"])
      assert.equal(meantType(type, ["OfAPlugin"]), undefined);
  });

  it("is not looked for without end", () => {
    const many = Array.from({ length: 5_000 }, (_, nth) => `${"LongNameOfAnEvent".repeat(10)}${nth}`);
    assert.equal(meantType(`${"LongNameOfAnEvant".repeat(10)}X`, many), undefined);
  });
});
