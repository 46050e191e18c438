// What the recorder tells of a batch: the same as the consumer did, after its answer, and never in its way.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BATCH_CHARS, createRecorder } from "../../lib/history/recorder.ts";
import type { AttemptRecord, HistorySink } from "../../lib/history/records.ts";
import { RUN_CHARS } from "../../lib/history/run-recorder.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { count, createTable, failFor, message, NOW, type Script, setUp } from "../helpers/consumer.ts";
import { NO_METRICS } from "../helpers/metrics.ts";

const session = (rate: number) => ({ rate }) as Session;

function recorded(scripts: Record<string, Script>, options: Parameters<typeof setUp>[1] = {}) {
  const batches: AttemptRecord[][] = [];
  const dropped: number[] = [];
  const metrics = {
    ...NO_METRICS,
    count: (name: string, value = 1) => void (name === "HistoryDropped" && dropped.push(value)),
  };
  let answers = 0;
  const seen: number[] = [];
  const sink: HistorySink = async (attempts) => {
    seen.push(answers);
    batches.push(JSON.parse(JSON.stringify(attempts)));
    return 0;
  };
  const recorder = (by: HistorySink) =>
    createRecorder({ sink: by, metrics, now: () => NOW, container: "c1", isolation: "event" });
  const world = setUp(scripts, {
    ...options,
    changeVisibility: async () => {
      answers += 1;
    },
    history: recorder(sink),
  });
  return { ...world, batches, dropped, seen, recorder };
}

describe("a history's recorder", () => {
  it("tells what each run was given, asked, logged and wrote, and what it came to", async () => {
    const table = createTable({ a: session(1), b: session(5) });
    const { consume, batches } = recorded({ count, fails: failFor("b") }, { table });
    const failed = await consume([message("a"), message("b", { receives: 2 })]);
    assert.deepEqual(failed, ["m-b"]);
    const [[a, b] = []] = batches;
    assert.deepEqual(
      [a?.id, a?.outcome, a?.n, a?.release, a?.at, a?.container, a?.isolation, a?.next_at],
      ["a", "done", 1, "v1", new Date(NOW).toISOString(), "c1", "event", undefined],
    );
    assert.deepEqual(a?.event, { Type: "KeyExpired", Meta: { Key: "a" }, TimeStamp: "" });
    const [first, second] = a?.runs ?? [];
    assert.deepEqual(
      first?.calls.map(({ i, name, args, answer }) => [i, name, args, answer && JSON.parse(answer)]),
      [
        [0, "getKeyData", ["a", "demo"], { rate: 1 }],
        [1, "setKeyData", ["a", '{"rate":2}', "1"], undefined],
      ],
    );
    assert.deepEqual(
      first?.writes.map(({ i, key, before, after }) => [
        i,
        key,
        JSON.parse(before ?? ""),
        JSON.parse(after ?? ""),
      ]),
      [[2, "a", { rate: 1 }, { rate: 2 }]],
    );
    assert.deepEqual([first?.handler, first?.path, first?.outcome], ["count", "count.js", "done"]);
    assert.equal(first?.context.EventID, "a");
    assert.equal(second?.outcome, "done");
    assert.deepEqual(
      [b?.outcome, b?.reason, b?.n, b?.attempt, b?.error, b?.next_at],
      ["failed", "handler-threw", 2, 1, "TypeError: not b", new Date(NOW + 2_000).toISOString()],
    );
    assert.deepEqual(
      b?.runs.map(({ handler, outcome, reason, sandbox }) => [handler, outcome, reason, sandbox]),
      [
        ["count", "done", undefined, undefined],
        ["fails", "failed", "handler-threw", "kept"],
      ],
    );
  });

  it("tells a dead letter, one that came again, a deleted session, and an event without a handler", async () => {
    const table = createTable({ a: session(1) });
    const { consume, batches } = recorded(
      { del: ({ event, del }) => del(String(event.Meta.Key)) },
      { table },
    );
    await consume([
      message("a", { attributes: { event_id: "a" } }),
      message("x", { apiId: "other" }),
      message("y", { type: "HostDown" }),
    ]);
    const [attempts = []] = batches;
    assert.deepEqual(
      attempts.map(({ id, outcome, reason, again, runs }) => [id, outcome, reason, again, runs.length]),
      [
        ["a", "done", undefined, true, 1],
        ["x", "dead", "api-unknown", undefined, 0],
        ["y", "done", undefined, undefined, 0],
      ],
    );
    const [write] = attempts[0]?.runs[0]?.writes ?? [];
    assert.deepEqual([JSON.parse(write?.before ?? ""), write?.after], [{ rate: 1 }, null]);
  });

  it("tells the runs that count, and how often others were first", async () => {
    const table = createTable({ a: session(1) });
    let races = 2;
    const { consume, batches } = recorded(
      {
        race: async (tyk) => {
          await tyk.get("a");
          if (races > 0) table.change("a", session(100 - races));
          races -= 1;
          await count(tyk);
        },
      },
      { table },
    );
    await consume([message("a")]);
    const [[a] = []] = batches;
    assert.deepEqual([a?.outcome, a?.conflicts, a?.runs.length], ["done", 2, 1]);
    assert.equal(table.session("a")?.rate, 100);
    assert.deepEqual(
      a?.runs[0]?.writes.map(({ after }) => JSON.parse(after ?? "")),
      [{ rate: 100 }],
    );
  });

  it("hands over after the answer is settled, and neither a sink's error nor its loss is in the way", async () => {
    const { consume, seen } = recorded({ fails: failFor("a") });
    await consume([message("a")]);
    assert.deepEqual(seen, [1], "the failed event was returned to the queue before");

    for (const [lost, sink] of [
      [1, () => Promise.reject(new Error("full"))],
      [1, async () => 1],
      [0, async () => 0],
    ] as [number, HistorySink][]) {
      const { recorder, dropped } = recorded({});
      const { consume } = setUp({ count }, { history: recorder(sink) });
      assert.deepEqual(await consume([message("a")]), []);
      assert.deepEqual(dropped, [lost]);
    }
  });

  it("keeps of one run and of one batch as much text as fits, and says that it was cut", async () => {
    const large = "x".repeat(400_000);
    const http: Script = async (tyk) => {
      for (let nth = 0; nth < 4; nth += 1) await tyk.http("{}");
    };
    const scripts = Object.fromEntries(Array.from({ length: 6 }, (_, nth) => [`h${nth}`, http]));
    const { consume, batches } = recorded(scripts, { makeHttpRequest: async () => large });
    await consume([message("a")]);
    await consume([message("b")]);
    for (const [attempt] of batches) {
      const sizes = attempt?.runs.map(({ calls }) =>
        calls.reduce((sum, { answer = "" }) => sum + answer.length, 0),
      );
      assert.ok(
        sizes?.every((size) => size <= RUN_CHARS),
        String(sizes),
      );
      const sum = sizes?.reduce((all, size) => all + size, 0) ?? 0;
      assert.ok(sum <= BATCH_CHARS && sum > BATCH_CHARS - 1_000, String(sum));
      assert.ok(attempt?.runs.every(({ cut }) => cut));
    }
    assert.equal(batches.length, 2);
  });

  it("tells what was not finished as returned to the queue", async () => {
    const table = createTable({ a: session(1) });
    table.store.failing = () => new Error("the table is away");
    const { consume, batches } = recorded({ count }, { store: table.store });
    assert.deepEqual(await consume([message("a")]), ["m-a"]);
    const [[a] = []] = batches;
    assert.deepEqual([a?.outcome, a?.reason], ["handed-back", "dependency-failed"]);
  });
});
