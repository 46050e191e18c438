import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createUnitOfWork } from "../../lib/commit/unit-of-work.ts";
import { createConsumer } from "../../lib/consumer/consumer.ts";
import { AppError } from "../../lib/errors.ts";
import { openRelease } from "../../lib/releases/release.ts";
import type { Host } from "../../lib/runtime/host.ts";
import type { Run } from "../../lib/runtime/protocol.ts";
import type { StoredSession } from "../../lib/sessions/item.ts";
import { consumerDeps, message } from "../helpers/consumer.ts";
import { createMemoryTable } from "../helpers/memory-table.ts";
import { scopeOf } from "../helpers/scope.ts";
import { scriptedRuntime } from "../helpers/scripted-runtime.ts";

function createTable(aliases: Record<string, string>) {
  const sessions = Object.entries(aliases).map(([key, alias]) => [key, { alias }]);
  const table = createMemoryTable({ sessions: Object.fromEntries(sessions) });
  return {
    store: table,
    ledger: table.ledger,
    reads: table.reads,
    alias: (key: string) => table.session(key)?.alias,
  };
}

type Handler = (
  event: { id: string; key: string },
  /** Of a session, its alias is what these tests read and write. */
  aliases: { get(key: string): Promise<string>; set(key: string, alias: string): Promise<void> },
) => Promise<void>;

/** A consumer of one handler, which runs outside of any sandbox, with as many workers as the test wants. */
function setUp(table: ReturnType<typeof createTable>, workers: number, handle: Handler) {
  async function run({ event, context }: Run, host: Host) {
    const scope = scopeOf(host);
    const { Key: key } = JSON.parse(event).Meta;
    await handle(
      { id: JSON.parse(context).EventID, key },
      {
        get: async (asked) => JSON.parse((await host.call("getKeyData", [asked, "demo"], scope)) ?? "").alias,
        set: async (asked, alias) =>
          void (await host.call("setKeyData", [asked, JSON.stringify({ alias }), "1"], scope)),
      },
    );
    return { ok: true, ms: 1 } as const;
  }
  const runtime = scriptedRuntime(run, workers);
  const handlers = { KeyExpired: [{ name: "handle", path: "handle.js" }] };
  const api = { api_id: "demo", org_id: "o", name: "Demo", handlers };
  const release = openRelease("v1", { format: 1, apis: [api], scripts: [] });
  return createConsumer({
    store: table.store,
    live: { at: async () => ({ release, runtime }), close: async () => {} },
    ...consumerDeps(),
    timeoutMs: 100,
  });
}

