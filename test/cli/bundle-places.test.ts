// Where an error is told of a script that was made of others: in the files that people write.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createPlaces, type Made } from "../../cli/bundle/places.ts";
import { readCandidate } from "../../lib/releases/examine.ts";
import { createWake } from "../../lib/releases/wake.ts";
import { runHandler } from "../../public/test.ts";
import { runCli } from "../helpers/cli.ts";
import { type Dev, definition, newFolder, startDev, writeFiles } from "../helpers/dev.ts";
import { NO_LOG } from "../helpers/no-log.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";

const NEW = "new TykJS.TykEventHandlers.NewEventHandler({})";
const APIS = { "apis/demo.json": definition("demo", { KeyExpired: "parts/editor" }) };
const EDITOR = `import { checked, type Limit } from "../../lib/checked.ts";

interface Session { expires: number }
const limit: Limit = 3;

export const editor = ${NEW};
editor.NewHandler((event) => {
  log(String(checked(limit)));
});
`;
const CHECKED = `// The first line of a helper.
export type Limit = number;

export function checked(limit: Limit): number {
  if (limit > 2) throw new RangeError("more than two");
  return limit;
}
`;
const FILES = { ...APIS, "handlers/parts/editor.ts": EDITOR, "lib/checked.ts": CHECKED };

const folders: string[] = [];
after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));
async function folderOf(files: Record<string, string>): Promise<string> {
  const folder = await newFolder(files);
  folders.push(folder);
  return folder;
}
const STACK =
  /RangeError: more than two\n +at checked \(lib\/checked\.ts:5:\d+\)\n +at <anonymous> \(handlers\/parts\/editor\.ts:8:\d+\)\n/;

describe("gatehook check tells of a script that was made of others", () => {
  it("where it does not load: the file and line of a helper, with its text", async () => {
    const folder = await folderOf({
      ...FILES,
      "lib/checked.ts": `${CHECKED}\nconst broken: any = undefined;\n  broken.member();\n`,
    });
    const { code, stderr } = await runCli(["check", "--dir", folder]);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /error {4}lib\/checked\.ts:10: TypeError: .*at .*\(lib\/checked\.ts:10:\d+\)\n {2}10 \| {3}broken\.member\(\);\n {5}\| +\^\n/,
    );
    assert.doesNotMatch(stderr, /editor\.js/);
    const machine = JSON.parse((await runCli(["check", "--dir", folder, "--json"])).stdout);
    assert.deepEqual([machine.errors[0].file, machine.errors[0].line], ["lib/checked.ts", 10]);
  });

  it("what is odd, at its line", async () => {
    const folder = await folderOf({
      ...FILES,
      "handlers/parts/editor.ts": `${EDITOR}export const spare = ${NEW};\n`,
    });
    const { code, stdout } = await runCli(["check", "--dir", folder]);
    assert.equal(code, 0);
    assert.match(stdout, /warning {2}handlers\/parts\/editor\.ts:10: no definition names handler spare/);
    assert.match(stdout, /\n {2}10 \| export const spare = /);
  });

  it("nothing of what is odd in a package", async () => {
    const folder = await folderOf({
      ...FILES,
      "lib/checked.ts": `import odd from "odd";\n${CHECKED.replace("limit;", "limit + odd;")}`,
      "node_modules/odd/package.json": `{"name":"odd","version":"1.0.0"}`,
      "node_modules/odd/index.js": "module.exports = /[[:alpha:]]/; undeclaredName = 1;",
    });
    const { code, stdout } = await runCli(["check", "--dir", folder]);
    assert.deepEqual([code, stdout.match(/warning {2}/)], [0, null], stdout);
  });
});

