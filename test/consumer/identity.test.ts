// An event's identity: its id within its API, and the content that came under it first.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { rowKey } from "../../lib/history/event-rows.ts";
import { openRelease } from "../../lib/releases/release.ts";
import { createRuntime, message, RECEIVE_LIMIT, type Script, setUp } from "../helpers/consumer.ts";
import { NO_METRICS } from "../helpers/metrics.ts";

describe("an id", () => {
  const two = (handlers: Record<string, string[]>) => {
    const refs = Object.fromEntries(
      Object.entries(handlers).map(([type, names]) => [type, names.map((name) => ({ name, path: "h.js" }))]),
    );
    const apis = ["a", "b"].map((api_id) => ({ api_id, org_id: "o", name: api_id, handlers: refs }));
    return openRelease("v1", { format: 1, apis, scripts: [] });
  };
  function setUpTwo() {
    const runs: string[] = [];
    const runtime = createRuntime({
      h: ({ event, context }) => void runs.push(`${context.APIID}/${event.Meta.Key}/${event.Type}`),
    });
    const release = two({ KeyExpired: ["h"], AuthFailure: ["h"] });
    const counted: string[] = [];
    const metrics = { ...NO_METRICS, count: (name: string, by = 1) => void (by > 0 && counted.push(name)) };
    const live = { at: async () => ({ release, runtime }), close: async () => {} };
    const { consume } = setUp({}, { live, metrics });
    return { consume, runs, counted };
  }
  const event = (messageId: string, apiId: string, key: string, type = "KeyExpired") =>
    message("1", { messageId, apiId, key, type });

  it("counts within its API: the same one of two APIs is two events", async () => {
    const { consume, runs, counted } = setUpTwo();
    assert.deepEqual(await consume([event("m1", "a", "x"), event("m2", "b", "y")]), []);
    assert.deepEqual(await consume([event("m3", "b", "y")]), []);
    assert.deepEqual(runs, ["a/x/KeyExpired", "b/y/KeyExpired"]);
    assert.equal(counted.includes("EventsDropped"), false, "what came again was the same");
  });

  it("of two contents stands for the first, and the second is told of", async () => {
    const { consume, runs, counted } = setUpTwo();
    await consume([event("m1", "a", "x"), event("m2", "a", "y")]);
    await consume([event("m3", "a", "x", "AuthFailure")]);
    assert.deepEqual(runs, ["a/x/KeyExpired"]);
    assert.equal(counted.filter((name) => name === "EventsDropped").length, 2);
  });

  it("is told from that of another API in a history too, whatever both are called", () => {
    assert.notEqual(rowKey({ api_id: "a", id: "b#c" }), rowKey({ api_id: "a#b", id: "c" }));
    assert.notEqual(rowKey({ api_id: "a#b", id: "c" }), rowKey({ api_id: "a%23b", id: "c" }));
  });

  it("is free for a corrected event once the first was given up with nothing done", async () => {
    const seen: string[] = [];
    const { consume, letters } = setUp(
      {
        h: ({ event }) => {
          if (event.Meta.Key === "wrong") throw new Error("no");
          seen.push(String(event.Meta.Key));
        },
      },
      { maxAttempts: 1 },
    );
    await consume([message("1", { key: "wrong" })]);
    assert.equal(letters.length, 1);
    await consume([message("1", { messageId: "m2", key: "right" })]);
    assert.deepEqual(seen, ["right"]);
  });

  it("is free too when the queue's own limit was reached before that of attempts", async () => {
    const seen: unknown[] = [];
    const h: Script = ({ event }) => {
      if (event.Meta.Key === "wrong") throw new Error("no");
      seen.push(event.Meta.Key);
    };
    const { consume, letters } = setUp({ h }, { maxAttempts: 5 });
    const wrong = (receives: number) => message("1", { key: "wrong", receives });
    assert.deepEqual(await consume([wrong(RECEIVE_LIMIT - 1)]), ["m-1"]);
    assert.deepEqual(await consume([wrong(RECEIVE_LIMIT)]), []);
    assert.deepEqual(
      letters.map(({ reason }) => reason),
      ["handler-threw"],
    );
    await consume([message("1", { messageId: "m2", key: "right" })]);
    assert.deepEqual(seen, ["right"]);
  });

  it("is free too when the last delivery failed for another reason than the attempts before", async () => {
    const seen: unknown[] = [];
    const runtime = createRuntime({
      h: ({ event }) => {
        if (event.Meta.Key === "wrong") throw new Error("no");
        seen.push(event.Meta.Key);
      },
    });
    const live = { at: async () => ({ release, runtime }), close: async () => {} };
    let release = two({ KeyExpired: ["h"] });
    const { consume, letters } = setUp({}, { live, maxAttempts: 5 });
    assert.deepEqual(await consume([event("m1", "a", "wrong")]), ["m1"]);
    release = openRelease("v2", { format: 1, apis: [], scripts: [] });
    assert.deepEqual(await consume([event("m1", "a", "wrong")]), []);
    assert.deepEqual(
      letters.map(({ reason }) => reason),
      ["api-unknown"],
    );
    release = two({ KeyExpired: ["h"] });
    await consume([event("m2", "a", "right")]);
    assert.deepEqual(seen, ["right"]);
  });
});
