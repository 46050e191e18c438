// What becomes of one key, case by case; whatever may happen is in agreement.test.ts.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createGateway } from "../../lib/gateway/client.ts";
import { asSession } from "../../lib/gateway/row.ts";
import { plainConfig } from "./config.ts";
import { createWorld, type World } from "./world.ts";

const ORG = "5e9d9544a1dcd60001d0ed20";
const KEY = `${ORG}${"a".repeat(32)}`;
const RIGHTS = { api1: { api_id: "api1", versions: ["Default"] } };
const SESSION = {
  org_id: ORG,
  rate: 100,
  per: 60,
  quota_max: 10,
  quota_renewal_rate: 3_600,
  quota_remaining: 10,
  access_rights: RIGHTS,
};
const CONFIG = plainConfig(ORG, {
  policies: [
    {
      id: "gold",
      org_id: ORG,
      rate: 7,
      per: 1,
      quota_max: -1,
      quota_renewal_rate: 60,
      access_rights: RIGHTS,
    },
  ],
});

const PUTS = /^PUT /;
const puts = (world: World) => world.requests().filter((request) => PUTS.test(request));

describe("a handler's change", () => {
  it("resets the quota once, with its full figure, and never again", async () => {
    const world = createWorld(CONFIG);
    world.admin("POST", KEY, SESSION);
    for (let nth = 0; nth < 4; nth += 1) world.use(KEY);
    assert.equal(world.admin("GET", KEY)?.quota_remaining, 6);
    await world.run(KEY, (session) => ({ ...session, alias: "reset" }), undefined, true);
    await world.sync(10, "after-gateway"); // it died before it could tell
    world.use(KEY);
    await world.settle();
    assert.equal(world.admin("GET", KEY)?.quota_remaining, 9);
    assert.equal(puts(world).filter((request) => !request.includes("suppress_reset")).length, 1);
  });

  it("resets the quota although nothing else changes", async () => {
    const world = createWorld(CONFIG);
    world.admin("POST", KEY, SESSION);
    world.use(KEY);
    await world.run(KEY, (session) => session, undefined, true);
    await world.settle();
    assert.equal(world.admin("GET", KEY)?.quota_remaining, 10);
  });

  it("that changes nothing sends nothing", async () => {
    const world = createWorld(CONFIG);
    world.admin("POST", KEY, SESSION);
    await world.run(KEY, (session) => session);
    await world.settle();
    assert.deepEqual(puts(world), []);
    assert.equal(world.row(KEY)?.gateway?.change, undefined);
  });

  it("of what a policy decides is overruled, told once, and not repeated", async () => {
    const world = createWorld(CONFIG);
    world.admin("POST", KEY, { ...SESSION, apply_policies: ["gold"] });
    await world.run(KEY, (session) => ({ ...session, rate: 99, is_inactive: true, alias: "mine" }));
    await world.settle();
    const there = world.admin("GET", KEY);
    assert.deepEqual([there?.rate, there?.is_inactive, there?.alias], [7, undefined, "mine"]);
    assert.deepEqual([...new Set(world.overruled)].sort(), ["is_inactive", "rate"]);
    assert.equal(puts(world).length, 1);
    assert.equal(world.row(KEY)?.session?.rate, 7);
  });

  it("that the gateway never keeps is refused in the end, with the members named", async () => {
    const world = createWorld(CONFIG);
    world.admin("POST", KEY, SESSION);
    await world.run(KEY, (session) => ({ ...session, expires: 1_000 }));
    await world.settle();
    assert.match(world.refusals.at(-1)?.message ?? "", /undone it 4 times: expires/);
    assert.equal(world.row(KEY)?.session?.expires, undefined);
    assert.equal(world.row(KEY)?.gateway?.change, undefined);
  });

  it("of what the key is, is refused, and the rest of it is carried", async () => {
    const world = createWorld(CONFIG);
    world.admin("POST", KEY, SESSION);
    await world.run(KEY, (session) => ({ ...session, org_id: "other", alias: "mine" }));
    await world.settle();
    assert.match(world.refusals[0]?.message ?? "", /^org_id cannot be changed/);
    const there = world.admin("GET", KEY);
    assert.deepEqual([there?.org_id, there?.alias], [ORG, "mine"]);
  });
});

