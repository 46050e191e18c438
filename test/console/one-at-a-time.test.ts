// What the console's server does one after the other, without a stack.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Backend, DeadLetterQueues } from "../../local/console/backend.ts";
import { createDeadLetterDesk } from "../../local/console/dead-letters.ts";
import { createHistoryIndex } from "../../local/console/history-index.ts";
import { createJobs } from "../../local/console/jobs.ts";
import type { HistoryReader, PlacedLine } from "../../local/history-reader.ts";

describe("a selection of dead letters", () => {
  it("is used up by the job that it starts, and not by a request that has to wait for another job", async () => {
    const jobs = createJobs();
    const queues = { letters: {}, events: {} } as DeadLetterQueues;
    const desk = createDeadLetterDesk({} as Backend, queues, jobs);
    const { selection } = await desk.select({ events: [{ api_id: "shop", id: "e1" }] });
    const { promise, resolve: end } = Promise.withResolvers<void>();
    jobs.start("sweep", () => promise);
    for (const act of [desk.redrive, desk.remove])
      assert.throws(() => act({ selection, rate: 1 }), /a sweep is running/);
    end();
    await jobs.close();
    assert.equal(desk.redrive({ selection, rate: 1 }).kind, "redrive");
    await jobs.close();
    assert.throws(() => desk.redrive({ selection, rate: 1 }), /the selection was used/);
  });
});

describe("a look at what was recorded meanwhile", () => {
  it("is one for all who ask while another look takes its time, so that they do not pile up", async () => {
    let looks = 0;
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const reader = {
      files: () => [],
      // biome-ignore lint/correctness/useYield: it finds nothing
      async *readPlaced(): AsyncGenerator<PlacedLine> {
        looks += 1;
        await gate;
      },
    } as Partial<HistoryReader> as HistoryReader;
    const index = createHistoryIndex(reader);
    const first = index.refresh();
    await new Promise(setImmediate);
    const others = Array.from({ length: 100 }, () => index.refresh());
    open();
    await Promise.all([first, ...others]);
    assert.equal(looks, 2);
    await index.refresh();
    assert.equal(looks, 3, "what is asked afterwards looks again");
  });
});
