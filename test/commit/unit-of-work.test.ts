import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { EntryWrite, PutResult, SessionWrite, Write } from "../../lib/commit/commit.ts";
import { type BatchRead, COMMIT_ACTIONS } from "../../lib/commit/store.ts";
import { createUnitOfWork, type RunBuffer, type UnitOfWork } from "../../lib/commit/unit-of-work.ts";
import { AppError } from "../../lib/errors.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { createMemoryTable } from "../helpers/memory-table.ts";

/** https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html */
const COMMIT_BYTES = 4 * 1024 * 1024;

/** A table in memory that takes what DynamoDB would take. */
function createTable(sessions: Record<string, Session> = {}) {
  const inner = createMemoryTable({ sessions, marks: false });
  const table = {
    ...inner,
    async commit(writes: Write[]): Promise<{ conflicts: number[] }> {
      table.meanwhile();
      const bytes = Buffer.byteLength(JSON.stringify(writes));
      const items = writes.map((write) =>
        write.kind === "ledger" ? `l ${write.identity}` : `s ${write.key}`,
      );
      assert.ok(writes.length > 0 && writes.length <= COMMIT_ACTIONS, `${writes.length} actions`);
      assert.ok(bytes <= COMMIT_BYTES, `${bytes} bytes in one transaction`);
      assert.equal(new Set(items).size, items.length, "one action per item");
      return inner.commit(writes);
    },
    async put(writes: (SessionWrite | EntryWrite)[]): Promise<PutResult[]> {
      if (writes.length > 0) table.meanwhile();
      return inner.put(writes);
    },
    /** As the batch's one read: the ledger of its events, and the sessions that were asked for. */
    read(eventIds: string[], keys: string[] = []): BatchRead {
      const none = { session: undefined, version: 0 };
      return {
        liveVersion: "v1",
        ledger: new Map(eventIds.map((id) => [id, inner.ledger.get(id) ?? { version: 0, done: [] }])),
        sessions: new Map(keys.map((key) => [key, inner.stored.get(key) ?? none])),
      };
    },
  };
  return table;
}

type Work = (buffer: RunBuffer) => Promise<void>;

async function run(unit: UnitOfWork, eventId: string, work: Work, handler = "h"): Promise<void> {
  const buffer = unit.startRun();
  await work(buffer);
  await unit.accept(buffer, eventId, handler);
}

const put =
  (key: string, session: Session): Work =>
  (buffer) =>
    buffer.write(key, { session, bytes: Buffer.byteLength(key + JSON.stringify(session)) });

/** Reads a counter and writes it one higher. */
const count =
  (...keys: string[]): Work =>
  async (buffer) => {
    for (const key of keys) {
      const session = await buffer.read(key);
      await buffer.write(key, { session: { ...session, rate: (session?.rate ?? 0) + 1 } });
    }
  };

const numbers = (length: number) => Array.from({ length }, (_, index) => String(index));
const large = (bytes: number): Session => ({ alias: "x".repeat(bytes) });