describe("events of a batch that run at the same time", () => {
  test("are really under way together, and each is committed", async () => {
    const table = createTable({ a: "", b: "", c: "" });
    const together = Promise.withResolvers<void>();
    let here = 0;
    const consume = setUp(table, 3, async ({ key }, { get, set }) => {
      await get(key);
      here += 1;
      if (here === 3) together.resolve();
      await together.promise;
      await set(key, "met");
    });
    const batch = ["a", "b", "c"].map((key) => message(`e-${key}`, { key: key }));
    assert.deepEqual(await consume(batch, () => 60_000), []);
    for (const key of ["a", "b", "c"]) assert.equal(table.alias(key), "met", key);
  });

  test("keep their order where they name the same key", async () => {
    const table = createTable({ a: "first", b: "first" });
    const consume = setUp(table, 4, async ({ id, key }, { get, set }) => {
      await set(key, `${await get(key)} ${id}`);
    });
    const batch = [1, 2, 3, 4, 5, 6].map((nth) => message(`e${nth}`, { key: nth % 2 ? "a" : "b" }));
    assert.deepEqual(await consume(batch, () => 60_000), []);
    assert.equal(table.alias("a"), "first e1 e3 e5");
    assert.equal(table.alias("b"), "first e2 e4 e6");
  });

  test("lose no write to a session that all of them change although none of them names it", async () => {
    const table = createTable({ shared: "o" });
    let runs = 0;
    const consume = setUp(table, 4, async (_event, { get, set }) => {
      runs += 1;
      const alias = await get("shared");
      await new Promise(setImmediate);
      await set("shared", `${alias}x`);
    });
    const batch = Array.from({ length: 12 }, (_, nth) => message(`e${nth}`, { key: `key-${nth}` }));
    assert.deepEqual(await consume(batch, () => 60_000), []);
    assert.equal(table.alias("shared"), `o${"x".repeat(12)}`);
    assert.equal(table.ledger.size, 12);
    assert.ok(runs > 12, "some ran again");
    assert.equal(new Set(table.reads).size, 1);
  });

  test("run again when what they read was changed by one that finished first", async () => {
    const table = createTable({ limit: "old", a: "" });
    const read = Promise.withResolvers<void>();
    const changed = Promise.withResolvers<void>();
    let reader = 0;
    const consume = setUp(table, 2, async ({ key }, { get, set }) => {
      if (key === "limit") {
        await read.promise;
        await set("limit", "new");
        // Accepted once this handler is over: the reader goes on after that.
        setImmediate(() => setImmediate(changed.resolve));
        return;
      }
      const limit = await get("limit");
      reader += 1;
      read.resolve();
      await changed.promise;
      await set(key, limit);
    });
    assert.deepEqual(
      await consume([message("e1", { key: "a" }), message("e2", { key: "limit" })], () => 60_000),
      [],
    );
    assert.equal(reader, 2);
    assert.equal(table.alias("a"), "new");
  });

  test("are returned to the queue when no time is left for them, also in the middle of a lane", async () => {
    const table = createTable({});
    let left = 60_000;
    const ran: string[] = [];
    const consume = setUp(table, 2, async ({ id }) => {
      ran.push(id);
      if (ran.length === 2) left = 0;
    });
    const batch = ["a", "b", "a", "b"].map((key, nth) => message(`e${nth}`, { key: key }));
    const failed = await consume(batch, () => left);
    assert.deepEqual(ran.sort(), ["e0", "e1"]);
    assert.deepEqual(failed, ["m-e2", "m-e3"]);
  });
});

describe("a unit of work of several runs at once", () => {
  const blank = (eventIds: string[]) => ({
    liveVersion: "v1",
    ledger: new Map(eventIds.map((id) => [id, { version: 0, done: [] }])),
    sessions: new Map<string, StoredSession>(),
  });

  test("reads a session once, though two ask for it at the same time", async () => {
    const table = createTable({ a: "one" });
    const unit = createUnitOfWork(blank(["e1", "e2"]), table.store);
    const [first, second] = [unit.startRun(), unit.startRun()];
    assert.deepEqual(await Promise.all([first.read("a"), second.read("a")]), [
      { alias: "one" },
      { alias: "one" },
    ]);
    assert.deepEqual(table.reads, ["a"]);
  });

  test("takes the first of two that write the same session, and has the other run again", async () => {
    const table = createTable({ a: "one" });
    const unit = createUnitOfWork(blank(["e1", "e2"]), table.store);
    const [first, second] = [unit.startRun(), unit.startRun()];
    await Promise.all([
      first.write("a", { session: { alias: "two" } }),
      second.write("a", { session: { alias: "three" } }),
    ]);
    assert.deepEqual(await Promise.all([unit.accept(first, "e1", "h"), unit.accept(second, "e2", "h")]), [
      true,
      false,
    ]);
    const { committed, conflicted } = await unit.commit();
    assert.deepEqual([[...committed], [...conflicted]], [["e1"], ["e2"]]);
    assert.equal(table.alias("a"), "two");
    assert.deepEqual([...table.ledger.keys()], ["e1"]);
  });
});

test("a batch starts nothing more after an outage, and is over when all has come to rest", async () => {
  const table = createTable({});
  const started: string[] = [];
  const open = Promise.withResolvers<void>();
  table.store.readSession = async () => {
    throw new AppError("dependency-failed", "the table is away");
  };
  const consume = setUp(table, 2, async ({ id, key }, { get }) => {
    started.push(id);
    if (key === "b") await get("else").catch(() => {});
    else await open.promise;
  });
  const batch = ["a", "b", "a", "b", "c"].map((key, nth) => message(`e${nth}`, { key }));
  const consuming = consume(batch, () => 60_000);
  await new Promise((resolve) => setTimeout(resolve, 20));
  open.resolve();
  assert.deepEqual(await consuming, ["m-e1", "m-e2", "m-e3", "m-e4"]);
  assert.deepEqual(started, ["e0", "e1"]);
});
