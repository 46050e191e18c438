import assert from "node:assert/strict";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import fc from "fast-check";
import { messageText } from "../../lib/events/message.ts";
import { lineOf, readLine } from "../../lib/publisher/record.ts";
import { openSpool, type Spool } from "../../lib/publisher/spool.ts";
import { NO_LOG } from "../helpers/no-log.ts";

const bodyOf = (id: string, more = "") =>
  messageText({ id, api_id: "demo", event: { Type: "T", Meta: { more }, TimeStamp: "" } });

describe("a spool", () => {
  let folder: string;
  let spools: Spool[];
  let told: string[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "gatehook-spool-"));
    spools = [];
    told = [];
  });
  afterEach(async () => {
    await Promise.all(spools.map((spool) => spool.close()));
    rmSync(folder, { recursive: true });
  });

  async function opened({ maxBytes = 1_000_000, now = () => 1_000 } = {}): Promise<Spool> {
    const tell = (message: string) => void told.push(message);
    const spool = await openSpool({ folder, maxBytes, now, log: { info: tell, warn: tell, error: tell } });
    spools.push(spool);
    return spool;
  }

  /** Closes what is open, as a process does that ends. */
  async function ended(): Promise<void> {
    await Promise.all(spools.splice(0).map((spool) => spool.close()));
  }

  const idsOf = async (spool: Spool, most = 100) =>
    (await spool.peek(most)).map(({ message }) => message.envelope.id);

  async function takeOff(spool: Spool, count: number): Promise<void> {
    const last = (await spool.peek(count)).at(-1);
    if (last) await spool.takeOff(last);
  }

  const segments = () => readdirSync(folder).filter((name) => name.endsWith(".log"));
  const segment = (at: number) => join(folder, segments().at(at) ?? "");
  const lines = (name: string) =>
    readFileSync(join(folder, name), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, string>);

  it("has what was appended, in order, and after a restart what was not taken off", async () => {
    const first = await opened();
    await first.append([bodyOf("a"), bodyOf("b")]);
    await Promise.all(["c", "d", "e"].map((id) => first.append([bodyOf(id)])));
    assert.deepEqual(await idsOf(first, 2), ["a", "b"]);
    await takeOff(first, 2);
    assert.deepEqual([await idsOf(first), first.state().events], [["c", "d", "e"], 3]);
    await ended();
    const second = await opened();
    assert.equal(second.state().events, 3);
    await second.append([bodyOf("f")]);
    assert.deepEqual(await idsOf(second), ["c", "d", "e", "f"]);
    await takeOff(second, 4);
    await ended();
    const third = await opened();
    assert.deepEqual([await idsOf(third), third.state().events, third.state().bytes], [[], 0, 0]);
  });

  it("keeps a body to the byte", async () => {
    const spool = await opened();
    const body = bodyOf("\u{1f600}\u2028é\ufffe", "\n\r\0\\ \ud800");
    await spool.append([body]);
    assert.equal((await spool.peek(1))[0]?.message.body, body);
  });

  it("accepts an event when it is on the disk, and its folder too, and not before", async () => {
    const probe = await open(join(folder, "probe"), "w");
    const prototype = Object.getPrototypeOf(probe) as FileHandle;
    await probe.close();
    const { datasync, sync } = prototype;
    const gate = Promise.withResolvers<void>();
    const done: string[] = [];
    try {
      const spool = await opened();
      prototype.sync = async function (this: FileHandle) {
        await sync.call(this);
        done.push("folder");
      };
      const waiting = Promise.withResolvers<void>();
      prototype.datasync = async function (this: FileHandle) {
        waiting.resolve();
        await gate.promise;
        await datasync.call(this);
        done.push("file");
      };
      const first = spool.append([bodyOf("a")]).then(() => done.push("first"));
      await waiting.promise;
      // These come meanwhile, and are written together.
      const others = ["b", "c", "d"].map((id) => spool.append([bodyOf(id)]).then(() => done.push(id)));
      assert.deepEqual([done, await idsOf(spool), spool.state().events], [["folder"], [], 0]);
      gate.resolve();
      await Promise.all([first, ...others]);
      assert.deepEqual(done, ["folder", "file", "first", "file", "b", "c", "d"]);
    } finally {
      Object.assign(prototype, { datasync, sync });
    }
  });

  it("is on the disk itself, with the folders that are made for it", async () => {
    const probe = await open(join(folder, "probe"), "w");
    const prototype = Object.getPrototypeOf(probe) as FileHandle;
    await probe.close();
    const { sync } = prototype;
    const synced: number[] = [];
    prototype.sync = async function (this: FileHandle) {
      synced.push((await this.stat()).ino);
      await sync.call(this);
    };
    const root = folder;
    try {
      folder = relative(".", join(root, "a", "b"));
      await opened();
    } finally {
      prototype.sync = sync;
      folder = root;
    }
    const folders = ["a", "", "a/b"].map((path) => statSync(join(root, path)).ino);
    assert.deepEqual(synced, folders);
  });

  it("leaves what a dead process did not write to its end", async () => {
    for (const cut of [1, 5, 20, lineOf(1_000, bodyOf("torn")).length - 1]) {
      const spool = await opened();
      await spool.append([bodyOf("whole")]);
      await ended();
      appendFileSync(segment(-1), lineOf(1_000, bodyOf("torn")).slice(0, -cut));
      const again = await opened();
      assert.equal(again.state().events, 1);
      await again.append([bodyOf("next")]);
      assert.deepEqual([await idsOf(again), again.state().damaged], [["whole", "next"], 0]);
      assert.match(lines("damaged.jsonl").at(-1)?.reason ?? "", /not answered with 202/);
      await takeOff(again, 2);
      await ended();
    }
  });

  it("sets a damaged record aside, whatever it is made of, and goes on behind it", async () => {
    const spool = await opened({ maxBytes: 20_000_000 });
    for (const id of ["a", "b", "c"]) await spool.append([bodyOf(id)]);
    await ended();
    const file = segment(0);
    const [a = "", b = "", c = ""] = readFileSync(file, "utf8").split(/(?<=\n)/);
    const huge = "x".repeat(5 * 1024 * 1024);
    for (const [damage, count] of [
      [b.replace("demo", "dem0"), 1],
      [b.slice(3), 1],
      ["\0".repeat(b.length - 1).concat("\n"), 1],
      ["\n", 1],
      [`${b.slice(0, 30)}\n${b.slice(30)}`, 2],
      [`${huge}\n`, 2],
    ] as const) {
      rmSync(join(folder, "damaged.jsonl"), { force: true });
      rmSync(join(folder, "position"));
      writeFileSync(file, a + damage + c);
      const again = await opened({ maxBytes: 20_000_000 });
      assert.deepEqual([await idsOf(again), again.state().damaged], [["a", "c"], count], damage.slice(0, 50));
      assert.equal(again.state().events, 2);
      const kept = lines("damaged.jsonl").map(({ base64 = "" }) => Buffer.from(base64, "base64").toString());
      assert.equal(kept.join("").length, damage.replaceAll("\n", "").length);
      await ended();
    }
    assert.ok(told.some((message) => message.includes("damaged.jsonl")));
  });

  it("is done with a damaged record at its end, too", async () => {
    const spool = await opened();
    await spool.append([bodyOf("a")]);
    await ended();
    writeFileSync(segment(0), "nothing\n");
    const again = await opened();
    assert.deepEqual([await idsOf(again), again.state().events], [[], 0]);
    await ended();
    await opened();
    assert.equal(lines("damaged.jsonl").length, 1);
    assert.deepEqual(segments(), []);
  });

  it("begins with the oldest event where its position is damaged, and never skips one", async () => {
    for (const damage of ["", "x".repeat(64), "00000000 1 10".padEnd(63).concat("\n")]) {
      const spool = await opened();
      await spool.append([bodyOf("a"), bodyOf("b")]);
      await takeOff(spool, 1);
      await ended();
      writeFileSync(join(folder, "position"), damage);
      const again = await opened();
      assert.deepEqual(await idsOf(again), ["a", "b"]);
      await takeOff(again, 2);
      await ended();
    }
  });

  it("never uses the number of a segment again, so that no position is ahead of an event", async () => {
    const spool = await opened();
    await spool.append([bodyOf("a")]);
    await takeOff(spool, 1);
    await ended();
    for (const name of segments()) rmSync(join(folder, name));
    const again = await opened();
    await again.append([bodyOf("b")]);
    assert.deepEqual(await idsOf(again), ["b"]);
  });

  it("goes on where a segment is shorter than the position says", async () => {
    const spool = await opened();
    await spool.append([bodyOf("a"), bodyOf("b")]);
    await takeOff(spool, 1);
    await ended();
    truncateSync(segment(0), 10);
    const again = await opened();
    await again.append([bodyOf("c")]);
    assert.deepEqual([await idsOf(again), again.state().events], [["c"], 1]);
    assert.ok(again.state().bytes > 0);
  });

  it("takes no more than it may, gives room back as events are taken off, and removes their files", async () => {
    const spool = await opened({ maxBytes: 40_000 });
    const accepted: string[] = [];
    const fill = async () => {
      for (;;) {
        const id = `e${accepted.length}`;
        try {
          await spool.append([bodyOf(id, "x".repeat(900))]);
        } catch (thrown) {
          assert.equal((thrown as { code?: string }).code, "spool-full");
          return;
        }
        accepted.push(id);
      }
    };
    await fill();
    const size = () => readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    assert.ok(size() <= 40_000 + 64 && size() > 38_000, String(size()));
    assert.deepEqual([spool.state().trouble, spool.state().events], ["full", accepted.length]);
    await takeOff(spool, 15);
    assert.equal(spool.state().trouble, undefined);
    const before = accepted.length;
    await fill();
    assert.ok(accepted.length > before, "there is room again");
    assert.deepEqual(await idsOf(spool), accepted.slice(15));
    assert.ok(size() <= 40_000 + 64);
    assert.equal(told.filter((message) => message === "the spool is full").length, 2);
  });

  it("counts what is under way, so that many at the same time cannot overfill it", async () => {
    const spool = await opened({ maxBytes: 10_000 });
    const results = await Promise.allSettled(
      Array.from({ length: 50 }, (_, at) => spool.append([bodyOf(`e${at}`, "x".repeat(900))])),
    );
    const taken = results.filter(({ status }) => status === "fulfilled").length;
    assert.ok(taken === 9 || taken === 10, String(taken));
    assert.equal((await idsOf(spool)).length, taken);
  });

  it("has all its room again when all is taken off, however large the parts were", async () => {
    const spool = await opened({ maxBytes: 20_000 });
    for (let round = 0; round < 3; round += 1) {
      const bodies = Array.from({ length: 18 }, (_, at) => bodyOf(`e${round}-${at}`, "x".repeat(900)));
      await spool.append(bodies);
      await assert.rejects(spool.append(bodies), { code: "spool-full" });
      await takeOff(spool, 18);
    }
  });

  it("accepts nothing that it cannot write, and goes on when it can", async () => {
    const spool = await opened();
    const blocked = join(folder, "000000000001.log");
    mkdirSync(blocked);
    await assert.rejects(spool.append([bodyOf("a")]), { code: "spool-failed" });
    await assert.rejects(spool.append([bodyOf("b")]), { code: "spool-failed" });
    assert.equal(spool.state().trouble, "disk");
    rmdirSync(blocked);
    await spool.append([bodyOf("c")]);
    assert.deepEqual([await idsOf(spool), spool.state().trouble], [["c"], undefined]);
    assert.deepEqual(told, ["the spool cannot be written to", "the spool can be written to again"]);
  });

  it("accepts nothing into a folder that somebody removed", async () => {
    const spool = await opened();
    await spool.append([bodyOf("a")]);
    rmSync(folder, { recursive: true });
    await assert.rejects(spool.append([bodyOf("b")]), { code: "spool-failed" });
    assert.equal(spool.state().trouble, "disk");
    mkdirSync(folder);
  });

  it("takes nothing of what was refused, when a write or its sync fails", async () => {
    const probe = await open(join(folder, "probe"), "w");
    const prototype = Object.getPrototypeOf(probe) as FileHandle;
    await probe.close();
    const spool = await opened();
    await spool.append([bodyOf("a")]);
    const { datasync } = prototype;
    prototype.datasync = () => Promise.reject(new Error("EIO"));
    try {
      await assert.rejects(spool.append([bodyOf("refused")]), { code: "spool-failed" });
    } finally {
      prototype.datasync = datasync;
    }
    await spool.append([bodyOf("b")]);
    assert.deepEqual(await idsOf(spool), ["a", "b"]);
    await ended();
    assert.deepEqual(await idsOf(await opened()), ["a", "b"]);
  });

  it("keeps what the queue never takes, with the reason", async () => {
    const spool = await opened();
    await spool.append([bodyOf("a")]);
    const [entry] = await spool.peek(1);
    assert.ok(entry);
    await spool.setAside(entry, "InvalidMessageContents");
    const at = "1970-01-01T00:00:01.000Z";
    const [line] = lines("refused.jsonl");
    assert.deepEqual(line, {
      at,
      api_id: "demo",
      id: "a",
      reason: "InvalidMessageContents",
      body: bodyOf("a"),
    });
  });

  it("counts what was set aside, until somebody removes it", async () => {
    const spool = await opened({ maxBytes: 5_000 });
    await spool.append([bodyOf("a", "x".repeat(2_000))]);
    const [entry] = await spool.peek(1);
    assert.ok(entry);
    await spool.setAside(entry, "no");
    const more = () => spool.append([bodyOf("b", "x".repeat(900))]);
    await assert.rejects(more, { code: "spool-full" });
    rmSync(join(folder, "refused.jsonl"));
    await more();
    assert.equal(spool.state().trouble, undefined);
  });

  it("is for its user's eyes alone", async () => {
    const spool = await opened();
    await spool.append([bodyOf("a")]);
    const modes = ["position", segments()[0] ?? ""].map((name) => statSync(join(folder, name)).mode & 0o777);
    assert.deepEqual(modes, [0o600, 0o600]);
  });

  it("is of one publisher, and of the next when that one has ended", async () => {
    await opened();
    await assert.rejects(opened(), { code: "spool-locked" });
    await ended();
    await opened();
  });

  it("cannot be a file, or below one", async () => {
    folder = join(folder, "file");
    writeFileSync(folder, "");
    await assert.rejects(opened(), { code: "spool-failed" });
    folder = join(folder, "..");
  });
});