describe("a run", () => {
  it("reads its own writes", async () => {
    const table = createTable({ k1: { rate: 1 } });
    const buffer = createUnitOfWork(table.read(["e1"]), table).startRun();
    assert.deepEqual(await buffer.read("k1"), { rate: 1 });
    await buffer.write("k1", { session: { rate: 2 } });
    await buffer.write("new", { session: { rate: 9 } });
    assert.deepEqual(await buffer.read("k1"), { rate: 2 });
    assert.deepEqual(await buffer.read("new"), { rate: 9 });
    assert.deepEqual(table.session("k1"), { rate: 1 }, "nobody else sees them before the commit");
  });

  it("that failed leaves nothing", async () => {
    const table = createTable({ k1: { rate: 1 } });
    const unit = createUnitOfWork(table.read(["e1", "e2"]), table);
    const failed = unit.startRun();
    await failed.write("k1", { session: { rate: 2 } });
    assert.deepEqual(await unit.startRun().read("k1"), { rate: 1 });
    assert.equal(unit.isDone("e1", "h"), false);
    await unit.commit();
    assert.deepEqual(table.commits, []);
  });

  it("sees what earlier runs of the batch wrote", async () => {
    const table = createTable({ k1: { rate: 1 } });
    const unit = createUnitOfWork(table.read(["e1", "e2", "e3"]), table);
    for (const id of ["e1", "e2", "e3"]) await run(unit, id, count("k1"));
    assert.deepEqual(await unit.startRun().read("k1"), { rate: 4 });
    await unit.commit();
    assert.deepEqual(table.session("k1"), { rate: 4 });
  });

  it("reads each session from the table once, and not at all when the batch's read brought it", async () => {
    const table = createTable({ k1: { rate: 1 }, k2: { rate: 1 } });
    const unit = createUnitOfWork(table.read(["e1", "e2"], ["k1", "none"]), table);
    for (const id of ["e1", "e2"]) await run(unit, id, count("k1", "k2", "none"));
    assert.deepEqual(table.reads, ["k2"]);
  });
});

describe("a commit", () => {
  it("puts each session once, with what it came to be, and each event's ledger entry", async () => {
    const table = createTable({ k1: { rate: 1 } });
    const unit = createUnitOfWork(table.read(["e1", "e2"]), table);
    await run(unit, "e1", count("k1"), "first");
    await run(unit, "e1", count("k1"), "second");
    await run(unit, "e2", count("k1"), "first");
    await unit.commit();
    assert.deepEqual(table.commits, [
      [
        { kind: "session", key: "k1", session: { rate: 4 }, version: 1 },
        {
          kind: "ledger",
          identity: "e1",
          done: ["first", "second"],
          attempts: 0,
          digest: undefined,
          version: 0,
        },
        { kind: "ledger", identity: "e2", done: ["first"], attempts: 0, digest: undefined, version: 0 },
      ],
    ]);
    assert.equal((await unit.commit()).conflicted.size, 0);
  });

  it("adds to what the ledger has of an event already", async () => {
    const table = createTable();
    table.ledger.set("e1", { version: 3, done: ["first"], attempts: 0 });
    const unit = createUnitOfWork(table.read(["e1"]), table);
    await run(unit, "e1", async () => {}, "second");
    await unit.commit();
    assert.deepEqual(table.ledger.get("e1"), { version: 4, done: ["first", "second"], attempts: 0 });
  });

  it("does not put what was only read", async () => {
    const table = createTable({ k1: { rate: 1 } });
    const unit = createUnitOfWork(table.read(["e1"], ["k1"]), table);
    await run(unit, "e1", async (buffer) => void (await buffer.read("k1")));
    await unit.commit();
    assert.deepEqual(
      table.commits.flat().map(({ kind }) => kind),
      ["ledger"],
    );
  });

  it("puts a session that was written blindly on condition of its version too", async () => {
    const table = createTable({ k1: { rate: 1 } });
    table.change("k1", { rate: 2 });
    const unit = createUnitOfWork(table.read(["e1"]), table);
    await run(unit, "e1", async (buffer) => {
      await buffer.write("k1", { session: { rate: 7 } });
      await buffer.write("new", { session: { rate: 8 } });
    });
    await unit.commit();
    assert.deepEqual(
      table.commits.flat().filter(({ kind }) => kind === "session"),
      [
        { kind: "session", key: "k1", session: { rate: 7 }, version: 2 },
        { kind: "session", key: "new", session: { rate: 8 }, version: 0 },
      ],
    );
  });

  it("of nothing asks nothing of the table", async () => {
    const table = createTable();
    await createUnitOfWork(table.read(["e1"]), table).commit();
    assert.deepEqual(table.commits, []);
  });

  it("can be followed by more work, on the versions that it made", async () => {
    const table = createTable({ k1: { rate: 1 } });
    const unit = createUnitOfWork(table.read(["e1", "e2"]), table);
    await run(unit, "e1", count("k1"), "first");
    await unit.commit();
    await run(unit, "e1", count("k1"), "second");
    await run(unit, "e2", count("k1"));
    await unit.commit();
    assert.deepEqual(table.stored.get("k1"), { session: { rate: 4 }, version: 3 });
    assert.deepEqual(table.ledger.get("e1"), { version: 2, done: ["first", "second"], attempts: 0 });
    assert.equal((await unit.commit()).conflicted.size, 0);
  });

  it("of which nobody knows whether it became true is passed on as an error", async () => {
    const table = createTable();
    const failing = { ...(await table), commit: () => Promise.reject(new Error("connection lost")) };
    const unit = createUnitOfWork(table.read(["e1"]), failing);
    await run(unit, "e1", put("k1", { rate: 1 }));
    await assert.rejects(unit.commit(), /connection lost/);
  });
});

