// What a batch is to commit is counted as it changes. Here the counts are what counting all of it again gives.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createBatchLedger } from "../../lib/commit/batch-ledger.ts";
import { createBatchSessions } from "../../lib/commit/batch-sessions.ts";
import type { StoredSession } from "../../lib/sessions/item.ts";

const KEYS = ["a", "b", "c", "d"];
const EVENTS = ["1", "2", "3"];
const missing = (): StoredSession => ({ session: undefined, version: 0 });

const key = fc.constantFrom(...KEYS);
const event = fc.constantFrom(...EVENTS);
const bytes = fc.nat({ max: 1_000 });
type Step =
  | { do: "write"; key: string; event: string; bytes: number }
  | { do: "touch"; key: string; event: string }
  | { do: "settle" | "drop" | "load"; key: string }
  | { do: "forget"; event: string };
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("write"), key, event, bytes }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("touch"), key, event }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("settle", "drop", "load"), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("forget"), event }) },
) as fc.Arbitrary<Step>;

describe("the sessions that a batch is to commit", () => {
  it("are counted as one by one, with their bytes and the events that touched them", async () => {
    const sizes = fc.dictionary(key, bytes).map((record) => new Map(Object.entries(record)));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), sizes, async (steps, run) => {
        const read = new Map(KEYS.map((name) => [name, missing()]));
        const sessions = createBatchSessions(read, { readSession: async () => missing() });
        /** By key, in the batch's order: the bytes of what is to be committed, and who touched it. */
        const model = new Map(KEYS.map((name) => [name, newEntry()]));
        for (const one of steps) {
          const entry = "key" in one ? model.get(one.key) : undefined;
          if (one.do === "write") {
            sessions.write(one.key, { session: { alias: "x" }, bytes: one.bytes }, one.event);
            if (entry) entry.bytes = one.bytes;
          }
          if (one.do === "touch") sessions.touch(one.key, one.event);
          if (one.do === "write" || one.do === "touch") entry?.events.add(one.event);
          if (one.do === "settle") sessions.settle(one.key);
          if (one.do === "settle" && entry) entry.bytes = undefined;
          if (one.do === "drop") sessions.drop(one.key);
          if (one.do === "drop") model.delete(one.key);
          if (one.do === "load") await sessions.load(one.key);
          if (one.do === "load" && !entry) model.set(one.key, newEntry());
          if (one.do === "forget") sessions.forget(one.event);
          if (one.do === "forget") for (const { events } of model.values()) events.delete(one.event);

          const pending = [...model].filter(([, { bytes: size }]) => size !== undefined);
          assert.deepEqual(
            [...sessions.pending()],
            pending.map(([name, { events }]) => [name, events]),
          );
          const kept = pending.filter(([name]) => !run.has(name));
          const all = [...kept.map(([, { bytes: size = 0 }]) => size), ...run.values()];
          assert.deepEqual(sessions.pendingWith(run), {
            count: all.length,
            bytes: all.reduce((total, size) => total + size, 0),
          });
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

const newEntry = () => ({ bytes: undefined as number | undefined, events: new Set<string>() });

describe("the ledger entries that a batch is to commit", () => {
  it("are counted as one by one", () => {
    const work = fc.record({ do: fc.constantFrom("add", "attempts", "settle", "forget"), event });
    fc.assert(
      fc.property(fc.array(work, { maxLength: 30 }), (works) => {
        const ledger = createBatchLedger(new Map(EVENTS.map((id) => [id, { version: 0, done: [] }])));
        const model = new Set<string>();
        for (const one of works) {
          if (one.do === "add") ledger.add(one.event, "handler");
          if (one.do === "attempts") ledger.setAttempts(one.event, 1);
          if (one.do === "settle") ledger.settle(one.event);
          if (one.do === "forget") ledger.forget(one.event);
          if (one.do === "add" || one.do === "attempts") model.add(one.event);
          else model.delete(one.event);
          assert.deepEqual(
            ledger.pending(),
            EVENTS.filter((id) => model.has(id)),
          );
          assert.equal(ledger.pendingCount, model.size);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
