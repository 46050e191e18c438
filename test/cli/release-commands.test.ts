import assert from "node:assert/strict";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { DeleteObjectCommand } from "@aws-sdk/client-s3";
import { longerThan, runCli } from "../helpers/cli.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";

const SAMPLES = fileURLToPath(new URL("../..", import.meta.url));
const BROKEN = "var sessionEditor = new TykJS.TykEventHandlers.NewEventHandler({});\nsessionEditor.(;\n";

async function copyOfSamples(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "gatehook-"));
  for (const name of ["apis", "handlers"])
    await cp(join(SAMPLES, name), join(folder, name), { recursive: true });
  return folder;
}

describe("gatehook check", () => {
  let folder = "";
  before(async () => {
    folder = await copyOfSamples();
  });
  after(() => rm(folder, { recursive: true }));

  it("finds nothing wrong with the samples, and says so in one JSON object", async () => {
    const { code, stdout, stderr } = await runCli(["check", "--json"], { cwd: SAMPLES });
    assert.deepEqual([code, stderr], [0, ""]);
    const { version, result, errors } = JSON.parse(stdout);
    assert.match(version, /^[0-9a-f]{16}$/);
    assert.deepEqual([result, errors], ["ok", []]);
  });

  it("ends with 1 and the file, the line, its text and a caret", async () => {
    await writeFile(join(folder, "handlers/session-editor.js"), BROKEN);
    const person = await runCli(["check", "--dir", folder]);
    assert.equal(person.code, 1);
    assert.match(
      person.stderr,
      /error {4}handlers\/session-editor\.js:2: SyntaxError.*\n {2}2 \| sessionEditor\.\(;\n {4}\| {15}\^/,
    );
    const machine = await runCli(["check", "--dir", folder, "--json"]);
    assert.equal(machine.code, 1);
    const { result, errors } = JSON.parse(machine.stdout);
    assert.deepEqual([result, errors[0].file, errors[0].line], ["refused", "handlers/session-editor.js", 2]);
  });

  it("fits terminals of 80 and of 40 columns, and breaks nothing for a pipe", async () => {
    const name = "aHandlerWithALongName";
    await writeFile(
      join(folder, "handlers/session-editor.js"),
      `var 日本 = "${"x".repeat(150)}"; var ${name} = (;`,
    );
    for (const columns of [80, 40]) {
      const told = await runCli(["check", "--dir", folder], { env: { COLUMNS: String(columns) } });
      assert.deepEqual(longerThan(columns, told), []);
      assert.match(
        told.stderr.replaceAll(/\s+/g, " "),
        /error handlers\/session-editor\.js:1: SyntaxError: .* at session-editor\.js:1:\d+/,
      );
      assert.match(told.stderr, /\n {2}1 \| .*ALongName = \(;\n {4}\| +\^\n/);
    }
    const piped = await runCli(["check", "--dir", folder], { env: { COLUMNS: undefined } });
    assert.match(
      piped.stderr,
      /^error {4}handlers\/session-editor\.js:1: SyntaxError: .* at session-editor\.js:1:\d+$/m,
    );
  });

  it("ends with 2 when it is called wrongly", async () => {
    const { code, stderr } = await runCli(["check", "--dir", join(folder, "nowhere")]);
    assert.equal(code, 2);
    assert.match(stderr, /there is no folder .*nowhere.*--dir/);
    assert.equal((await runCli(["check", "--jsn"])).code, 2);
  });
});

describe("a second terminal, on the stack that is up", () => {
  let stack: TestStack;
  let folder = "";
  before(async () => {
    folder = await copyOfSamples();
    stack = await startTestStack({ watchBucket: true });
  });
  after(async () => {
    await stack.close();
    await rm(folder, { recursive: true });
  });

  const gatehook = (...args: string[]) => runCli(args, { cwd: folder, env: stack.env });
  const live = () => stack.releases.liveVersion();
  const edit = (text: string) => writeFile(join(folder, "handlers/session-editor.js"), text);

  it("pushes, lists, compares and rolls back releases", async () => {
    const first = await live();
    const source = await stack.releases.readSources();
    const old = source.find(({ path }) => path === "handlers/session-editor.js")?.text ?? "";
    await edit(old.replaceAll("1000", "2000"));

    const dry = await gatehook("push", "--dry-run");
    assert.match(dry.stdout, /would upload handlers\/session-editor\.js\n.*nothing was uploaded/);
    assert.equal(await live(), first);

    const push = await gatehook("push");
    assert.deepEqual([push.code, push.stderr], [0, ""]);
    const second = await live();
    assert.notEqual(second, first);
    assert.match(push.stdout, new RegExp(`upload handlers/session-editor\\.js\nrelease ${second} is live`));

    const { stdout: list } = await gatehook("releases");
    const rows = list
      .split("\n")
      .slice(1)
      .map((line) => line.split(/ {2,}/).slice(0, 2));
    assert.deepEqual(rows.slice(0, 2), [
      [second, "live"],
      [first, "was live"],
    ]);

    const { stdout: report } = await gatehook("releases", String(second));
    assert.match(report, /: live, .*\nchanged {2}scripts: session-editor\.js/);

    for (const columns of [80, 40]) {
      const env = { ...stack.env, COLUMNS: String(columns) };
      for (const args of [
        ["releases"],
        ["releases", String(second)],
        ["push", "--dry-run"],
        ["rollback", "none"],
      ])
        assert.deepEqual(longerThan(columns, await runCli(args, { cwd: folder, env })), [], args.join(" "));
    }

    const { stdout: diff } = await gatehook("diff", String(first), "live");
    assert.match(diff, /changed script session-editor\.js/);
    assert.match(diff, /\n {2}- .*1000.*\n {2}\+ .*2000/);

    const back = await gatehook("rollback");
    assert.match(back.stdout, new RegExp(`release ${first} is live again, in place of ${second}`));
    assert.equal(await live(), first);

    const again = await gatehook("push");
    assert.match(again.stdout, /rolled back to/);
    assert.equal(await live(), first);
  });

  it("pushes what is there already once more when its release is gone", async () => {
    const version = (await stack.releases.pointer()).built ?? "";
    await stack.clients.s3.send(
      new DeleteObjectCommand({ Bucket: stack.resources.FILES_BUCKET, Key: `releases/${version}.json` }),
    );
    const push = await gatehook("push");
    assert.deepEqual([push.code, push.stderr], [0, ""]);
    assert.match(
      push.stdout,
      /^there is no releases\/.*: to wake the releaser, one file is uploaded again\nupload apis\/demo\.json\n/,
    );
    assert.ok(await stack.releases.read(version));
    assert.doesNotMatch((await gatehook("push")).stdout, /uploaded again|^upload /m);
  });

  it("uploads nothing that would be refused", async () => {
    const before = await stack.releases.pointer();
    await edit(BROKEN);
    const { code, stderr } = await gatehook("push");
    assert.equal(code, 1);
    assert.match(stderr, /nothing was uploaded.*\n.*handlers\/session-editor\.js:2: SyntaxError/);
    assert.deepEqual(await stack.releases.pointer(), before);
  });

  it("is told what is missing when a version is unknown, or a setting is", async () => {
    const unknown = await gatehook("rollback", "0123456789abcdef");
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /there is no release 0123456789abcdef: gatehook releases lists them/);
    for (const given of [
      ["0123456789abcdef", "live"],
      ["live", "0123456789abcdef"],
    ]) {
      const { code, stderr } = await gatehook("diff", ...given);
      assert.equal(code, 1);
      assert.match(stderr, /there is no release 0123456789abcdef: gatehook releases lists them/);
    }
    const unset = await runCli(["releases"], { env: { ...stack.env, FILES_BUCKET: "" } });
    assert.equal(unset.code, 1);
    assert.match(unset.stderr, /FILES_BUCKET is not set/);
  });
});

describe("gatehook format", () => {
  let stack: TestStack;
  before(async () => {
    stack = await startTestStack();
  });
  after(() => stack.close());
  const format = async (...args: string[]) => runCli(["format", ...args], { env: stack.env });

  it("is the newest where the first release was this version's, and can go back and forth", async () => {
    const shown = await format("--json");
    assert.deepEqual([shown.code, JSON.parse(shown.stdout)], [0, { format: 2, before: 2, sessions: 0 }]);
    const back = await format("1", "--json");
    assert.deepEqual([back.code, JSON.parse(back.stdout)], [0, { format: 1, before: 2, sessions: 0 }]);
    const again = await format("2");
    assert.match(again.stdout, /^format 2: .* \(it was 1\)\n$/);
    const { format: kept, version } = await stack.releases.pointer();
    assert.deepEqual([kept, typeof version], [2, "string"]);
  });

  it("is not changed to one that this version does not know", async () => {
    const { code, stderr } = await format("9");
    assert.equal(code, 2);
    assert.match(stderr, /there is no format 9: this version knows 1 to 2/);
  });
});