describe("events that wrote no session", () => {
  const look =
    (key: string): Work =>
    async (buffer) =>
      void (await buffer.read(key));
  const idsOf = (commits: Write[][]) =>
    commits.map((writes) => writes.map((write) => (write.kind === "ledger" ? write.identity : write.key)));
  /** Of the entries of these events the table says this. */
  const refusing = (table: ReturnType<typeof createTable>, refused: Record<string, Error>) => ({
    ...table,
    tried: [] as Write[][],
    async commit(writes: Write[]) {
      this.tried.push(writes);
      for (const write of writes) {
        const error = write.kind === "ledger" ? refused[write.identity] : undefined;
        if (error) throw error;
      }
      return table.commit(writes);
    },
    async put(writes: (SessionWrite | EntryWrite)[]): Promise<PutResult[]> {
      const results = writes.map(async (write): Promise<PutResult[]> => {
        this.tried.push([write]);
        const thrown = write.kind === "ledger" ? refused[write.identity] : undefined;
        return thrown ? [{ is: "failed", thrown }] : table.put([write]);
      });
      return (await Promise.all(results)).flat();
    },
  });
  const BATCH = ["looks", "counts", "is idle", "counts too"];
  async function runBatch(unit: UnitOfWork): Promise<void> {
    await run(unit, "looks", look("other"));
    await run(unit, "counts", count("k1"));
    await run(unit, "is idle", async () => {});
    await run(unit, "counts too", count("k2"));
  }

  it("commit each by its entry alone, those that did in one transaction", async () => {
    const table = createTable();
    const unit = createUnitOfWork(table.read(BATCH), table);
    await runBatch(unit);
    await unit.commit();
    assert.deepEqual(idsOf(table.commits), [["k1", "counts", "k2", "counts too"], ["looks"], ["is idle"]]);
  });

  it("commit with the event whose session they read, and with those before them in their group", async () => {
    const table = createTable();
    const ids = ["counts", "looks", "first", "second", "alone"];
    const unit = createUnitOfWork(table.read(ids), table, { fifoGroups: [["first", "second"]] });
    await run(unit, "counts", count("k1"));
    await run(unit, "looks", look("k1"));
    for (const id of ["first", "second", "alone"]) await run(unit, id, async () => {});
    await unit.commit();
    assert.deepEqual(idsOf(table.commits), [["k1", "counts", "looks", "first", "second"], ["alone"]]);
  });

  it("fall alone when somebody else has changed their entry, and alone hold when the others fall", async () => {
    for (const [changed, fallen] of [
      ["looks", ["looks"]],
      ["counts", ["counts"]],
    ] as const) {
      const table = createTable();
      const unit = createUnitOfWork(table.read(BATCH), table);
      await runBatch(unit);
      table.ledger.set(changed, { version: 7, done: [] });
      const { conflicted, committed } = await unit.commit();
      assert.deepEqual([...conflicted], fallen);
      const others = BATCH.filter((id) => id !== changed);
      assert.deepEqual([...committed], others);
      for (const id of others) assert.deepEqual(table.ledger.get(id)?.done, ["h"], id);
    }
  });

  it("are refused alone, and are not put again when the transaction is refused", async () => {
    for (const refused of ["looks", "counts"]) {
      const table = createTable();
      const store = refusing(table, { [refused]: new AppError("commit-impossible", "no") });
      const unit = createUnitOfWork(table.read(BATCH), store);
      await runBatch(unit);
      const { rejected, conflicted } = await unit.commit();
      assert.deepEqual([[...rejected.keys()], [...conflicted]], [[refused], []]);
      for (const id of BATCH)
        assert.deepEqual(table.ledger.get(id)?.done, id === refused ? undefined : ["h"], id);
      const puts = idsOf(store.tried).filter(([id]) => id === "is idle");
      assert.equal(puts.length, 1);
    }
  });

  it("are all tried when one of them meets an outage, and stay done", async () => {
    const table = createTable();
    const store = refusing(table, { looks: new AppError("dependency-failed", "away") });
    const unit = createUnitOfWork(table.read(BATCH), store);
    await runBatch(unit);
    await assert.rejects(unit.commit(), { code: "dependency-failed" });
    assert.deepEqual(table.ledger.get("is idle")?.done, ["h"]);
    assert.deepEqual(table.session("k1"), { rate: 1 });
    assert.equal(table.ledger.get("looks"), undefined);
  });

  it("are followed by more work of the same event, on the version that their entry has then", async () => {
    const table = createTable();
    const unit = createUnitOfWork(table.read(["e1"]), table);
    await run(unit, "e1", async () => {});
    await unit.commit();
    await run(unit, "e1", count("k1"), "second");
    assert.equal((await unit.commit()).conflicted.size, 0);
    assert.deepEqual(table.ledger.get("e1")?.done, ["h", "second"]);
  });
});

