// What the suite counts for each consumer, of which no machine's speed is a part.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type CapacityProxy, startCapacityProxy } from "../../bench/shared/capacity.ts";
import { type Side, startContainer } from "../../bench/shared/container.ts";
import { inTurns, median, ratioOf, slope } from "../../bench/shared/figures.ts";
import { openPlace, type Place, type Space } from "../../bench/shared/place.ts";
import { EDITOR_RELEASE, keysOf, SESSIONS, sessionOf } from "../../bench/shared/samples.ts";

const BATCH = 10;

describe("a container of the suite", () => {
  let place: Place;
  let space: Space;
  let proxy: CapacityProxy;
  before(async () => {
    place = await openPlace();
    space = await place.space(EDITOR_RELEASE);
    await space.putSessions(keysOf("k", BATCH), SESSIONS["250 B"]);
    proxy = await startCapacityProxy(space.env.AWS_ENDPOINT_URL_DYNAMODB ?? "");
  });
  after(async () => {
    await proxy.close();
    await place.close();
  });

  async function count(side: Side, batches = 1) {
    const container = await startContainer(side, { ...space.env, AWS_ENDPOINT_URL_DYNAMODB: proxy.endpoint });
    try {
      await container.run({ batch: BATCH, batches: 1, prefix: "k", keys: BATCH });
      proxy.take();
      const measured = await container.run({ batch: BATCH, batches, prefix: "k", keys: BATCH });
      return { measured, used: proxy.take() };
    } finally {
      await container.close();
    }
  }

  for (const side of ["plain fresh", "plain warm"] as const)
    it(`counts four calls an event of the consumer that is ${side}`, async () => {
      const { measured, used } = await count(side, 2);
      assert.deepEqual([measured.events, measured.calls], [20, 80]);
      assert.equal(used.read, 20);
    });

  it("counts four calls a batch of gatehook, and its units by table and index", async () => {
    const { measured, used } = await count("gatehook");
    assert.equal(measured.calls, 4);
    const parts = [...used.writes.values()].reduce((sum, units) => sum + units, 0);
    assert.equal(parts, used.write);
    assert.ok(used.write > 0 && used.read > 0 && measured.logBytes > 0);
    assert.ok(measured.cpu.main + measured.cpu.sandbox <= measured.cpu.total);
  });

  it("fails when a handler's write was refused, since the figures would be of something else", async () => {
    const container = await startContainer("gatehook", space.env);
    try {
      await assert.rejects(
        container.run({ batch: 1, batches: 1, prefix: "nobody ", keys: 1, apiId: "touch" }),
        /was not run as it should be|failed/,
      );
    } finally {
      await container.close();
    }
  });
});

describe("the samples", () => {
  for (const kb of [1, 3, 30, 300])
    it(`have a session of ${kb} KB`, () => {
      const bytes = JSON.stringify(sessionOf(kb * 1_000)).length;
      assert.ok(bytes > kb * 250 && bytes <= kb * 1_000 + 100, String(bytes));
    });
});

describe("figures", () => {
  it("are measured in turns, of which the first is not kept", async () => {
    const order: string[] = [];
    const side = (name: string) => async () => order.push(name);
    const taken = await inTurns({ a: side("a"), b: side("b") }, 2);
    assert.deepEqual([order.join(""), taken], ["ababab", { a: [3, 5], b: [4, 6] }]);
  });

  it("are compared turn by turn", () => {
    assert.equal(median([3, 1, 2, 10]), 2.5);
    assert.equal(ratioOf([2, 40, 6], [1, 20, 2]), 2);
    assert.equal(slope([1, 2, 3].map((x) => [x, 5 * x + 1] as const)), 5);
  });
});