describe("a spool whose file was damaged somewhere", () => {
  it("still has every event that the damage did not touch", async () => {
    const root = mkdtempSync(join(tmpdir(), "gatehook-spool-"));
    const log = NO_LOG;
    const ids = Array.from({ length: 8 }, (_, at) => `e${at}`);
    const lines = ids.map((id) => Buffer.from(lineOf(1_000, bodyOf(id))));
    const whole = Buffer.concat(lines);
    /** The events with a byte in a range of the file, or whose end is beside it. */
    const touched = (from: number, to: number) =>
      ids.filter((_, at) => {
        const start = lines.slice(0, at).reduce((sum, { length }) => sum + length, 0);
        return from < start + (lines[at]?.length ?? 0) && to > start - 1;
      });
    try {
      const damage = fc.record({
        from: fc.nat(whole.length - 1),
        length: fc.nat(400),
        by: fc.uint8Array({ maxLength: 400 }),
      });
      let round = 0;
      await fc.assert(
        fc.asyncProperty(damage, async ({ from, length, by }) => {
          round += 1;
          const folder = join(root, String(round));
          mkdirSync(folder);
          const rest = whole.subarray(from + length);
          writeFileSync(join(folder, "000000000001.log"), Buffer.concat([whole.subarray(0, from), by, rest]));
          const spool = await openSpool({ folder, maxBytes: 1_000_000, now: () => 0, log });
          const entries = await spool.peek(100);
          const found = entries.map(({ message }) => message.envelope.id);
          await spool.append([bodyOf("next")]);
          const next = (await spool.peek(100)).at(-1)?.message.envelope.id;
          const { events } = spool.state();
          await spool.close();
          const gone = touched(from, from + length);
          assert.deepEqual(
            found.filter((id) => !gone.includes(id)),
            ids.filter((id) => !gone.includes(id)),
          );
          assert.deepEqual([next, events], ["next", found.length + 1]);
        }),
        { numRuns: 100 },
      );
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});

describe("a record of the spool", () => {
  it("is read as it was written, and not when a byte of it is another", () => {
    const record = fc.record({
      at: fc.nat(),
      id: fc.string(),
      flip: fc.nat(),
      by: fc.integer({ min: 1, max: 255 }),
    });
    fc.assert(
      fc.property(record, ({ at, id, flip, by }) => {
        const line = Buffer.from(lineOf(at, bodyOf(id)).slice(0, -1));
        assert.equal(line.indexOf(10), -1);
        assert.deepEqual([readLine(line)?.at, readLine(line)?.message.envelope.id], [at, id]);
        const place = flip % line.length;
        line.writeUInt8((line[place] ?? 0) ^ by, place);
        assert.equal(readLine(line), undefined);
      }),
    );
  });
});