describe("a session that somebody else changed meanwhile", () => {
  it("cancels the event that touched it, and the others commit", async () => {
    const table = createTable({ k1: { rate: 1 }, k2: { rate: 1 } });
    const unit = createUnitOfWork(table.read(["e1", "e2"], ["k1", "k2"]), table);
    await run(unit, "e1", count("k1"));
    await run(unit, "e2", count("k2"));
    table.change("k1", { rate: 50 });
    await unit.commit();
    assert.deepEqual([...(await unit.commit()).conflicted], ["e1"]);
    assert.deepEqual([table.session("k1"), table.session("k2")], [{ rate: 50 }, { rate: 2 }]);
    assert.deepEqual([...table.ledger.keys()], ["e2"]);
    assert.deepEqual([unit.isDone("e1", "h"), unit.isDone("e2", "h")], [false, true]);
  });

  it("cancels what was made of it too, however many steps away", async () => {
    const table = createTable(Object.fromEntries(["a", "b", "c", "d"].map((key) => [key, { rate: 1 }])));
    const copy =
      (from: string, to: string): Work =>
      async (buffer) =>
        buffer.write(to, { session: { ...(await buffer.read(from)) } });
    const unit = createUnitOfWork(table.read(["writesA", "copiesB", "copiesC", "alone"]), table);
    await run(unit, "writesA", count("a"));
    await run(unit, "copiesB", copy("a", "b"));
    await run(unit, "copiesC", copy("b", "c"));
    await run(unit, "alone", count("d"));
    table.change("a", { rate: 50 });
    await unit.commit();
    assert.deepEqual([...(await unit.commit()).conflicted].sort(), ["copiesB", "copiesC", "writesA"]);
    assert.deepEqual(
      ["a", "b", "c", "d"].map((key) => table.session(key)?.rate),
      [50, 1, 1, 2],
    );
    assert.deepEqual([...table.ledger.keys()], ["alone"]);
  });

  it("cancels all handlers of an event, whichever of them touched it", async () => {
    const table = createTable({ k1: { rate: 1 }, k2: { rate: 1 } });
    const unit = createUnitOfWork(table.read(["e1"], ["k1", "k2"]), table);
    await run(unit, "e1", count("k1"), "first");
    await run(unit, "e1", count("k2"), "second");
    table.change("k2", { rate: 50 });
    await unit.commit();
    assert.deepEqual([...(await unit.commit()).conflicted], ["e1"]);
    assert.deepEqual([table.session("k1"), table.ledger.size], [{ rate: 1 }, 0]);
  });

  it("does not cancel events that have only read the same unchanged session as the one that fell", async () => {
    const table = createTable({ plan: { rate: 9 }, k1: { rate: 1 }, k2: { rate: 1 } });
    const byPlan =
      (key: string): Work =>
      async (buffer) =>
        buffer.write(key, { session: { rate: (await buffer.read("plan"))?.rate ?? 0 } });
    const unit = createUnitOfWork(table.read(["e1", "e2"], ["plan", "k1", "k2"]), table);
    await run(unit, "e1", byPlan("k1"));
    await run(unit, "e2", byPlan("k2"));
    table.change("k1", { rate: 50 });
    await unit.commit();
    assert.deepEqual([...(await unit.commit()).conflicted], ["e1"]);
    assert.deepEqual(table.session("k2"), { rate: 9 });
  });

  it("cancels a blind write, so that it does not undo what it did not see", async () => {
    const table = createTable({ k1: { rate: 1 } });
    const unit = createUnitOfWork(table.read(["e1", "e2"]), table);
    await run(unit, "e1", put("k1", { rate: 7 }));
    await run(unit, "e2", put("new", { rate: 7 }));
    table.change("k1", { rate: 50 });
    table.change("new", { rate: 51 });
    await unit.commit();
    assert.deepEqual([...(await unit.commit()).conflicted].sort(), ["e1", "e2"]);
    assert.deepEqual([table.session("k1"), table.session("new")], [{ rate: 50 }, { rate: 51 }]);
  });

  it("is read afresh by later runs", async () => {
    const table = createTable({ k1: { rate: 1 } });
    const unit = createUnitOfWork(table.read(["e1", "e2"], ["k1"]), table);
    await run(unit, "e1", count("k1"));
    table.change("k1", { rate: 50 });
    await unit.commit();
    await run(unit, "e2", count("k1"));
    await unit.commit();
    assert.deepEqual(table.session("k1"), { rate: 51 });
    assert.deepEqual([...(await unit.commit()).conflicted], ["e1"]);
  });
});

