import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import middy from "@middy/core";
import { withMetrics } from "../../functions/metrics.ts";
import { AppError } from "../../lib/errors.ts";
import { METRICS } from "../../lib/metrics.ts";
import { count, createTable, fail, message, type Script, setUp } from "../helpers/consumer.ts";
import { createTally } from "../helpers/metrics.ts";

const away = () => Promise.reject(new AppError("dependency-failed", "dynamodb is away"));

function tallied(scripts: Record<string, Script>, options: Parameters<typeof setUp>[1] = {}) {
  const { tally, metrics } = createTally();
  return { tally, ...setUp(scripts, { metrics, ...options }) };
}

describe("the consumer's metrics", () => {
  it("count an event that others made run again, and done once", async () => {
    const table = createTable({ e1: { rate: 1 } });
    let changed = false;
    const { tally, consume } = tallied(
      {
        h: async (tyk) => {
          await count(tyk);
          if (!changed) table.change("e1", { rate: 5 });
          changed = true;
        },
      },
      { table },
    );
    await consume([message("e1")]);
    assert.deepEqual(
      [tally.Conflicts, tally.Runs, tally.EventsDone, tally.EventsFailed],
      [1, 2, 1, undefined],
    );
  });

  it("count an event that came twice in one batch once", async () => {
    const { tally, consume } = tallied({ h: count });
    await consume([message("e1", { messageId: "m1" }), message("e1", { messageId: "m2" })]);
    assert.deepEqual([tally.EventsDone, tally.Runs], [1, 1]);
  });

  it("count an event that fails at each delivery, and its dead letter at the last", async () => {
    const { tally, consume } = tallied({ h: fail("no") }, { maxAttempts: 2 });
    await consume([message("e1")]);
    assert.equal(tally["DeadLetters handler-threw"], undefined);
    await consume([message("e1", { receives: 2 })]);
    assert.equal(tally["DeadLetters handler-threw"], 1);
    assert.deepEqual(
      [tally.EventsFailed, tally["RunFailures handler-threw"], tally.EventsDone],
      [2, 2, undefined],
    );
  });

  it("count what had no time apart from what failed", async () => {
    const { tally, consume } = tallied({ h: count });
    await consume([message("e1"), message("e2")], () => 0);
    assert.deepEqual([tally.EventsUnstarted, tally.EventsFailed, tally.Runs], [2, undefined, undefined]);
  });

  it("count every record of a batch whose read failed as failed, and the next batch as returned to the queue", async () => {
    const { store } = createTable();
    const { tally, consume } = tallied({ h: count }, { store: { ...store, read: away } });
    await consume([message("e1"), message("e2")]);
    assert.deepEqual([tally.EventsFailed, tally.HandedBack], [2, undefined]);
    await consume([message("e1"), message("e2"), message("e3")]);
    assert.deepEqual([tally.EventsFailed, tally.HandedBack], [2, 3]);
  });

  it("count no dead letter that was not sent", async () => {
    const { tally, consume } = tallied({ h: count }, { sendDeadLetter: away });
    await consume([message("e1", { body: "no event" })]);
    assert.deepEqual([tally["DeadLetters event-invalid"], tally.EventsFailed], [undefined, 1]);
  });
});

it("docs/metrics.md lists every metric, with its unit and what it is counted by", async () => {
  const docs = await readFile(new URL("../../docs/metrics.md", import.meta.url), "utf8");
  const rows = [...docs.matchAll(/^\| `(\w+)`(?:, by (\w+))? \| [\w, -]+ \| (count|ms) \|/gm)];
  const listed = rows.map(([, name, by, unit]) => [name, by, unit]);
  const known = Object.entries<{ unit: string; by?: string }>(METRICS).map(([name, { unit, by }]) => [
    name,
    by,
    unit === "Count" ? "count" : "ms",
  ]);
  assert.deepEqual(listed.sort(), known.sort());
});

describe("an invocation's end", () => {
  const context = { getRemainingTimeInMillis: () => 321 };
  function invoke(work: () => Promise<unknown>) {
    const steps: string[] = [];
    const metrics = {
      count() {},
      countBy() {},
      observe: (name: string, ms: number) => void steps.push(`${name} ${ms}`),
      flush: () => void steps.push("flush"),
    };
    const main = middy().use(withMetrics(metrics)).handler(work);
    return { steps, answer: main({}, context as Parameters<typeof main>[1]) };
  }

  it("writes what was measured, with the time that was left", async () => {
    const { steps, answer } = invoke(async () => "answer");
    assert.equal(await answer, "answer");
    assert.deepEqual(steps, ["RemainingTime 321", "flush"]);
  });

  it("writes it when the function throws, and the error goes on", async () => {
    const { steps, answer } = invoke(() => Promise.reject(new Error("no")));
    await assert.rejects(answer, /^Error: no$/);
    assert.deepEqual(steps, ["RemainingTime 321", "flush"]);
  });
});
