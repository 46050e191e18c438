// A folder that somebody else made may have links among what gatehook keeps there: nothing is written to what they lead to.
import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, describe, it } from "node:test";
import { writeLocalStack } from "../../cli/dev/local-stack.ts";
import type { AttemptRecord } from "../../lib/history/records.ts";
import { openAside } from "../../lib/publisher/aside.ts";
import { lockFolder } from "../../lib/publisher/lock.ts";
import { openPosition } from "../../lib/publisher/position.ts";
import { tokenIn } from "../../local/console/token.ts";
import { openDataFolder } from "../../local/data-folder.ts";
import { HISTORY_LIMITS, openHistory } from "../../local/history-writer.ts";
import { createPins } from "../../local/pins.ts";
import { makeStateFolder } from "../../local/state-folder.ts";

const TEXT = "a file of the user\n";
const ATTEMPT: AttemptRecord = {
  ...{ id: "e1", api_id: "orders", n: 1, at: "2026-12-24T00:00:00.000Z", ms: 1, container: "c" },
  ...{ isolation: "global", outcome: "done", runs: [] },
  event: { Type: "KeyExpired", Meta: {}, TimeStamp: "" },
};
const unexpected = (thrown: unknown) => assert.fail(String(thrown));

describe("a link that was planted in .gatehook", () => {
  const root = mkdtempSync(join(tmpdir(), "gatehook-links-"));
  const own = join(root, "own.txt");
  const state = join(root, ".gatehook");
  const linked = (name: string, to = own) => {
    mkdirSync(state, { recursive: true });
    const file = join(state, name);
    symlinkSync(to, file);
    return file;
  };
  beforeEach(() => {
    rmSync(state, { recursive: true, force: true });
    writeFileSync(own, TEXT);
  });
  after(() => rmSync(root, { recursive: true }));
  const assertUntouched = () => assert.equal(readFileSync(own, "utf8"), TEXT);

  it("in the place of the token is replaced by another token, which is not what it leads to", () => {
    const known = "k".repeat(43);
    const elsewhere = join(root, "known");
    writeFileSync(elsewhere, known);
    const file = linked("token", elsewhere);
    const token = tokenIn(file);
    assert.notEqual(token, known);
    assert.equal(readFileSync(elsewhere, "utf8"), known);
    assert.ok(lstatSync(file).isFile());
    assert.equal(tokenIn(file), token);
  });

  it("in the place of what a start writes leads to nothing that is written", async () => {
    for (const name of [".gitignore", "local.json"]) linked(name);
    await writeLocalStack(root, { url: "http://127.0.0.1:1", pid: process.pid, env: {} });
    assertUntouched();
  });

  it("in the place of a history's file is none of its files", () => {
    const file = linked("00000001.jsonl");
    const troubles: unknown[] = [];
    const history = openHistory(state, HISTORY_LIMITS, (trouble) => troubles.push(trouble));
    history.append('{"history":1}');
    history.close();
    assertUntouched();
    assert.ok(lstatSync(file).isSymbolicLink());
    assert.equal(troubles.length, 1);
  });

  it("in a spool is neither its lock, nor a position, nor a file for what is refused", async () => {
    linked("position");
    linked("refused.jsonl");
    const elsewhere = join(root, "made");
    linked("lock", elsewhere);
    await assert.rejects(lockFolder(state), /lock cannot be locked: it is a symbolic link/);
    assert.ok(!existsSync(elsewhere));
    await assert.rejects(openPosition(state));
    const refused = await openAside(state, "refused");
    await assert.rejects(refused.add({ id: "e1" }));
    assertUntouched();
  });

  it("in a folder of data is told, and not written to", () => {
    for (const name of ["probe", "lock", "dynamodb.db"]) {
      const file = linked(name);
      assert.throws(() => openDataFolder(state, unexpected), new RegExp(`${name} is a symbolic link`));
      rmSync(file);
    }
    assertUntouched();
    openDataFolder(state, unexpected).close();
  });

  it("in the place of what the pins are written to first is replaced", () => {
    for (const name of ["pins.json", `pins.json.${process.pid}`]) linked(name);
    const pins = createPins(join(state, "pins.json"));
    rmSync(join(state, "pins.json"));
    pins.add(ATTEMPT);
    assertUntouched();
    assert.deepEqual(pins.list(), [ATTEMPT]);
  });
});

describe("a .gatehook that is a link", () => {
  it("leads to nothing that is written or made", async () => {
    const root = mkdtempSync(join(tmpdir(), "gatehook-links-"));
    const elsewhere = join(root, "elsewhere");
    mkdirSync(elsewhere);
    const project = join(root, "project");
    mkdirSync(project);
    const state = join(project, ".gatehook");
    symlinkSync("../elsewhere", state);
    const message = /\.gatehook is a symbolic link: remove it/;
    await assert.rejects(
      writeLocalStack(project, { url: "http://127.0.0.1:1", pid: process.pid, env: {} }),
      message,
    );
    tokenIn(join(state, "token"));
    const troubles: unknown[] = [];
    const history = openHistory(join(state, "history"), HISTORY_LIMITS, (trouble) => troubles.push(trouble));
    history.append('{"history":1}');
    history.close();
    assert.match(String(troubles[0]), message);
    assert.throws(() => openDataFolder(join(state, "data"), unexpected), message);
    assert.throws(() => createPins(join(state, "pins.json")).add(ATTEMPT), message);
    assert.throws(() => makeStateFolder(join(state, "spool")), message);
    assert.deepEqual(readdirSync(elsewhere), []);
    rmSync(root, { recursive: true });
  });
});