describe("a ledger entry that somebody else changed meanwhile", () => {
  it("cancels its event with all that it wrote, and the others commit", async () => {
    const table = createTable({ k1: { rate: 1 }, k2: { rate: 1 } });
    const unit = createUnitOfWork(table.read(["e1", "e2", "e3"], ["k1", "k2"]), table);
    await run(unit, "e1", count("k1"));
    await run(unit, "e2", count("k2"));
    await run(unit, "e3", count("k1"));
    table.ledger.set("e1", { version: 1, done: ["h"], attempts: 0 });
    await unit.commit();
    assert.deepEqual([...(await unit.commit()).conflicted].sort(), ["e1", "e3"]);
    assert.deepEqual([table.session("k1"), table.session("k2")], [{ rate: 1 }, { rate: 2 }]);
    assert.deepEqual(table.ledger.get("e1"), { version: 1, done: ["h"], attempts: 0 });
  });
});

describe("runs at the same time", () => {
  it("that ask for the same session get one and the same, so that none undoes the other's write", async () => {
    const table = createTable({ k1: { rate: 1 } });
    const { promise: hold, resolve: release } = Promise.withResolvers<void>();
    const slow = {
      ...(await table),
      async readSession(key: string) {
        const stored = await table.readSession(key);
        await hold;
        return stored;
      },
    };
    const unit = createUnitOfWork(table.read(["e1", "e2"]), slow);
    // A run that is ended at its deadline while it waits for the table.
    const late = unit.startRun().read("k1");
    const other = run(unit, "e2", count("k1"));
    release();
    await Promise.all([late, other]);
    await unit.commit();
    assert.deepEqual(table.session("k1"), { rate: 2 });
    assert.deepEqual(table.ledger.get("e2"), { version: 1, done: ["h"], attempts: 0 });
  });

  it("that changed the same session do not both count: one must be run again", async () => {
    const table = createTable({ k1: { rate: 1 }, k2: { rate: 1 } });
    const unit = createUnitOfWork(table.read(["e1", "e2", "e3"], ["k1", "k2"]), table);
    const buffers = [unit.startRun(), unit.startRun(), unit.startRun()] as const;
    await count("k1")(buffers[0]);
    await count("k1")(buffers[1]);
    await count("k2")(buffers[2]);
    await Promise.all(buffers.map((buffer, index) => unit.accept(buffer, `e${index + 1}`, "h")));
    await unit.commit();
    assert.deepEqual([table.session("k1"), table.session("k2")], [{ rate: 2 }, { rate: 2 }]);
    assert.deepEqual([...(await unit.commit()).conflicted], ["e2"]);
    assert.deepEqual([...table.ledger.keys()], ["e1", "e3"]);
  });

  it("do not count on what was read before another's write, even when they only read it", async () => {
    const table = createTable({ plan: { rate: 1 }, k1: { rate: 0 } });
    const unit = createUnitOfWork(table.read(["e1", "e2"]), table);
    const reader = unit.startRun();
    await reader.write("k1", { session: { rate: (await reader.read("plan"))?.rate ?? 0 } });
    await run(unit, "e1", put("plan", { rate: 2 }));
    await unit.accept(reader, "e2", "h");
    await unit.commit();
    assert.deepEqual([...(await unit.commit()).conflicted], ["e2"]);
    assert.deepEqual([table.session("plan"), table.session("k1")], [{ rate: 2 }, { rate: 0 }]);
  });

  it("are not lost when they are accepted while a transaction is under way", async () => {
    const table = createTable({ k1: { rate: 1 } });
    const { promise: hold, resolve: release } = Promise.withResolvers<void>();
    const slow = {
      ...(await table),
      async commit(writes: Write[]) {
        await hold;
        return table.commit(writes);
      },
    };
    const unit = createUnitOfWork(table.read(["e1", "e2"]), slow);
    await run(unit, "e1", count("k1"));
    const first = unit.commit();
    const second = run(unit, "e2", count("k1"));
    release();
    await Promise.all([first, second]);
    await unit.commit();
    assert.deepEqual(table.stored.get("k1"), { session: { rate: 3 }, version: 3 });
    assert.deepEqual([...table.ledger.keys()], ["e1", "e2"]);
  });
});