describe("a session of the gateway that the table cannot hold", () => {
  it("has a change of ours refused, and is not asked for again and again", async () => {
    const world = createWorld(CONFIG);
    world.admin("POST", KEY, SESSION);
    await world.run(KEY, (session) => ({ ...session, alias: "mine" }));
    world.admin("PUT", KEY, { ...SESSION, meta_data: { value: 1e300 } });
    await world.settle();
    assert.match(world.refusals[0]?.message ?? "", /cannot hold what the gateway has: meta_data/);
    world.doubt(KEY);
    await world.settle();
    assert.equal(world.refusals.length, 1);
    assert.equal(world.row(KEY)?.gateway?.look, undefined);
  });

  for (const depth of [600, 9_000])
    it(`is session-invalid when it is nested ${depth} levels deep, and is not sent either`, async () => {
      const text = `{"org_id":"o","meta_data":${'{"a":'.repeat(depth)}1${"}".repeat(depth)}}`;
      const gateway = createGateway(async () => ({ status: 200, text }), { secret: "s", hashed: false });
      const look = await gateway.get(KEY);
      assert.ok(look !== "missing");
      assert.throws(() => asSession(look.session), { code: "session-invalid" });
      if (depth > 1_000)
        await assert.rejects(gateway.put(KEY, look.session, { reset: false }), { code: "session-invalid" });
    });
});

describe("a key that was born here", () => {
  it("is made once, and is the gateway's from then on", async () => {
    const world = createWorld(CONFIG);
    world.bear(KEY, { ...SESSION, alias: "born" });
    await world.settle();
    assert.equal(world.admin("GET", KEY)?.alias, "born");
    assert.deepEqual(
      world.made.filter((name) => !name.includes("canary")),
      [KEY],
    );
    world.admin("DELETE", KEY);
    world.doubt(KEY);
    await world.settle();
    assert.equal(world.row(KEY)?.gateway?.gone, true);
  });

  it("does not overwrite one that the gateway has by now", async () => {
    const world = createWorld(CONFIG);
    world.bear(KEY, { ...SESSION, alias: "born" });
    world.admin("POST", KEY, { ...SESSION, alias: "theirs" });
    await world.settle();
    assert.equal(world.row(KEY)?.session?.alias, "theirs");
    assert.match(world.refusals[0]?.message ?? "", /another key of this name/);
  });

  it("of a name that the gateway would make another of is refused", async () => {
    const world = createWorld(CONFIG);
    world.bear("short", { ...SESSION });
    await world.settle();
    assert.match(world.refusals[0]?.message ?? "", /no name makes this very key/);
    assert.deepEqual(
      world.made.filter((name) => !name.includes("canary")),
      [],
    );
  });
});

describe("a key that the gateway does not show", () => {
  async function known(world: World): Promise<void> {
    world.admin("POST", KEY, SESSION);
    world.bear(`${ORG}other`, { ...SESSION }); // its proof of absence makes the canary
    await world.run(KEY, (session) => ({ ...session, alias: "x" }));
    await world.settle();
  }

  it("is kept while the gateway's store is away, and while it has come back empty", async () => {
    for (const what of ["away", "empty"]) {
      const world = createWorld(CONFIG);
      await known(world);
      if (what === "away") world.disturb({ kind: "store-down" });
      else world.wipe();
      for (let nth = 0; nth < 5; nth += 1) {
        world.doubt(KEY);
        await world.sync(10);
        world.wait(20_000);
      }
      assert.equal(world.row(KEY)?.session?.alias, "x", what);
      assert.equal(world.row(KEY)?.gateway?.gone, undefined, what);
    }
  });

  it("is kept when too many others were found deleted", async () => {
    let isFull = false;
    const world = createWorld(CONFIG, { admit: async () => !isFull });
    await known(world);
    world.admin("DELETE", KEY);
    isFull = true;
    world.doubt(KEY);
    await world.sync(10);
    assert.equal(world.row(KEY)?.session?.alias, "x");
    isFull = false;
    await world.settle();
    assert.equal(world.row(KEY)?.gateway?.gone, true);
  });
});

describe("a key that a handler removed", () => {
  for (const dies of [undefined, "after-gateway"] as const)
    it(`stays removed when another of its name was made in between (${dies ?? "told"})`, async () => {
      const world = createWorld(CONFIG);
      world.admin("POST", KEY, SESSION);
      world.wait(1_000);
      await world.run(KEY, () => undefined);
      const finish = world.begin(KEY);
      await world.sync(10, dies);
      const other = world.admin("POST", KEY, SESSION);
      world.doubt(KEY);
      await world.sync(10);
      finish();
      assert.notEqual(world.admin("GET", KEY)?.date_created, other?.date_created, "it came back");
      await world.settle();
      assert.equal(world.admin("GET", KEY), undefined);
      assert.equal(world.row(KEY)?.session, undefined);
    });

  it("gives way to another of its name", async () => {
    const world = createWorld(CONFIG);
    world.admin("POST", KEY, SESSION);
    world.wait(1_000);
    await world.run(KEY, () => undefined);
    await world.sync(10);
    world.admin("POST", KEY, { ...SESSION, alias: "other" });
    world.doubt(KEY);
    await world.settle();
    assert.equal(world.row(KEY)?.session?.alias, "other");
    assert.deepEqual(world.refusals, []);
  });
});
