// What an event costs in DynamoDB, by the engine's own count: a change of what a commit writes shows here.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Kind, type Meter, openMeter, type Units } from "../../bench/shared/units.ts";

/** An event of a batch of ten, with a session of 2 KB. The live release is read once a batch: 0.1. */
const COSTS: [Kind, what: string, Omit<Units, "log_bytes">][] = [
  [
    "touch",
    "3 write units when it reads and writes one session",
    { read_units: 2.1, write_units: 3, writes: { sessions: 2, indexes: 0, ledger: 1 } },
  ],
  [
    "demo",
    "2 more when it moves the session's end, which is a key of the index",
    { read_units: 2.1, write_units: 5, writes: { sessions: 2, indexes: 2, ledger: 1 } },
  ],
  [
    "look",
    "1 write unit when it writes no session",
    { read_units: 2.1, write_units: 1, writes: { sessions: 0, indexes: 0, ledger: 1 } },
  ],
  [
    "unhandled",
    "nothing when no handler is for it",
    { read_units: 1.1, write_units: 0, writes: { sessions: 0, indexes: 0, ledger: 0 } },
  ],
];

describe("an event takes", () => {
  let meter: Meter;
  before(async () => {
    meter = await openMeter();
  });
  after(() => meter.close());

  for (const [kind, what, units] of COSTS)
    it(what, async () => {
      const { log_bytes, ...measured } = await meter.measure(kind, 1);
      assert.deepEqual(measured, units);
      assert.ok(log_bytes > 0);
    });
});