describe("gatehook run tells of a script that was made of others", () => {
  it("a handler's error, by the files and lines that it passed", async () => {
    const folder = await folderOf(FILES);
    const told = await runCli(["run", "handlers/parts/editor.ts"], { cwd: folder });
    assert.equal(told.code, 1);
    assert.match(told.stderr, STACK);
    const machine = await runCli(["run", "--handler", "editor", "--json"], { cwd: folder });
    assert.match(JSON.parse(machine.stdout).error.stack, /at checked \(lib\/checked\.ts:5:/);
  });

  it("the stacks that it logs", async () => {
    const logging = EDITOR.replace(
      "log(String(checked(limit)));",
      "try { checked(limit); } catch (e: any) { log(e.stack); }",
    );
    const folder = await folderOf({ ...FILES, "handlers/parts/editor.ts": logging });
    const { code, stdout } = await runCli(["run", "handlers/parts/editor.ts"], { cwd: folder });
    assert.equal(code, 0);
    assert.match(stdout, /at checked \(lib\/checked\.ts:5:/);
  });

  it("what keeps it from being made, with the line", async () => {
    const folder = await folderOf({
      ...FILES,
      "lib/checked.ts": `import { x } from "left-pad";\n${CHECKED}x();\n`,
    });
    const told = await runCli(["run", "handlers/parts/editor.ts"], { cwd: folder });
    assert.equal(told.code, 1);
    assert.match(
      told.stderr,
      /^lib\/checked\.ts:1:19: the package left-pad is not installed, or has no left-pad: npm install left-pad\n {2}1 \| import \{ x \} from "left-pad";\n {4}\| {19}\^\n$/,
    );
    const { stdout, code } = await runCli(["run", "handlers/parts/editor.ts", "--json"], { cwd: folder });
    const { outcome, error, handler } = JSON.parse(stdout);
    assert.deepEqual([code, outcome, error.code, handler], [1, "load-error", "load-error", null]);
  });

  it("that it imports while it runs, which no bundle can", async () => {
    const text = `import { y } from "./y";\nexport const x = ${NEW};\nx.NewHandler(async () => import(y));\n`;
    const folder = await folderOf({
      ...APIS,
      "handlers/x.ts": text,
      "handlers/y.ts": "export const y = 'y';",
    });
    const { code, stderr } = await runCli(["run", "handlers/x.ts"], { cwd: folder });
    assert.equal(code, 1);
    assert.match(stderr, /^a handler cannot load files while it runs, .*\n +at handlers\/x\.ts:3\n/);
  });

  it("by its own name that it has no handler, or several", async () => {
    const none = await folderOf({ "handlers/x.ts": "export const x = 1;" });
    assert.match(
      (await runCli(["run", "handlers/x.ts"], { cwd: none })).stderr,
      /handlers\/x\.ts defines no handler/,
    );
    const two = await folderOf({ "handlers/x.ts": `export const a = ${NEW}, b = ${NEW};` });
    assert.match(
      (await runCli(["run", "handlers/x.ts"], { cwd: two })).stderr,
      /handlers\/x\.ts defines a, b: choose/,
    );
  });
});

it("an author's test runs TypeScript, and sees its errors where they are", async () => {
  const folder = await folderOf(FILES);
  const { outcome, error } = await runHandler(join(folder, "handlers/parts/editor.ts"));
  assert.equal(outcome, "threw");
  assert.match(
    error?.stack ?? "",
    /at checked \(.*lib\/checked\.ts:5:\d+\)\n +at <anonymous> \(.*editor\.ts:8:\d+\)/,
  );
});

describe("gatehook dev with a script that is made of others", () => {
  let dev: Dev;
  let folder = "";
  let url = "";
  const post = () =>
    fetch(`${url}/events/demo`, {
      method: "POST",
      body: '{"event":{"Type":"KeyExpired","Meta":{"Key":"none"}}}',
    });
  before(async () => {
    folder = await folderOf({
      ...FILES,
      "handlers/parts/editor.ts": EDITOR.replace(
        "String(checked(limit))",
        "words + texts.text + checked(limit)",
      ).replace("\n", `\nimport words from "words";\nimport texts from "../texts.json";\n`),
      "handlers/texts.json": `{"text":"in words "}`,
      "node_modules/words/package.json": `{"name":"words","version":"1.0.0"}`,
      "node_modules/words/index.js": "module.exports = 'of a package ';",
    });
    dev = startDev(folder, "--no-demo");
    [, url = ""] = await dev.says(/ready at (\S+)/);
    await dev.says(/Ctrl\+C/);
  });
  after(async () => assert.equal(await dev.end(), 0));

  it("tells a handler's error by the files and lines that it passed", async () => {
    await post();
    await dev.says(
      /failed {6}editor .*RangeError: more than two\n.*\(lib\/checked\.ts:5:\d+\)\n.*\(handlers\/parts\/editor\.ts:10:\d+\)/,
    );
  });

  it("makes a release when a helper is saved, wherever it lies", async () => {
    await writeFiles(folder, { "lib/checked.ts": CHECKED.replace("limit > 2", "limit > 3") });
    await dev.says(/saved {7}handlers\/parts\/editor\.ts\n/);
    await dev.says(/release \w+ is live/);
    await post();
    await dev.says(/editor: of a package in words 3/);
  });

  it("and when what it imports of JSON or of a package is another", async () => {
    await writeFiles(folder, { "handlers/texts.json": `{"text":"in others "}` });
    await dev.says(/release \w+ is live/);
    await post();
    await dev.says(/editor: of a package in others 3/);
    await writeFiles(folder, { "node_modules/words/index.js": "module.exports = 'of a newer one ';" });
    await dev.says(/release \w+ is live/);
    await post();
    await dev.says(/editor: of a newer one in others 3/);
  });

  it("uploads nothing that cannot be made, says why once, and goes on when it can", async () => {
    await writeFiles(folder, { "lib/checked.ts": `${CHECKED}export const x = ;\n` });
    await dev.says(
      /error {4}lib\/checked\.ts:8: Unexpected ";"\n {2}8 \| export const x = ;\n {4}\| +\^\nnothing was uploaded: the live release stays/,
    );
    await post();
    await dev.says(/editor: of a newer one in others 3/);
    await writeFiles(folder, {
      "lib/checked.ts": CHECKED.replace("limit > 2", "limit > 4").replace("return limit", "return limit + 1"),
    });
    await dev.says(/release \w+ is live/);
    await post();
    await dev.says(/editor: of a newer one in others 4/);
    assert.equal(dev.said().match(/nothing was uploaded/g)?.length, 1);
  });
});

it("gatehook dev --once tells why the sample event failed by the files and lines that it passed", async () => {
  const folder = await folderOf(FILES);
  const { code, stderr } = await runCli(["dev", "--once", "--dir", folder]);
  assert.equal(code, 1);
  assert.match(stderr, /the sample event failed: .*RangeError: more than two\n.*\(lib\/checked\.ts:5:\d+\)/);
});

it("gatehook dev begins with what cannot be made, and has it live when it can", async () => {
  const folder = await folderOf({ ...FILES, "lib/checked.ts": "export const checked = ;\n" });
  const once = await runCli(["dev", "--once", "--dir", folder]);
  assert.equal(once.code, 1);
  assert.match(once.stderr, /error {4}lib\/checked\.ts:1: Unexpected ";"/);
  assert.match(once.stderr, /the release was refused: fix what is shown above and start again/);
  const dev = startDev(folder, "--no-demo");
  try {
    await dev.says(/Ctrl\+C/);
    await writeFiles(folder, { "lib/checked.ts": CHECKED });
    await dev.says(/release \w+ is live: 1 API, 1 script/);
  } finally {
    assert.equal(await dev.end(), 0);
  }
});

describe("gatehook push of a script that is made of others", () => {
  let stack: TestStack;
  let folder = "";
  before(async () => {
    folder = await folderOf(FILES);
    stack = await startTestStack({
      watchBucket: true,
      folder: await folderOf({ "apis/demo.json": definition("demo", {}) }),
    });
  });
  after(() => stack.close());
  const push = (...args: string[]) => runCli(["push", "--dir", folder, ...args], { env: stack.env });
  const uploaded = async () => (await stack.releases.listSources()).map(({ path }) => path).sort();

  it("uploads the script with its map beside it, which no release has in it", async () => {
    const { code, stdout, stderr } = await push();
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /upload handlers\/parts\/editor\.js\nupload handlers\/parts\/editor\.js\.map\n/);
    assert.deepEqual(await uploaded(), [
      "apis/demo.json",
      "handlers/parts/editor.js",
      "handlers/parts/editor.js.map",
    ]);
    const { scripts } = await stack.releases.read((await stack.releases.liveVersion()) ?? "");
    assert.deepEqual(
      scripts.map(({ path }) => path),
      ["parts/editor.js"],
    );
    assert.match(scripts[0]?.source ?? "", /handlers\/parts\/editor\.ts/);
    const again = await push();
    assert.deepEqual([again.code, again.stdout.match(/upload/)], [0, null], again.stdout);
  });

  it("uploads nothing while one cannot be made", async () => {
    const before = await stack.releases.pointer();
    await writeFiles(folder, { "lib/checked.ts": `import "node:fs";\n${CHECKED}` });
    const { code, stderr } = await push();
    assert.equal(code, 1);
    assert.match(
      stderr,
      /nothing was uploaded; fix this first:\nerror {4}lib\/checked\.ts:1: a handler has no module node:fs/,
    );
    assert.deepEqual(await stack.releases.pointer(), before);
  });

  it("tells what would not go live by the files that were written", async () => {
    await writeFiles(folder, {
      "lib/checked.ts": `${CHECKED}\nthrow new Error("while it loads");\n`,
      "apis/other.json": definition("other", {}),
    });
    const { code, stderr } = await push();
    assert.equal(code, 1);
    assert.match(stderr, /error {4}lib\/checked\.ts:9: Error: while it loads .*\(lib\/checked\.ts:9:/);
  });

  it("removes both when a definition names it no more, and uploads a map alone", async () => {
    await writeFiles(folder, { "lib/checked.ts": CHECKED });
    assert.equal((await push()).code, 0);
    await writeFiles(folder, { "lib/checked.ts": CHECKED.replace("first line", "only line") });
    const { code, stdout } = await push();
    assert.equal(code, 0);
    assert.match(stdout, /^upload handlers\/parts\/editor\.js\.map\nrelease \w+ is live already/m);
    await writeFiles(folder, { "apis/demo.json": definition("demo", {}) });
    assert.equal((await push()).code, 0);
    assert.deepEqual(await uploaded(), ["apis/demo.json", "apis/other.json"]);
  });
});

describe("TypeScript that was uploaded as it is", () => {
  const ts = { path: "handlers/parts/editor.ts", text: "", bytes: 300 };
  const [demo] = Object.entries(APIS).map(([path, text]) => ({ path, text }));

  it("is told of once, with what to do", () => {
    const helper = { path: "handlers/helper.mts", text: "", bytes: 3 };
    const { errors, warnings } = readCandidate([...(demo ? [demo] : []), ts, helper]);
    assert.deepEqual(errors, [
      {
        file: "apis/demo.json",
        message:
          "KeyExpired names handler editor in parts/editor.js, but there is no handlers/parts/editor.js " +
          "(there is handlers/parts/editor.ts, from which gatehook push makes it); upload it, or fix the path",
        apis: ["demo"],
      },
    ]);
    assert.deepEqual(warnings, [
      {
        file: "handlers/helper.mts",
        message:
          "handlers/helper.mts, handlers/parts/editor.ts: they are not scripts: gatehook push makes scripts of them, " +
          "and a copy of the files does not",
      },
    ]);
  });

  it("is listed in the bucket, and removed from it by gatehook push", async () => {
    const folder = await folderOf(FILES);
    const stack = await startTestStack({ watchBucket: true, folder });
    try {
      await stack.releases.writeSource({ ...ts, text: EDITOR });
      const read = await stack.releases.readSources();
      assert.deepEqual(
        read.find(({ path }) => path === ts.path),
        { ...ts, bytes: Buffer.byteLength(EDITOR) },
      );
      const { code, stdout } = await runCli(["push", "--dir", folder], { env: stack.env });
      assert.equal(code, 0);
      assert.match(stdout, /remove handlers\/parts\/editor\.ts\n/);
    } finally {
      await stack.close();
    }
  });

  it("wakes the releaser, which a map does not", async () => {
    let released = 0;
    const wake = createWake({
      lease: {
        count: async () => {},
        counted: async () => 1,
        lead: async () => true,
        release: async () => {},
      },
      quietMs: 0,
      now: Date.now,
      delay: async () => {},
      release: async () => {
        released += 1;
        return { version: "", result: "refused", apis: 0, scripts: 0, errors: [], warnings: [] };
      },
      log: NO_LOG,
    });
    const notice = (key: string) => ({ id: "1", notice: { Records: [{ s3: { object: { key } } }] } });
    assert.equal(await wake(notice("handlers/x.js.map")), undefined);
    await wake(notice("handlers/x.ts"));
    assert.equal(released, 1);
  });
});

describe("a place in a script that was made", () => {
  const made = (path: string): Made => ({
    path,
    source: `handlers/${path.replace(".js", ".ts")}`,
    sourceName: (name) => `at/${name}`,
    script: "one\n  two\nthree\n",
    // Line 2 from column 3 is line 5 of x.ts, line 3 line 7 of it.
    map: JSON.stringify({ version: 3, sources: ["x.ts"], names: [], mappings: ";EAIA;AAEA" }),
  });
  const places = createPlaces([made("a.js"), made("deep/a.js")]);

  for (const [text, told] of [
    ["at f (a.js:2:3)", "at f (at/x.ts:5:1)"],
    ["at f (deep/a.js:3:1), handlers/a.js:3:2", "at f (at/x.ts:7:1), at/x.ts:7:1"],
    ["is defined in handlers/a.js:2 too", "is defined in at/x.ts:5 too"],
    ["at __require (a.js:1:1)", "at __require (a.js (bundler))"],
    [
      "ba.js:2:3 other/a.js:2:3 x-a.js:2:3 a.json:2:3 a.js",
      "ba.js:2:3 other/a.js:2:3 x-a.js:2:3 a.json:2:3 a.js",
    ],
  ] as const)
    it(`is told where it was written: ${text}`, () => assert.equal(places.text(text), told));
});
