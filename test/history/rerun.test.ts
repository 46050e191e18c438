// What is recorded is enough to run a handler again: on the same scripts it does the same to the byte, and a script that
// differs in one character is found at the first thing that this changes.
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import type { RunRecord } from "../../lib/history/records.ts";
import { createReruns } from "../../lib/history/rerun.ts";
import type { Isolation } from "../../lib/runtime/protocol.ts";
import { assets, engine, markOf, randomHandler, record, releaseOf, sourceOf } from "./random-handlers.ts";

/** Releases with `HANDLERS` each; `npm run soak:rerun` has more. */
const RELEASES = Number(process.env.RERUN_RELEASES ?? 2);
const HANDLERS = 20;

/** All but what is of the moment, and what became of the sandbox. */
const bytes = (runs: RunRecord[]) =>
  JSON.stringify(
    runs.map(({ ms, calls, used, sandbox, ...run }) => ({
      ...run,
      used: { ...used, load: undefined, nth: undefined },
      calls: calls.map(({ t, ms, given, ...call }) => call),
    })),
  );

/** Tells of long texts only where they differ. */
function sameText(now: string, then: string): void {
  if (now === then) return;
  const at = then.split("").findIndex((char, index) => char !== now[index]);
  const around = (text: string) => text.slice(Math.max(0, at - 100), at + 200);
  assert.fail(`${around(now)}\n${around(then)}`);
}

describe("a recorded attempt, run again", () => {
  const reruns = createReruns({ assets, engine });
  after(() => reruns.close());

  const handlers = fc.array(randomHandler, { minLength: HANDLERS, maxLength: HANDLERS });
  const versionOne = (sources: string[]) => ({ version: "v1", release: releaseOf(sources) });

  for (const isolation of ["event", "global"] as Isolation[])
    it(`is the same to the byte under isolation ${isolation}, whatever its handlers do`, async () => {
      await fc.assert(
        fc.asyncProperty(handlers, async (made) => {
          const sources = made.map((handler, nth) => sourceOf(handler, nth));
          const attempts = await record(sources, isolation);
          assert.equal(attempts.length, HANDLERS + 1);
          for (const attempt of attempts) {
            for (const { calls } of attempt.runs) {
              const times = calls.map(({ t }) => t);
              assert.deepEqual(
                times,
                times.toSorted((a, b) => a - b),
                "calls are told in the order of their times",
              );
            }
            const { verdict, grade, why, now, diff, diverged_at } = await reruns.rerun(
              attempt,
              versionOne(sources),
              { attempts },
            );
            sameText(bytes(now.runs), bytes(attempt.runs));
            assert.deepEqual([verdict, diverged_at, why], ["same", null, []], JSON.stringify(diff));
            const isFirst = attempt.runs.every(({ used }) => used?.nth === 0);
            assert.equal(grade, isolation === "event" || isFirst ? "exact" : "chain");
          }
        }),
        { numRuns: RELEASES, endOnFailure: true },
      );
    });

  it("on a script that differs in one character differs where that is first told", async () => {
    await fc.assert(
      fc.asyncProperty(handlers, fc.nat(), async (made, which) => {
        const sources = made.map((handler, nth) => sourceOf(handler, nth));
        const attempts = await record(sources, "event");
        const changes = made.map(({ statements }) => which % statements.length);
        const changed = made.map((handler, nth) => sourceOf(handler, nth, changes[nth]));
        for (const attempt of attempts.slice(0, HANDLERS)) {
          const nth = Number(attempt.event.Type.slice(1));
          const mark = markOf(nth, changes[nth] ?? 0);
          const { diff, diverged_at, verdict } = await reruns.rerun(attempt, {
            version: `changed ${sources[0]}`,
            release: releaseOf(changed),
          });
          const told = diff.findIndex(({ then }) => JSON.stringify(then ?? "").includes(mark));
          const shown = JSON.stringify(diff.slice(Math.max(0, (diverged_at ?? told) - 1)), undefined, 1);
          assert.equal(diverged_at, told < 0 ? null : told, `${mark} ${shown}`);
          assert.equal(verdict === "same", told < 0);
        }
      }),
      { numRuns: RELEASES, endOnFailure: true },
    );
  });
});
