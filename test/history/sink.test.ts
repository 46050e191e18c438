// What a deployment keeps of its attempts, and that a table which is away or slow costs no event anything.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BatchWriteItemCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { createAllowance, createKeeping } from "../../lib/history/keeping.ts";
import { createRecorder, FLUSH_MS, RESERVE_MS } from "../../lib/history/recorder.ts";
import type { AttemptOutcome } from "../../lib/history/records.ts";
import { createRedaction, outlineRecord } from "../../lib/history/redact.ts";
import { createTableSink } from "../../lib/history/table-sink.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { count, createTable, failFor, message, NOW, type Script, setUp } from "../helpers/consumer.ts";
import { textOfItem } from "../helpers/history-table.ts";
import { createTally } from "../helpers/metrics.ts";

type Send = (command: BatchWriteItemCommand, options: { abortSignal: AbortSignal }) => Promise<object>;

const { redact, keyRef } = createRedaction("the stage's secret");
const KEYS = ["a", "b", "c"].map((name) => `${name}-key-canary`);

/** Runs three events, of which the second fails, and tells what came of them and of their history. */
async function consumed(send: Send, { atEnd = 60_000, keep = redact } = {}) {
  let left = 60_000;
  const { tally, metrics } = createTally();
  const told: Record<string, unknown>[] = [];
  const sink = createTableSink({
    dynamo: { send } as unknown as DynamoDBClient,
    s3: () => assert.fail("nothing is large"),
    table: "history",
    bucket: "history",
    redact: keep,
    ttlDays: 14,
    container: "c1",
    now: () => NOW,
    random: () => 0,
    log: { warn: (message, fields) => void told.push({ message, ...fields }) },
  });
  const recorder = createRecorder({ sink, metrics, now: () => NOW, container: "c1", isolation: "event" });
  const sessions = Object.fromEntries(KEYS.map((key) => [key, { rate: 1 } as Session]));
  const table = createTable(sessions);
  const ends: Script = ({ event }) => {
    if (event.Meta.Key === KEYS[2]) left = atEnd;
  };
  const { consume } = setUp({ count, fails: failFor(KEYS[1] ?? ""), ends }, { table, history: recorder });
  const failed = await consume(
    KEYS.map((key, nth) => message(`e${nth}`, { key })),
    () => left,
  );
  const rates = KEYS.map((key) => table.session(key)?.rate);
  return { failed, rates, dropped: tally.HistoryDropped ?? 0, told };
}

const taken: Send = async () => ({});

describe("a history that cannot be written", () => {
  const WAYS: Record<string, [Send, number, RegExp]> = {
    "is away": [() => Promise.reject(new Error("no such table")), 3, /no such table/],
    "does not answer": [() => new Promise(() => {}), 3, new RegExp(`longer than ${FLUSH_MS} ms`)],
    "gives up when it is told to": [
      (_, { abortSignal }) =>
        new Promise((_, reject) => abortSignal.addEventListener("abort", () => reject(abortSignal.reason))),
      3,
      /longer than/,
    ],
    "takes a part": [
      async ({ input }) => ({
        UnprocessedItems: { history: input.RequestItems?.history?.slice(0, 2) },
      }),
      2,
      /takes no more now/,
    ],
  };
  for (const [how, [send, lost, why]] of Object.entries(WAYS))
    it(`and ${how}, changes no answer, and is counted`, async () => {
      const { failed, rates, dropped, told } = await consumed(send);
      const { failed: otherwise, rates: others, dropped: none } = await consumed(taken);
      assert.deepEqual([failed, rates], [otherwise, others]);
      assert.deepEqual([failed, rates], [["m-e1"], [2, 2, 2]]);
      assert.deepEqual([dropped, none], [lost, 0]);
      assert.equal(told.length, 1);
      assert.deepEqual([told[0]?.message, told[0]?.dropped], ["history not kept", lost]);
      assert.match(String(told[0]?.error), why);
      assert.ok(!JSON.stringify(told).includes("canary"));
    });

  it("is not asked at the end of an invocation, which would return its whole batch to the queue", async () => {
    const { failed, dropped, told } = await consumed(() => assert.fail("it is asked"), { atEnd: RESERVE_MS });
    assert.deepEqual([failed, dropped, told], [["m-e1"], 3, []]);
  });
});

describe("what is written of an attempt", () => {
  const written = async (keep: typeof redact) => {
    const texts: string[] = [];
    await consumed(
      async ({ input }) => {
        for (const { PutRequest } of input.RequestItems?.history ?? [])
          texts.push(textOfItem((PutRequest?.Item ?? {}) as never));
        return {};
      },
      { keep },
    );
    assert.equal(texts.length, 3);
    return texts;
  };

  it("has references in place of keys", async () => {
    for (const text of await written(redact)) assert.ok(!text.includes("canary"), text);
    assert.ok((await written(redact))[1]?.includes(`TypeError: not ${keyRef(KEYS[1] ?? "")}`));
  });

  it("has no text of a handler or an event in an outline, and the outcome of each run", async () => {
    const [, text = ""] = await written((attempt) => outlineRecord(redact(attempt)));
    assert.ok(!text.includes("TypeError"));
    const { content, outcome, reason, runs, event } = JSON.parse(text.split("\n").at(-1) ?? "");
    assert.deepEqual([content, outcome, reason], ["outline", "failed", "handler-threw"]);
    assert.deepEqual(
      runs.map(({ handler, outcome, logs, writes, calls }: Record<string, unknown[]>) => [
        handler,
        outcome,
        logs,
        writes,
        calls?.map((call) => (call as { args: unknown }).args),
      ]),
      [
        ["count", "done", [], [], [[], []]],
        ["fails", "failed", [], [], []],
        ["ends", "done", [], [], []],
      ],
    );
    assert.deepEqual(event.Meta, { Key: keyRef(KEYS[1] ?? "") });
  });
});

describe("what is kept of attempts", () => {
  const facts = (outcome: AttemptOutcome, over = {}) => ({ outcome, n: 1, ms: 10, ...over });
  const keeps = (history: "failed" | "sampled" | "all", random = 0.5) =>
    createKeeping({ history, share: 0.01, slowMs: 1_000, random: () => random });

  it("is what tells of trouble, and the end of what had any", () => {
    for (const outcome of ["failed", "dead", "conflict", "dropped"] as const)
      assert.ok(keeps("failed")(facts(outcome)), outcome);
    for (const outcome of ["done", "unstarted", "handed-back"] as const)
      assert.ok(!keeps("failed")(facts(outcome)), outcome);
    assert.ok(keeps("failed")(facts("done", { n: 2 })));
    assert.ok(keeps("failed")(facts("done", { conflicts: 1 })));
    assert.ok(keeps("failed")(facts("done", { ms: 1_000 })));
    assert.ok(!keeps("failed")(facts("done", { ms: 999 })));
  });

  it("is a share of the rest, or all", () => {
    assert.deepEqual(
      [0.009, 0.01].map((random) => keeps("sampled", random)(facts("done"))),
      [true, false],
    );
    assert.ok(keeps("sampled")(facts("failed")));
    assert.ok(keeps("all")(facts("handed-back")));
  });

  it("is no more in ten seconds than ten times the rate", () => {
    let now = 0;
    const allowed = createAllowance(5, () => now);
    assert.deepEqual([allowed(30), allowed(30), allowed(30)], [30, 20, 0]);
    now += 1_000;
    assert.equal(allowed(30), 5);
    now += 100;
    assert.equal(allowed(30), 0);
    now += 3_600_000;
    assert.equal(allowed(1_000), 50);
  });
});
