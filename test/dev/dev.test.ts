import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runCli } from "../helpers/cli.ts";

describe("gatehook dev", () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "gatehook-"));
  });
  after(() => rm(folder, { recursive: true }));

  async function project(name: string, handler: string): Promise<string> {
    const cwd = join(folder, name);
    await mkdir(join(cwd, "apis"), { recursive: true });
    await mkdir(join(cwd, "handlers"));
    const trigger = { handler_name: "eh_dynamic_handler", handler_meta: { name: "h", path: "h.js" } };
    const definition = { api_id: "demo", event_handlers: { events: { KeyExpired: [trigger] } } };
    await writeFile(join(cwd, "apis/demo.json"), JSON.stringify(definition));
    await writeFile(join(cwd, "handlers/h.js"), handler);
    return cwd;
  }

  test("--once --json prints one object: the sample event ran and its session is committed", async () => {
    const { code, stdout, stderr, leftovers } = await runCli(["dev", "--once", "--json"]);
    assert.equal(stderr, "");
    assert.equal(code, 0);
    assert.equal(stdout.trim().split("\n").length, 1);
    const report = JSON.parse(stdout);
    const { before: was, after: is, key } = report.session;
    assert.equal(report.outcome, "done");
    assert.equal(report.event.type, "KeyExpired");
    assert.deepEqual([report.api_id, report.handler, key], ["demo", "sessionEditor", "demo-key"]);
    assert.match(report.release, /^[0-9a-f]{16}$/);
    assert.ok(report.logs.includes("expiry moved by 1000 seconds, after a KeyExpired event"));
    assert.deepEqual(is, { ...was, expires: was.expires + 1000 });
    assert.equal(leftovers, false, "nothing stays running");
  });

  test("--once prints the event's way as a person reads it", async () => {
    const { code, stdout } = await runCli(["dev", "--once"]);
    assert.equal(code, 0);
    assert.doesNotMatch(stdout, /\n\n\n/);
    for (const word of ["queued", "loaded", "log", "handler", "committed"])
      assert.match(stdout, new RegExp(`^  \\d\\d:\\d\\d:\\d\\d\\.\\d{3}  ${word} `, "m"));
    for (const word of ["before", "after"]) assert.match(stdout, new RegExp(`^    ${word} +expires`, "m"));
  });

  test("--once listens on any free port, or on the one that is asked for", async () => {
    const cwd = await project(
      "port",
      "var h = new TykJS.TykEventHandlers.NewEventHandler({}); h.NewHandler(function () {});",
    );
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;
    const busy = await runCli(["dev", "--once", "--port", String(port)], { cwd });
    assert.equal(busy.code, 1);
    assert.match(busy.stderr, new RegExp(`${port} is in use`));
    taken.close();
    const free = await runCli(["dev", "--once", "--port", String(port)], { cwd });
    assert.match(free.stdout, new RegExp(`ready at http://127\\.0\\.0\\.1:${port} `));
  });

  test("a script with a syntax error refuses the release and names file and line", async () => {
    const cwd = await project(
      "syntax",
      "var h = new TykJS.TykEventHandlers.NewEventHandler({});\nh.NewHandler(function( {;\n",
    );
    const { code, stderr, leftovers } = await runCli(["dev", "--once"], { cwd });
    assert.equal(code, 1);
    assert.match(stderr, /handlers\/h\.js:2: SyntaxError: .* h\.js:2/);
    assert.equal(leftovers, false);
  });

  test("a handler that throws ends --once with 1 and the reason", async () => {
    const source =
      "var h = new TykJS.TykEventHandlers.NewEventHandler({}); h.NewHandler(function () { throw new TypeError('no luck'); });";
    const cwd = await project("throws", source);
    const { code, stdout, stderr } = await runCli(["dev", "--once", "--json"], { cwd });
    assert.equal(code, 1);
    assert.match(stderr, /TypeError: no luck/);
    const { outcome, session } = JSON.parse(stdout);
    assert.equal(outcome, "failed");
    assert.deepEqual(session.after, session.before);
  });

  test("a folder without apis/ is told where to run", async () => {
    const { code, stderr } = await runCli(["dev", "--once"], { cwd: folder });
    assert.equal(code, 2);
    const [, where = ""] = stderr.split("there is no folder ");
    assert.match(
      where,
      /apis: run this where your apis\/ and handlers\/ are, or name the folder with --dir\n$/,
    );
  });

  test("a port in use is one sentence that names the way out", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const { code, stderr, leftovers } = await runCli(["dev", "--port", String(port)]);
    server.close();
    assert.equal(code, 1);
    assert.equal(
      stderr,
      `gatehook: port ${port} is in use: stop what listens there, or choose another with --port, for example --port ${port + 1}\n`,
    );
    assert.equal(leftovers, false);
  });
});
