// A history in files: the newest lines are kept, whatever happened to a file, to its folder or to the disk meanwhile.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, describe, it } from "node:test";
import fc from "fast-check";
import { createEventList } from "../../lib/history/event-list.ts";
import { parseFilter } from "../../lib/history/filter.ts";
import { FORMAT, type HistoryLine, lineOf } from "../../lib/history/records.ts";
import { createHistoryReader } from "../../local/history-reader.ts";
import { HISTORY_LIMITS, type HistoryLimits, openHistory } from "../../local/history-writer.ts";

const AT = "2026-12-01T00:00:00.000Z";
const refused = (id: string, error = "no"): HistoryLine => ({
  history: FORMAT,
  refused: { id, api_id: "demo", at: AT, code: "event-invalid", error },
});
const received = (id: string): HistoryLine => ({
  history: FORMAT,
  received: { id, api_id: "demo", type: "T", at: AT },
});
const idOf = (line: HistoryLine) =>
  ("refused" in line ? line.refused : "received" in line ? line.received : line.attempt).id;

describe("a history in files", () => {
  const root = mkdtempSync(join(tmpdir(), "gatehook-"));
  let folder = "";
  let nth = 0;
  beforeEach(() => {
    nth += 1;
    folder = join(root, `${nth}`, "history");
  });
  after(() => rmSync(root, { recursive: true }));

  const ids = async (from = folder) => (await Array.fromAsync(createHistoryReader(from).read())).map(idOf);
  const failing = (error: unknown) => assert.fail(String(error));
  const write = (
    lines: HistoryLine[],
    limits: Partial<HistoryLimits> = {},
    onTrouble = failing as (error: unknown) => void,
  ) => {
    const writer = openHistory(folder, { ...HISTORY_LIMITS, ...limits }, onTrouble);
    for (const line of lines) writer.append(lineOf(line));
    writer.close();
  };

  const attempt = {
    ...{ id: "x", api_id: "demo", n: 1, at: AT, ms: 1, outcome: "done" },
    ...{ event: { Type: "T", Meta: {} }, runs: [{ handler: "h", writes: [] }] },
  };
  /** Adds lines that this version did not write. */
  const plant = (lines: object[]) =>
    appendFileSync(
      join(folder, "00000001.jsonl"),
      lines.map((line) => `${JSON.stringify({ history: FORMAT, ...line })}\n`).join(""),
    );

  it("of somebody else, with lines that are no records, is read without them", async () => {
    write([refused("a")]);
    const members = [
      ...[
        { id: 5 },
        { at: "no" },
        { at: 2026 },
        { sent_at: 2026 },
        { outcome: {} },
        { error: 1 },
        { ms: "1" },
      ],
      ...[null, { Type: "T" }, { Type: "T", Meta: null }, { Meta: {} }].map((event) => ({ event })),
      ...[null, [null], [{ writes: [] }], [{ handler: "h", writes: [null] }]].map((runs) => ({ runs })),
      { runs: [{ handler: "h", writes: [], used: {} }] },
    ];
    const attempts = [null, 1, {}, ...members.map((member) => ({ ...attempt, ...member }))];
    const others = [{ received: { id: null, at: 7 } }, { refused: { at: [] } }, { refused: null }, {}];
    const two = { attempt: null, received: { id: "b", api_id: "demo", type: "T", at: AT } };
    plant([...attempts.map((value) => ({ attempt: value })), ...others, two, { attempt }]);
    assert.deepEqual(await ids(), ["a", "x"]);
  });

  it("of somebody else, with records that are odd, is searched as any", async () => {
    write([received("a")]);
    plant([{ received: { id: "b", api_id: "demo", type: "T", at: AT, handlers: 5, outcome: "none" } }]);
    const deep = JSON.stringify({ history: FORMAT, attempt: { ...attempt, more: "DEEP" } });
    const text = deep.replace('"DEEP"', `${'{"found":['.repeat(20_000)}1${"]}".repeat(20_000)}`);
    appendFileSync(join(folder, "00000001.jsonl"), `${text}\n`);
    const search = async (filter: string) => {
      const list = createEventList(parseFilter(filter, 0));
      for await (const line of createHistoryReader(folder).read()) list.add(line);
      return list.rows().map(({ id }) => id);
    };
    assert.deepEqual(await search("FOUND"), ["x"]);
    assert.deepEqual(await search("handler:h"), ["x"]);
    assert.deepEqual(await search("outcome:queued"), ["a", "b"]);
  });

  it("is read as it was written, in order, start after start, and by others while it is written", async () => {
    const reader = createHistoryReader(folder);
    assert.deepEqual(await Array.fromAsync(reader.read()), []);
    const writer = openHistory(folder, HISTORY_LIMITS, failing);
    writer.append(lineOf(refused("a")));
    assert.deepEqual((await Array.fromAsync(reader.read())).map(idOf), ["a"]);
    assert.deepEqual(await Array.fromAsync(reader.read()), []);
    writer.append(lineOf(refused("b", "\u2028\n")));
    assert.deepEqual((await Array.fromAsync(reader.read())).map(idOf), ["b"]);
    writer.close();
    write([refused("c")]);
    assert.deepEqual((await Array.fromAsync(reader.read())).map(idOf), ["c"]);
    assert.deepEqual(await ids(), ["a", "b", "c"]);
    assert.equal(readdirSync(folder).filter((name) => name.endsWith(".jsonl")).length, 1);
  });

  it("is the user's alone, and in no repository", () => {
    write([refused("a")]);
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    assert.equal(statSync(join(folder, "00000001.jsonl")).mode & 0o777, 0o600);
    assert.equal(readFileSync(join(folder, ".gitignore"), "utf8"), "*\n");
  });

  it("keeps the newest lines: by their number, by their bytes, and over many starts", async () => {
    const all = Array.from({ length: 250 }, (_, at) => String(at));
    for (const id of all) write([received(id), refused(id)], { lines: 100 });
    const kept = [...new Set(await ids())];
    assert.ok(kept.length >= 100 && kept.length <= 110, String(kept.length));
    assert.deepEqual(kept, all.slice(-kept.length));

    folder = `${folder}-bytes`;
    const error = "x".repeat(1_000);
    for (const id of all) write([refused(id, error)], { bytes: 50_000 });
    const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    assert.ok(bytes > 40_000 && bytes < 51_500, String(bytes));
    const left = await ids();
    assert.deepEqual(left, all.slice(-left.length));
  });

  it("loses the line that was cut in the middle, wherever that was, and no other", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.nat({ max: 240 }), fc.constant(lineOf(refused("a")).length)),
        fc.constantFrom("", "\n", "{}\n", "\u0000\n", "null\n"),
        async (left, odd) => {
          nth += 1;
          folder = join(root, `cut-${nth}`);
          write([refused("a"), refused("b")]);
          const file = join(folder, "00000001.jsonl");
          const text = readFileSync(file, "utf8");
          const cut = text.slice(0, Math.min(left, text.length));
          writeFileSync(file, cut);
          if (odd && cut.endsWith("\n")) appendFileSync(file, odd);
          write([refused("c")]);
          // A line that lacks its end alone is whole: the next one ends it.
          const lines = text.split("\n").slice(0, 2);
          const whole = lines.filter((line, at) => cut.split("\n")[at] === line).length;
          assert.deepEqual(await ids(), [...["a", "b"].slice(0, whole), "c"]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("goes on in a new folder when the one that it had was removed", async () => {
    const reader = createHistoryReader(folder);
    const read = async () => (await Array.fromAsync(reader.read())).map(idOf);
    const writer = openHistory(folder, HISTORY_LIMITS, failing);
    writer.append(lineOf(refused("a")));
    assert.deepEqual(await read(), ["a"]);
    rmSync(folder, { recursive: true });
    writer.append(lineOf(refused("b")));
    assert.deepEqual(await ids(), ["b"]);
    assert.deepEqual(await read(), ["b"], "also for a reader that had read the old one");
    writer.append(lineOf(refused("c")));
    writer.close();
    assert.deepEqual(await read(), ["c"]);
  });

  it("says once that nothing can be written, and goes on when it can", async () => {
    const told: unknown[] = [];
    folder = join(root, "file", "history");
    writeFileSync(join(root, "file"), "");
    const writer = openHistory(folder, HISTORY_LIMITS, (error) => void told.push(error));
    for (const id of ["a", "b"]) writer.append(lineOf(refused(id)));
    assert.equal(told.length, 1);
    rmSync(join(root, "file"));
    writer.append(lineOf(refused("c")));
    writer.close();
    assert.equal(told.length, 1);
    assert.deepEqual(await ids(), ["c"]);
  });

  /** The limit of a file's size is what a process can be given without being root; it fails in the middle of a line. */
  it("survives a line of which only a part had room", async () => {
    const modules = ["../../local/history-writer.ts", "../../lib/history/records.ts"].map((path) =>
      JSON.stringify(new URL(path, import.meta.url).href),
    );
    const line = (id: string) => JSON.stringify(lineOf(refused(id, "x".repeat(900))));
    const script = `
      process.on("SIGXFSZ", () => {});
      const { openHistory, HISTORY_LIMITS } = await import(${modules[0]});
      const writer = openHistory(${JSON.stringify(folder)}, HISTORY_LIMITS, ({ code }) => console.log(code));
      for (const line of [${line("a")}, ${line("b")}, ${line("c")}, ${line("x")}]) writer.append(line);
    `;
    // Node's cache of compiled code would be a larger file.
    const env = { ...process.env, NODE_DISABLE_COMPILE_CACHE: "1" };
    const said = execFileSync(
      "bash",
      ["-c", 'ulimit -f 2; exec "$0" --input-type=module -e "$1"', process.execPath, script],
      { env, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] },
    );
    assert.equal(said, "EFBIG\n");
    assert.ok(!readFileSync(join(folder, "00000001.jsonl"), "utf8").endsWith("\n"), "it was cut");
    write([refused("d")]);
    assert.deepEqual(await ids(), ["a", "b", "d"]);
  });
});
