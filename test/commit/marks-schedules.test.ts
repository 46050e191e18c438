// The unit of work on tables in memory, in any order of requests, with crashes at every point, lost answers and people
// who delete, make and replace sessions meanwhile: nothing is applied twice, and nothing that is acknowledged is lost.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { trySchedule } from "../helpers/schedules.ts";
import { SHORT_CUTS } from "../helpers/short-cuts.ts";

/** `npm run soak:marks` tries more. */
const SCHEDULES = Number(process.env.SCHEDULES ?? 2_000);
/** Among so many, each short-cut has been found out many times. */
const TRIES = 20_000;

describe("whatever the order of requests, and whoever dies", () => {
  it(`${SCHEDULES} schedules apply each handler's run once`, async () => {
    for (let seed = 1; seed <= SCHEDULES; seed += 1) await trySchedule(seed);
  });

  for (const [name, shortCut] of Object.entries(SHORT_CUTS))
    it(`${name}: found out`, async () => {
      for (let seed = 1; seed <= TRIES; seed += 1) {
        const thrown: unknown = await trySchedule(seed, shortCut).catch((error: unknown) => error);
        if (!thrown) continue;
        assert.match(String(thrown), /runs of a#\d [gh] were applied|was applied \d times/);
        return;
      }
      assert.fail(`not in ${TRIES} schedules`);
    });
});
