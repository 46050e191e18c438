// How sure a rerun is to do the same, and what it says where it is not.
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import type { AppError } from "../../lib/errors.ts";
import type { AttemptRecord } from "../../lib/history/records.ts";
import { createRedaction } from "../../lib/history/redact.ts";
import { createReruns } from "../../lib/history/rerun.ts";
import { CLOCK_LOOKS } from "../../lib/runtime/worker/meter.ts";
import { handler } from "../helpers/dev.ts";
import { assets, engine, record, releaseOf } from "./random-handlers.ts";

const SOURCES = [
  handler("h0", `for (var i = 0; i <= ${CLOCK_LOOKS}; i += 1) Date.now(); log("looked");`),
  handler("h1", `log("before " + TykGetKeyData("a")); for (;;);`),
  handler("h2", `globalThis.counted = (globalThis.counted || 0) + 1; log("count " + counted);`),
  handler("h3", `globalThis.counted = (globalThis.counted || 0) + 1; log("count " + counted);`),
  handler("h4", `log(TykMakeHttpRequest("x".repeat(20)) + "y".repeat(1));`),
];
const TIMEOUT_MS = 200;

describe("the grade of a recorded event", () => {
  const reruns = createReruns({ assets, engine });
  after(() => reruns.close());
  const target = { version: "v1", release: releaseOf(SOURCES) };
  const other = { version: "v2", release: releaseOf([...SOURCES, handler("h5", "log(1);")]) };
  const recorded = record(SOURCES, "global", TIMEOUT_MS);
  const attemptOf = async (nth: number) => {
    const attempts = await recorded;
    return { attempts, attempt: attempts.find(({ id }) => id === `k${nth}`) as AttemptRecord };
  };

  it("says that the clock was looked at more often than a record holds; beyond it goes on", async () => {
    const { attempt, attempts } = await attemptOf(0);
    assert.equal(attempt.runs[0]?.used?.clock?.length, CLOCK_LOOKS);
    const { verdict, grade, why } = await reruns.rerun(attempt, target, { attempts });
    assert.deepEqual([verdict, grade], ["same", "inputs"]);
    assert.deepEqual(why, ["it looked at the clock more often than a record holds"]);
  });

  it("compares a run whose time was over as far as its record goes", async () => {
    const { attempt, attempts } = await attemptOf(1);
    assert.equal(attempt.runs[0]?.reason, "handler-timeout");
    const { verdict, grade, why, diff } = await reruns.rerun(attempt, target, { attempts });
    assert.deepEqual([verdict, grade], ["same", "inputs"]);
    assert.match(why.join(), /its time was over/);
    assert.ok(diff.every(({ same }) => same));
    const changed = SOURCES.with(1, SOURCES[1]?.replace("before ", "Before ") ?? "");
    const now = await reruns.rerun(attempt, { version: "v3", release: releaseOf(changed) });
    assert.equal(now.diff[now.diverged_at ?? -1]?.then?.what, "log");
  });

  it("is exact once all that ran before in its sandbox is run again, and says where that is not recorded", async () => {
    const { attempt, attempts } = await attemptOf(3);
    const [run] = attempt.runs;
    assert.match(run?.logs.at(-1)?.text ?? "", /count 2/);
    const whole = await reruns.rerun(attempt, target, { attempts });
    assert.deepEqual([whole.verdict, whole.grade, whole.exact], ["same", "chain", true]);
    const without = attempts.filter(({ id }) => id !== "k2");
    const part = await reruns.rerun(attempt, target, { attempts: without });
    assert.deepEqual([part.verdict, part.grade, part.exact], ["differs", "inputs", false]);
    assert.match(part.why.join(), /not all is recorded that ran before it/);
    const fresh = await reruns.rerun(attempt, other, { attempts });
    assert.deepEqual([fresh.verdict, fresh.grade], ["differs", "inputs"]);
    assert.match(fresh.why.join(), /on another release/);
  });

  it("says that the engine is another, and what an earlier version did not record", async () => {
    const { attempt } = await attemptOf(2);
    const old = structuredClone(attempt);
    for (const run of old.runs) delete run.used;
    assert.match(reruns.grade({ ...attempt, engine: "other" }).why.join(), /another version of the engine/);
    assert.match(reruns.grade(old).why.join(), /clock and chance is not recorded/);
    assert.equal((await reruns.rerun(old, target)).verdict, "same");
  });

  for (const [what, change] of [
    [
      "was cut",
      (attempt: AttemptRecord) => ({
        ...attempt,
        runs: attempt.runs.map((run) => ({ ...run, cut: true as const })),
      }),
    ],
    ["was redacted", createRedaction("0123456789abcdef").redact],
    ["has no run", (attempt: AttemptRecord) => ({ ...attempt, runs: [] })],
  ] as const)
    it(`of what ${what} is that it cannot be run again`, async () => {
      const { attempt } = await attemptOf(4);
      const made = change(attempt);
      await assert.rejects(reruns.rerun(made, target), ({ code, message }: AppError) => {
        assert.equal(code, "not-recorded");
        return /event k4 cannot be run again/.test(message);
      });
      if (made.runs.length > 0) assert.equal(reruns.grade(made).grade, "outline");
    });

  it("lets a session open every API only where that was so when it was recorded", async () => {
    const { attempt } = await attemptOf(2);
    const source = handler("h2", 'TykSetKeyData("k", "{}", 1);');
    const opening = { version: "v5", release: releaseOf(SOURCES.with(2, source)) };
    for (const [allowed, writes, logs] of [
      [{}, 0, /Master keys not allowed/],
      [{ master_keys: true as const }, 1, /Calling built - in handle/],
    ] as const) {
      const { now } = await reruns.rerun({ ...attempt, ...allowed }, opening);
      assert.equal(now.runs[0]?.writes.length, writes);
      assert.match(now.runs[0]?.logs.at(-1)?.text ?? "", logs);
    }
  });

  it("says which script of a release does not load", async () => {
    const { attempt } = await attemptOf(2);
    const broken = { version: "v4", release: releaseOf(SOURCES.with(0, "var h0 = (;")) };
    await assert.rejects(reruns.rerun(attempt, broken), ({ code, message }: AppError) => {
      assert.equal(code, "release-invalid");
      return /^h0\.js: SyntaxError/.test(message);
    });
    assert.equal((await reruns.rerun(attempt, target)).verdict, "same", "the next is not held up");
  });
});
