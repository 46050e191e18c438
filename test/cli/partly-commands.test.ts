import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { runCli } from "../helpers/cli.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";

const trigger = (name: string, path: string) => ({
  handler_name: "eh_dynamic_handler",
  handler_meta: { name, path },
});
const api = (id: string, ...entries: object[]) =>
  JSON.stringify({ api_id: id, org_id: "o", event_handlers: { events: { KeyExpired: entries } } });
const script = (name: string, mark: string) =>
  `var ${name} = new TykJS.TykEventHandlers.NewEventHandler({});\n` +
  `${name}.NewHandler(function (event) { log("${name} ${mark}"); });\n`;

describe("a folder in which one API is at fault", () => {
  let stack: TestStack;
  let folder = "";
  const write = (path: string, text: string) => writeFile(join(folder, path), text);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "gatehook-"));
    for (const name of ["apis", "handlers"]) await mkdir(join(folder, name));
    await write("apis/good.json", api("good", trigger("good", "good.js")));
    await write("apis/bad.json", api("bad", trigger("bad", "bad.js")));
    await write("handlers/good.js", script("good", "1"));
    await write("handlers/bad.js", script("bad", "1"));
    stack = await startTestStack({ folder, watchBucket: true });
    await write("handlers/good.js", script("good", "2"));
    await write("handlers/bad.js", `${script("bad", "2")}var x = ;`);
  });
  after(async () => {
    await stack.close();
    await rm(folder, { recursive: true });
  });

  const gatehook = (args: string[], env: Record<string, string> = {}) =>
    runCli(args, { cwd: folder, env: { ...stack.env, ...env } });
  const runs = async (id: string) => {
    const body = (api_id: string) =>
      JSON.stringify({
        id: `${id}-${api_id}`,
        event: { Type: "KeyExpired", Meta: { Key: "k" }, TimeStamp: "" },
      });
    const texts = ["good", "bad"].map(async (one) => {
      await stack.post(one, body(one));
      const { fields } = await stack.fact(
        (fact) =>
          fact.message === "script" &&
          fact.fields.event_id === `${id}-${one}` &&
          fact.fields.handler === one &&
          fact.fields.text !== "Calling built - in handle",
      );
      return fields.text;
    });
    return Promise.all(texts);
  };

  it("is told by check with what would stay, and ends with 1", async () => {
    const person = await gatehook(["check"]);
    assert.equal(person.code, 1);
    assert.match(person.stderr, /error {4}handlers\/bad\.js.*SyntaxError/);
    assert.match(person.stderr, /only a part would go live: 1 API, 1 script, 1 error,/);
    assert.match(person.stderr, /what is live would stay for bad, unless RELEASE_STRICT/);
    const { result, held, errors } = JSON.parse((await gatehook(["check", "--json"])).stdout);
    assert.deepEqual([result, held, errors[0].apis], ["partly", ["bad"], ["bad"]]);
  });

  it("is not uploaded where RELEASE_STRICT is set, nor by --dry-run, which tells what would stay", async () => {
    const before = await stack.releases.pointer();
    const strict = await gatehook(["push"], { RELEASE_STRICT: "true" });
    assert.equal(strict.code, 1);
    assert.match(strict.stderr, /nothing was uploaded; fix this first/);
    const dry = await gatehook(["push", "--dry-run"]);
    assert.equal(dry.code, 1);
    assert.match(dry.stdout, /would upload handlers\/bad\.js\nwould upload handlers\/good\.js/);
    assert.match(
      dry.stderr,
      /only a part would go live, as release \w+:\nerror .*bad\.js.*\n(.*\n)*kept +.*: bad\nnothing was uploaded/,
    );
    assert.deepEqual(await stack.releases.pointer(), before);
  });

  it("is pushed: what is right goes live, and the rest stays as it was, loudly", async () => {
    const push = await gatehook(["push"]);
    assert.equal(push.code, 1);
    const version = await stack.releases.liveVersion();
    assert.match(push.stderr, new RegExp(`only a part is live, as release ${version}: 2 APIs, 2 scripts`));
    assert.match(push.stderr, /error {4}handlers\/bad\.js.*SyntaxError/);
    assert.match(push.stderr, /kept +as they were live before: bad/);
    assert.deepEqual(await runs("first"), ["good 2", "bad 1"]);

    const { stdout: list } = await gatehook(["releases"]);
    assert.match(list, new RegExp(`\n${version} +partly live +\\S+ \\S+ +2 +2 +1 +\\d\n`));
    const { stdout: report } = await gatehook(["releases", String(version)]);
    assert.match(
      report,
      /: live in part, .*\nchanged {2}scripts: good\.js\nkept +as they were live before: bad\n/,
    );
    const again = await gatehook(["push"]);
    assert.deepEqual([again.code, await stack.releases.liveVersion()], [1, version]);
  });

  it("is live as a whole once it is fixed", async () => {
    await write("handlers/bad.js", script("bad", "2"));
    const push = await gatehook(["push"]);
    assert.deepEqual([push.code, push.stderr], [0, ""]);
    assert.deepEqual(await runs("second"), ["good 2", "bad 2"]);
    const { stdout: list } = await gatehook(["releases"]);
    const results = list
      .split("\n")
      .slice(1, 3)
      .map((line) => line.split(/ {2,}/)[1]);
    assert.deepEqual(results, ["live", "was partly live"]);
  });

  it("with a gateway.json that holds a secret is not uploaded at all", async () => {
    await write("handlers/good.js", script("good", "3"));
    await write("gateway.json", JSON.stringify({ listen_port: 8080, secret: "hunter2-hunter2" }));
    const { code, stdout, stderr } = await gatehook(["push"]);
    assert.equal(code, 1);
    assert.match(stderr, /nothing was uploaded.*\n.*gateway\.json: secret is a secret of the gateway/);
    assert.doesNotMatch(stdout + stderr, /hunter2/);
    const files = await stack.releases.listSources();
    assert.ok(!files.some(({ path }) => path === "gateway.json"));
  });
});

describe("a stack whose RELEASE_STRICT is set", () => {
  let stack: TestStack;
  before(async () => {
    stack = await startTestStack({ settings: { RELEASE_STRICT: "true" } });
  });
  after(() => stack.close());

  it("refuses an upload as a whole for the error of one API", async () => {
    const before = await stack.releases.liveVersion();
    await stack.releases.writeSource({
      path: "apis/good.json",
      text: api("good", trigger("good", "good.js")),
    });
    await stack.releases.writeSource({ path: "handlers/good.js", text: script("good", "1") });
    await stack.releases.writeSource({ path: "apis/bad.json", text: "{" });
    assert.equal((await stack.release()).result, "refused");
    assert.equal(await stack.releases.liveVersion(), before);
  });
});