describe("what does not fit into one transaction", () => {
  it("is committed in several, each event's sessions together with its ledger entry", async () => {
    const ids = numbers(150);
    const table = createTable();
    const unit = createUnitOfWork(table.read(ids), table);
    for (const id of ids) await run(unit, id, put(`k${id}`, { alias: id }));
    await unit.commit();
    assert.ok(table.commits.length >= 3 && table.commits.length <= 5, `${table.commits.length} commits`);
    for (const writes of table.commits) {
      const sessions = writes.flatMap((write) => (write.kind === "session" ? [write.key] : []));
      const events = writes.flatMap((write) => (write.kind === "ledger" ? [`k${write.identity}`] : []));
      assert.deepEqual(sessions.sort(), events.sort());
    }
    assert.equal((await unit.commit()).conflicted.size, 0);
    for (const id of ids) {
      assert.deepEqual(table.session(`k${id}`), { alias: id });
      assert.equal(unit.isDone(id, "h"), true);
    }
  });

  it("is right at the end when all of it is about one session", async () => {
    const ids = numbers(350);
    const table = createTable({ k1: { rate: 0 } });
    const unit = createUnitOfWork(table.read(ids), table);
    for (const id of ids) await run(unit, id, count("k1"));
    await unit.commit();
    assert.deepEqual(table.session("k1"), { rate: 350 });
    assert.equal(table.ledger.size, 350);
  });

  it("is committed in several when it is too large for one, too", async () => {
    const ids = numbers(15);
    const table = createTable();
    const unit = createUnitOfWork(table.read(ids), table);
    for (const id of ids) await run(unit, id, put(`k${id}`, large(370 * 1024)));
    await unit.commit();
    assert.equal(table.ledger.size, ids.length);
    assert.equal(table.stored.size, ids.length);
  });

  it("takes a run with as many sessions as one transaction has room for", async () => {
    const table = createTable();
    const unit = createUnitOfWork(table.read(["e1", "e2"]), table);
    await run(unit, "e1", put("before", {}));
    await run(unit, "e2", async (buffer) => {
      for (const id of numbers(COMMIT_ACTIONS - 1)) await buffer.write(`k${id}`, { session: { alias: id } });
    });
    await unit.commit();
    assert.deepEqual(
      table.commits.map(({ length }) => length),
      [2, 100],
    );
  });

  it("is refused when it is one run, with nothing written", async () => {
    const tooMuch: [string, Work][] = [
      [
        "150 sessions",
        async (buffer) => {
          for (const id of numbers(150)) await buffer.write(`k${id}`, { session: { alias: id } });
        },
      ],
      [
        "more bytes than a transaction",
        async (buffer) => {
          for (const id of numbers(12))
            await buffer.write(`k${id}`, { session: large(370 * 1024), bytes: 370 * 1024 });
        },
      ],
    ];
    for (const [what, work] of tooMuch) {
      const table = createTable();
      const unit = createUnitOfWork(table.read(["e1", "e2"]), table);
      await assert.rejects(run(unit, "e1", work), { name: "AppError", code: "commit-impossible" }, what);
      await run(unit, "e2", put("good", { rate: 1 }));
      await unit.commit();
      assert.deepEqual([...table.stored.keys()], ["good"], what);
      assert.deepEqual([...table.ledger.keys()], ["e2"], what);
      assert.equal(unit.isDone("e1", "h"), false, what);
    }
  });

  it("loses the run in progress too, when what it read falls in the commit before it", async () => {
    const table = createTable({ k1: { rate: 1 } });
    const ids = numbers(60);
    const unit = createUnitOfWork(table.read([...ids, "first", "last"], ["k1"]), table);
    await run(unit, "first", count("k1"));
    for (const id of ids.slice(0, 48)) await run(unit, id, put(`k-${id}`, { alias: id }));
    assert.equal(table.commits.length, 0);
    table.meanwhile = () => {
      table.meanwhile = () => {};
      table.change("k1", { rate: 50 });
    };
    await run(unit, "last", async (buffer) => {
      const seen = await buffer.read("k1");
      for (const id of numbers(10)) await buffer.write(`copy-${id}`, { session: { ...seen } });
    });
    await unit.commit();
    assert.deepEqual([...(await unit.commit()).conflicted].sort(), ["first", "last"]);
    assert.deepEqual(table.session("k1"), { rate: 50 });
    assert.equal(table.session("copy-0"), undefined);
    assert.equal(table.ledger.size, 48);
  });
});

