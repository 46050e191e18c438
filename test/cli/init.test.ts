import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { runCli } from "../helpers/cli.ts";
import { asInstalled } from "../helpers/folder.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const FILES = [
  ".github/workflows/check.yml",
  ".gitignore",
  "apis/orders.json",
  "gatehook.json",
  "handlers/grace-period.js",
  "jsconfig.json",
  "package.json",
  "test/grace-period.test.mjs",
  "tests/gracePeriod/one-more-day.json",
  "tests/gracePeriod/only-once.json",
];

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1)).sort();
}

describe("gatehook init", () => {
  let root = "";
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "gatehook-"));
  });
  after(() => rm(root, { recursive: true }));

  const init = (...args: string[]) => runCli(["init", ...args], { cwd: root });
  async function folder(name: string, files: Record<string, string>): Promise<string> {
    await mkdir(join(root, name), { recursive: true });
    for (const [path, text] of Object.entries(files)) await writeFile(join(root, name, path), text);
    return join(root, name);
  }

  it("makes a folder whose check is clean, and says how to go on", async () => {
    const { code, stdout } = await init("My Orders");
    assert.equal(code, 0);
    assert.match(stdout, /cd 'My Orders'\n {2}npm install\n {2}npx gatehook dev/);
    const made = join(root, "My Orders");
    assert.deepEqual(await filesIn(made), FILES);
    assert.equal(JSON.parse(await readFile(join(made, "gatehook.json"), "utf8")).name, "my-orders");
    const check = await runCli(["check"], { cwd: made });
    assert.equal(check.code, 0, check.stderr);
    assert.match(check.stdout, /1 API, 1 script, 0 warnings/);
    const { code: failed, stdout: tested } = await runCli(["test"], { cwd: made });
    assert.match(tested, /2 tests: 2 passed/);
    assert.equal(failed, 0);
    assert.match(
      await readFile(join(made, "package.json"), "utf8"),
      /"test": "gatehook test && node --test"/,
    );
  });

  it("leaves what is there as it is, also at the second time", async () => {
    const made = await folder("twice", { "gatehook.json": '{ "name": "mine" }' });
    assert.equal((await init("twice")).code, 0);
    await writeFile(join(made, "handlers/grace-period.js"), "// mine\n");
    const { stdout } = await init("twice", "--json");
    const { written, kept } = JSON.parse(stdout) as { written: string[]; kept: string[] };
    assert.deepEqual(written, []);
    assert.deepEqual(
      kept.sort(),
      FILES.filter((file) => !/^(apis|handlers|tests?)\//.test(file)),
    );
    assert.equal(await readFile(join(made, "gatehook.json"), "utf8"), '{ "name": "mine" }');
    assert.equal(await readFile(join(made, "handlers/grace-period.js"), "utf8"), "// mine\n");
  });

  it("does not complete a package.json that a link leads to, but one of the folder's own", async () => {
    const elsewhere = await folder("elsewhere", { "package.json": '{ "name": "own" }\n' });
    const made = await folder("linked", {});
    await symlink(join(elsewhere, "package.json"), join(made, "package.json"));
    assert.equal((await init("linked")).code, 0);
    assert.equal(await readFile(join(elsewhere, "package.json"), "utf8"), '{ "name": "own" }\n');
    const completed = JSON.parse(await readFile(join(made, "package.json"), "utf8"));
    assert.equal(completed.name, "own");
    assert.ok(completed.scripts);
  });

  it("adds no sample to handlers of one's own, and to a package.json what it lacks", async () => {
    const text =
      '{\n\t"name": "mine",\n\t"scripts": {\n\t\t"test": "vitest"\n\t},\n\t"dependencies": { "gatehook": "1.0.0" }\n}\n';
    const made = await folder("own", { "package.json": text });
    await mkdir(join(made, "handlers"));
    assert.equal((await init("own")).code, 0);
    assert.ok(!(await filesIn(made)).some((file) => /^(apis|handlers|tests?)\//.test(file)));
    const completed = await readFile(join(made, "package.json"), "utf8");
    const { scripts, dependencies, devDependencies } = JSON.parse(completed);
    assert.deepEqual(scripts, { test: "vitest", start: "gatehook dev", check: "gatehook check" });
    assert.deepEqual(dependencies, { gatehook: "1.0.0" });
    assert.deepEqual(Object.keys(devDependencies), ["osls"]);
    assert.match(completed, /^\t"name"/m);
  });

  it("puts its tests in the place of what npm init writes for none", async () => {
    const none = { name: "new", scripts: { test: 'echo "Error: no test specified" && exit 1' } };
    const made = await folder("new", { "package.json": JSON.stringify(none) });
    assert.equal((await init("new")).code, 0);
    const { scripts } = JSON.parse(await readFile(join(made, "package.json"), "utf8"));
    assert.equal(scripts.test, "gatehook test && node --test");
  });

  it("writes nothing when it cannot do all of it", async () => {
    const broken = await folder("broken", { "package.json": '{ "name": ' });
    const { code, stderr } = await init("broken");
    assert.equal(code, 2);
    assert.match(stderr, /package\.json is not a JSON object/);
    assert.deepEqual(await filesIn(broken), ["package.json"]);
  });

  it("makes a folder in TypeScript, whose check and tests are clean too", async () => {
    assert.equal((await init("ts", "--ts")).code, 0);
    const made = join(root, "ts");
    const inTypeScript = FILES.map((file) =>
      file.replace("jsconfig", "tsconfig").replace("handlers/grace-period.js", "handlers/grace-period.ts"),
    );
    assert.deepEqual(await filesIn(made), inTypeScript.sort());
    const { scripts, devDependencies, allowScripts } = JSON.parse(
      await readFile(join(made, "package.json"), "utf8"),
    );
    assert.equal(scripts.types, "tsc");
    assert.deepEqual(Object.keys(devDependencies), ["gatehook", "osls", "esbuild", "typescript"]);
    assert.deepEqual(allowScripts, { esbuild: false });
    await asInstalled(made);
    const check = await runCli(["check"], { cwd: made });
    assert.deepEqual([check.code, check.stderr], [0, ""]);
    assert.match(check.stdout, /1 API, 1 script, 0 warnings/);
    const tsc = `${ROOT}node_modules/typescript/bin/tsc`;
    execFileSync(process.execPath, [tsc], { cwd: made, stdio: ["ignore", 2, 2] });
    // A test of a test must not be one of this run's.
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
    const told = execFileSync(process.execPath, ["--test", "--test-reporter=tap"], {
      cwd: made,
      env,
      encoding: "utf8",
    });
    assert.match(told, /^# pass 2$/m);
    assert.match((await runCli(["test"], { cwd: made })).stdout, /2 tests: 2 passed/);
    const again = JSON.parse((await init("ts", "--ts", "--json")).stdout);
    assert.deepEqual(again.written, []);
  });

  it("takes over a gateway's handlers instead of the sample", async () => {
    const event_handlers = {
      events: {
        KeyExpired: [
          { handler_name: "eh_dynamic_handler", handler_meta: { name: "h", path: "event_handlers/h.js" } },
        ],
      },
    };
    for (const name of ["tyk/definitions", "tyk/event_handlers"])
      await mkdir(join(root, name), { recursive: true });
    await folder("tyk", {
      "tyk.conf": JSON.stringify({ secret: "a-secret", app_path: "definitions" }),
      "definitions/a.json": JSON.stringify({ api_id: "a", org_id: "o", name: "A", event_handlers }),
      "event_handlers/h.js":
        "var h = new TykJS.TykEventHandlers.NewEventHandler({});\nh.NewHandler(function () {});\n",
    });
    const { code, stdout, stderr } = await init("from-tyk", "--tyk", "tyk");
    assert.match(stdout, /Next:\n\n[\s\S]*npx gatehook dev\n\nThen, on each gateway host:\n/);
    assert.equal(code, 0, stderr);
    assert.match(
      stdout,
      /gatehook runs these, and the gateway sends the events to http:\/\/127\.0\.0\.1:3000:/,
    );
    const made = join(root, "from-tyk");
    assert.deepEqual(
      await filesIn(made),
      [
        ".github/workflows/check.yml",
        ".gitignore",
        "apis/a.json",
        "gateway.json",
        "gateway/.gitignore",
        "gateway/apps/a.json",
        "gateway/templates/full_event.json",
        "gateway/tyk.conf-members.json",
        "gatehook.json",
        "handlers/event_handlers/h.js",
        "jsconfig.json",
        "package.json",
      ].sort(),
    );
    const check = await runCli(["check"], { cwd: made });
    assert.equal(check.code, 0, check.stderr);
    const again = JSON.parse((await init("from-tyk", "--tyk", "tyk", "--json")).stdout);
    assert.deepEqual(again.written, []);
    assert.ok(again.attached.files.every(({ put }: { put: string }) => put === "same"));
  });

  it("writes nothing for a gateway that cannot be read", async () => {
    const { code, stderr } = await init("from-none", "--tyk", "no-such-folder");
    assert.equal(code, 2);
    assert.match(stderr, /API definitions .*no-such-folder\/apps cannot be read: it does not exist/);
    await assert.rejects(readdir(join(root, "from-none")));
  });

  for (const name of ["h", "7", "sthree-orders", "amzn-s3-demo-orders", "日本", "a".repeat(60)])
    it(`makes a folder of any name that its own check takes (${name.slice(0, 20)})`, async () => {
      assert.equal((await init(name)).code, 0);
      const { code, stderr } = await runCli(["check"], { cwd: join(root, name) });
      assert.equal(code, 0, stderr);
    });

  it("names the folder that cannot be written", async () => {
    await writeFile(join(root, "file"), "");
    const { code, stderr } = await init("file/below");
    assert.equal(code, 2);
    assert.match(stderr, /file\/below/);
  });
});
