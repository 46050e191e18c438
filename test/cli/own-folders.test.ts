// `folders` of gatehook.json: definitions and scripts in folders of other names, for every command that reads them.
import assert from "node:assert/strict";
import { mkdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { parseProject } from "../../lib/settings/project.ts";
import { readSourceFiles } from "../../local/files.ts";
import { runCli } from "../helpers/cli.ts";
import { type Dev, definition, handler, startDev } from "../helpers/dev.ts";
import { type Folder, ownFolder } from "../helpers/folder.ts";

const folders = { apis: "src/definitions", handlers: "src/scripts" };
const source = (mark: string) => handler("h", `  log("${mark}");`);

async function orders(): Promise<Folder> {
  const folder = await ownFolder({ folders });
  await folder.write("src/definitions/orders.json", definition("orders", { KeyExpired: "h" }));
  await folder.write("src/scripts/h.js", source("first"));
  return folder;
}

describe("the folders of gatehook.json", () => {
  const problems = (written: object) => {
    const read = parseProject(`{\n"name": "shop",\n"folders":\n${JSON.stringify(written, undefined, 1)}\n}`);
    return "problems" in read ? read.problems.map(({ line, message }) => `${line}: ${message}`) : [];
  };

  it("are apis and handlers where it names none, or one only", () => {
    const names = (text: string) => {
      const read = parseProject(text);
      return "project" in read && read.project.folders;
    };
    assert.deepEqual(names("{}"), { apis: "apis", handlers: "handlers" });
    assert.deepEqual(names('{ "folders": { "handlers": "src/events" } }'), {
      apis: "apis",
      handlers: "src/events",
    });
  });

  for (const name of [
    "/etc",
    "../apis",
    "src/../../apis",
    "./apis",
    ".",
    "",
    "apis/",
    "C:\\apis",
    ".git",
    "a//b",
  ])
    it(`are not ${JSON.stringify(name)}, which is told with its line`, () => {
      const [problem = "", ...more] = problems({ apis: name });
      assert.ok(
        problem.startsWith(`5: folders.apis is ${JSON.stringify(name)}, but must be a folder in`),
        problem,
      );
      assert.deepEqual(more, []);
    });

  const SHARED: [what: string, written: object][] = [
    ["the same", { apis: "src", handlers: "src" }],
    ["the same but for the case", { apis: "src/all", handlers: "Src/All" }],
    ["one in the other", { apis: "src/handlers/apis", handlers: "src/handlers" }],
    ["one in what the other is by default", { apis: "handlers/apis" }],
  ];
  for (const [what, written] of SHARED)
    it(`are not ${what}`, () => assert.match(problems(written).join(), /^4: folders\.apis is .* or in it$/));

  it("may begin alike", () => assert.deepEqual(problems({ apis: "src", handlers: "src-handlers" }), []));

  it("have no other members", () =>
    assert.deepEqual(problems({ handler: "x" }), [
      "5: there is no member folders.handler: did you mean handlers?",
    ]));
});

describe("a folder whose gatehook.json names its folders", () => {
  let folder: Folder;
  beforeEach(async () => {
    folder = await orders();
  });
  afterEach(() => folder.remove());
  const run = (...args: string[]) => runCli(args, { cwd: folder.dir });

  it("is read from these, by the names in the bucket", async () => {
    await folder.write("apis/not-read.json", "{}");
    await folder.write("src/scripts/deep/more.js", "more");
    const files = await readSourceFiles(folder.dir, folders);
    assert.deepEqual(
      files.map(({ path }) => path),
      ["apis/orders.json", "handlers/deep/more.js", "handlers/h.js"],
    );
  });

  it("is refused where one of them leads out of it, or something in them does", async () => {
    await symlink(tmpdir(), folder.path("src/scripts/x"));
    await assert.rejects(
      readSourceFiles(folder.dir, folders),
      /src\/scripts\/x is a symbolic link that leads out of src\/definitions\/ and src\/scripts\//,
    );
    const named = { ...folders, handlers: "linked/scripts" };
    const elsewhere = await ownFolder();
    try {
      await mkdir(elsewhere.path("scripts"));
      await symlink(elsewhere.dir, folder.path("linked"));
      await assert.rejects(
        readSourceFiles(folder.dir, named),
        /linked\/scripts is a symbolic link that leads out/,
      );
    } finally {
      await elsewhere.remove();
    }
  });

  it("is checked, and told what is not there", async () => {
    const { code, stdout } = await run("check");
    assert.deepEqual([code, /1 API, 1 script/.test(stdout)], [0, true], stdout);
    await rename(folder.path("src/scripts"), folder.path("src/other"));
    const missing = await run("check");
    assert.equal(missing.code, 2);
    assert.match(
      missing.stderr,
      /there is no folder \S+src\/scripts: run this where your src\/definitions\/ and/,
    );
  });

  it("is not read with a mistake in gatehook.json, whose line is told", async () => {
    await folder.write("gatehook.json", '{\n  "folders": {\n    "apis": "../apis"\n  }\n}');
    for (const command of [["check"], ["dev", "--once"], ["run", "src/scripts/h.js"]]) {
      const { code, stderr } = await run(...command);
      assert.equal(code, 2, command.join(" "));
      assert.match(stderr, /^gatehook: gatehook\.json:3: folders\.apis is "\.\.\/apis", but must be/);
    }
  });

  it("gives a run the script's API, wherever the run starts", async () => {
    for (const args of [["src/scripts/h.js"], ["--handler", "h"], ["src/scripts/h.js", "--dir", "."]]) {
      const { code, stdout, stderr } = await run("run", ...args, "--json");
      assert.equal(code, 0, stderr);
      assert.equal(JSON.parse(stdout).api_id, "orders");
    }
  });

  it("lends a run its core script too, where src/ would be a folder of its own", async () => {
    await folder.write("gatehook.json", { folders: { apis: "src/apis", handlers: "src/handlers" } });
    await rename(folder.path("src/definitions"), folder.path("src/apis"));
    await rename(folder.path("src/scripts"), folder.path("src/handlers"));
    await folder.write("tykjs.js", 'log("the core");');
    const { stdout, stderr } = await run("run", "src/handlers/h.js", "--json");
    assert.deepEqual(
      JSON.parse(stdout || stderr).logs.map(({ message }: { message: string }) => message),
      ["the core", "Calling built - in handle", "first"],
    );
  });
});

describe("gatehook init where gatehook.json names folders", () => {
  it("puts the samples there, and the check and the sample's test find them", async () => {
    const folder = await ownFolder({ folders });
    try {
      const { code, stdout } = await runCli(["init", ".", "--json"], { cwd: folder.dir });
      assert.equal(code, 0);
      const { written } = JSON.parse(stdout) as { written: string[] };
      assert.ok(written.includes("src/definitions/orders.json"), stdout);
      assert.ok(written.includes("src/scripts/grace-period.js"), stdout);
      assert.match(
        await readFile(folder.path("test/grace-period.test.mjs"), "utf8"),
        /\("src\/scripts\/grace-period\.js"/,
      );
      const { include, compilerOptions } = JSON.parse(await readFile(folder.path("jsconfig.json"), "utf8"));
      assert.deepEqual([include, compilerOptions.types], [["src/scripts"], ["gatehook/handlers"]]);
      assert.equal((await runCli(["check"], { cwd: folder.dir })).code, 0);
      const again = await runCli(["init", ".", "--json"], { cwd: folder.dir });
      assert.deepEqual(JSON.parse(again.stdout).written, []);
    } finally {
      await folder.remove();
    }
  });
});

describe("gatehook dev and push with folders of other names", () => {
  let folder: Folder;
  let dev: Dev;
  before(async () => {
    folder = await orders();
    dev = startDev(folder.dir, "--no-demo");
    await dev.says(/Save a file in src\/definitions\/ or src\/scripts\//);
  });
  after(async () => {
    await dev.end();
    await folder.remove();
  });

  it("makes a release of each save, which a push then finds", async () => {
    await writeFile(folder.path("src/scripts/h.js"), source("second"));
    await dev.says(/saved +handlers\/h\.js/);
    const [, version] = await dev.says(/release (\w+) is live/);
    const push = await runCli(["push", "--local"], { cwd: folder.dir });
    assert.equal(push.code, 0, push.stderr);
    assert.match(push.stdout, new RegExp(`release ${version} is live already`));
  });

  it("waits for a folder that is moved away", async () => {
    await rename(folder.path("src/scripts"), folder.path("src/other"));
    await dev.says(/waiting +src\/scripts\/ not there/);
    await rename(folder.path("src/other"), folder.path("src/scripts"));
    await dev.says(/back +all can be read again/);
  });
});