describe("an event's handler", () => {
  it("is done when the ledger says so, and once its run was accepted", async () => {
    const table = createTable();
    table.ledger.set("e1", { version: 1, done: ["first"], attempts: 0 });
    const unit = createUnitOfWork(table.read(["e1", "e2"]), table);
    assert.deepEqual([unit.isDone("e1", "first"), unit.isDone("e1", "second")], [true, false]);
    assert.equal(unit.isDone("e2", "first"), false);
    await run(unit, "e1", async () => {}, "second");
    assert.equal(unit.isDone("e1", "second"), true);
    await unit.commit();
    assert.deepEqual([unit.isDone("e1", "first"), unit.isDone("e1", "second")], [true, true]);
  });

  it("of an event that is not in the batch cannot be asked for", () => {
    const table = createTable();
    assert.throws(() => createUnitOfWork(table.read(["e1"]), table).isDone("other", "h"), /other/);
  });
});

describe("for whatever batch", () => {
  it("every event counts exactly once, whatever others write between its runs", async () => {
    const key = fc.constantFrom("a", "b", "c", "d", "e");
    const batch = fc.array(fc.uniqueArray(key, { minLength: 1, maxLength: 3 }), {
      minLength: 1,
      maxLength: 12,
    });
    const others = fc.array(fc.option(key), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(batch, others, async (touched, foreign) => {
        const table = createTable();
        const expected = new Map<string, number>();
        const add = (name: string) => expected.set(name, (expected.get(name) ?? 0) + 1);
        const queue = [...foreign];
        table.meanwhile = () => {
          const name = queue.shift();
          if (!name) return;
          add(name);
          table.change(name, { rate: (table.session(name)?.rate ?? 0) + 1 });
        };
        for (const keys of touched) keys.forEach(add);
        let todo = touched.map((keys, index) => ({ id: `e${index}`, keys }));
        for (let pass = 0; todo.length > 0; pass += 1) {
          assert.ok(pass <= foreign.length, "each change of another costs one more pass at most");
          const unit = createUnitOfWork(table.read(todo.map(({ id }) => id)), table);
          for (const { id, keys } of todo) await run(unit, id, count(...keys));
          const { conflicted } = await unit.commit();
          todo = todo.filter(({ id }) => conflicted.has(id));
        }
        for (const [name, rate] of expected) assert.equal(table.session(name)?.rate, rate, name);
        assert.equal(table.ledger.size, touched.length);
      }),
    );
  });

  it("an attempt that is counted while a commit is under way is written by the next", async () => {
    const table = createTable();
    const sent = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const slow = {
      ...(await table),
      async commit(writes: Write[]) {
        sent.resolve();
        await goOn.promise;
        return table.commit(writes);
      },
    };
    const unit = createUnitOfWork(table.read(["e1"]), slow);
    await run(unit, "e1", count("k1"));
    const committing = unit.commit();
    await sent.promise;
    unit.setAttempts("e1", 1);
    unit.dismiss("e1", "other");
    goOn.resolve();
    await committing;
    await unit.commit();
    const { attempts, done } = table.ledger.get("e1") ?? {};
    assert.deepEqual([attempts, done], [1, ["h", "other"]]);
  });

  it("every event counts exactly once, in whatever order the steps of its runs fall", async () => {
    const key = fc.constantFrom("a", "b", "c");
    const batch = fc.array(fc.uniqueArray(key, { minLength: 1, maxLength: 2 }), {
      minLength: 2,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(batch, fc.scheduler(), async (touched, scheduler) => {
        const table = createTable();
        const slow = {
          ...(await table),
          readSession: scheduler.scheduleFunction(table.readSession),
          commit: scheduler.scheduleFunction(table.commit),
          put: scheduler.scheduleFunction(table.put),
        };
        const events = touched.map((keys, index) => ({ id: `e${index}`, keys }));
        const unit = createUnitOfWork(table.read(events.map(({ id }) => id)), slow);
        const pause = scheduler.scheduleFunction(async () => {});
        const runs = events.map(async ({ id, keys }) => {
          await pause();
          await run(unit, id, count(...keys));
        });
        runs.push(pause().then(async () => void (await unit.commit())));
        await scheduler.waitFor(Promise.all(runs));
        const { conflicted } = await scheduler.waitFor(unit.commit());
        // What fell is run again, one after the other.
        const left = events.filter(({ id }) => conflicted.has(id));
        const again = createUnitOfWork(table.read(left.map(({ id }) => id)), table);
        for (const { id, keys } of left) {
          if (!again.isDone(id, "h")) await run(again, id, count(...keys));
        }
        assert.equal((await again.commit()).conflicted.size, 0);
        assert.equal(table.ledger.size, events.length);
        for (const name of ["a", "b", "c"] as const) {
          const expected = touched.filter((keys) => keys.includes(name)).length;
          assert.equal(table.session(name)?.rate ?? 0, expected, name);
        }
      }),
    );
  });
});
