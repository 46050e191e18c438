import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runCli } from "../helpers/cli.ts";

const HANDLER = (body: string) =>
  `var h = new TykJS.TykEventHandlers.NewEventHandler({});\nh.NewHandler(function (event, context) { ${body} });\n`;

describe("gatehook run", () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "gatehook-run-"));
  });
  after(() => rm(folder, { recursive: true }));

  async function file(name: string, text: string): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, text);
    return path;
  }
  async function runJson(source: string, ...args: string[]) {
    const { code, stdout, stderr } = await runCli([
      "run",
      await file("script.js", source),
      "--json",
      ...args,
    ]);
    return { code, stderr, report: stdout ? JSON.parse(stdout) : undefined };
  }

  test("has the dates of a script in UTC, as Lambda has, wherever the machine is", async () => {
    const source = HANDLER(
      "var noon = new Date(2026, 6, 1, 12); log(noon.toISOString()); log(noon.getTimezoneOffset()); log(String(noon));",
    );
    const path = await file("dates.js", source);
    const { stdout } = await runCli(["run", path, "--json"], { env: { TZ: "America/New_York" } });
    const { logs } = JSON.parse(stdout) as { logs: { message: string }[] };
    assert.deepEqual(
      logs.slice(1).map(({ message }) => message.replace(/ \(.*/, "")),
      ["2026-07-01T12:00:00.000Z", "0", "Wed Jul 01 2026 12:00:00 GMT+0000"],
    );
  });

  test("runs the only handler of a script and prints one object", async () => {
    const session = await file("session.json", '{"expires":1000,"access_rights":{"demo":{"api_id":"demo"}}}');
    const { code, stdout } = await runCli([
      "run",
      "handlers/session-editor.js",
      "--session",
      `k1=${session}`,
      "--json",
    ]);
    const { ms, ...report } = JSON.parse(stdout);
    assert.equal(code, 0);
    assert.equal(typeof ms, "number");
    assert.deepEqual(report, {
      outcome: "done",
      error: null,
      api_id: "demo",
      handler: "sessionEditor",
      logs: [
        { level: "info", message: "Calling built - in handle" },
        { level: "info", message: "expiry moved by 1000 seconds, after a KeyExpired event" },
      ],
      rawlogs: [],
      sessions: { k1: { expires: 2000, access_rights: { demo: { api_id: "demo" } } } },
      http: [],
    });
  });

  test("stores no session that the table could not hold, as deployed, and says the rule", async () => {
    const nest = "var d = 1; for (var i = 0; i < 40; i++) d = { x: d };";
    const set = (meta: string) =>
      `TykSetKeyData("k", JSON.stringify({ access_rights: { a: {} }, meta_data: ${meta} }), 1);`;
    const source = HANDLER(`${nest} ${set("d")} ${set("{ v: 1e300 }")} ${set('{ v: "x".repeat(400000) }')}`);
    const { report } = await runJson(source);
    assert.equal(report.outcome, "done");
    assert.deepEqual(report.sessions, {});
    const said = report.logs.slice(1).map(({ message }: { message: string }) => message);
    assert.deepEqual(
      said.map((line: string) => /nested deeper|out of range|at most/.exec(line)?.[0]),
      ["nested deeper", "out of range", "at most"],
      said.join("\n"),
    );
  });

  const OUTCOMES: [outcome: string, source: string, ...args: string[]][] = [
    ["threw", HANDLER("throw new TypeError('no')")],
    ["timeout", HANDLER("for (;;) {}"), "--timeout", "100"],
    ["stack", HANDLER("(function f() { f(); })()")],
    ["memory", HANDLER("var all = []; for (;;) all.push(new Uint8Array(1 << 20));")],
    ["killed", HANDLER("new Array(1e9) + ''"), "--timeout", "100"],
    ["load-error", "var h = ;"],
  ];
  for (const [outcome, source, ...args] of OUTCOMES) {
    test(`ends with 1 and the outcome ${outcome}`, async () => {
      const { code, report } = await runJson(source, ...args);
      assert.deepEqual([code, report.outcome], [1, outcome]);
      assert.ok(report.error.message);
    });
  }

  /** A handler object, made in one expression. */
  const NEW =
    "(function () { var made = new TykJS.TykEventHandlers.NewEventHandler({}); made.NewHandler(function () {}); return made; })()";
  const FOUND: [what: string, source: string][] = [
    [
      "that a file for several module systems makes",
      `!function (root, factory) { if (typeof exports === "object") module.exports = factory(); else root.found = factory(); }(this, function () { return ${NEW}; });`,
    ],
    ["that a bundle leaves", `(() => { "use strict"; const e = ${NEW}; globalThis.found = e; })();`],
    ["whose name is put together", `globalThis["fo" + "und"] = ${NEW};`],
    ["that is declared by const", `const found = ${NEW};`],
    ["of a namespace", `var ns = {}; ns.found = ${NEW};`],
    ["that has two names", `var found = ${NEW}; globalThis.again = found; var ns = { found: found };`],
    [
      "beside what is none",
      `var found = ${NEW}; var m = new TykJS.TykMiddleware.NewMiddleware({}); var o = {};`,
    ],
  ];
  for (const [what, source] of FOUND) {
    test(`finds the only handler, ${what}`, async () => {
      const { code, stderr, report } = await runJson(source);
      assert.deepEqual([code, stderr, report?.outcome], [0, "", "done"]);
    });
  }

  test("says of a script that does not load what the gateway's engine takes in another way", async () => {
    const comma = await runJson(HANDLER("return { a: 1\n b: 2 };"));
    assert.match(comma.report.error.message, /^SyntaxError: expecting '}'; is a comma missing before it\?/);
    const flags = await runJson(HANDLER("return /(?i)key/.test(event.Type);"));
    assert.match(flags.report.error.message, /^SyntaxError: .*; the gateway's engine takes Go's.*flags/);
  });

  const UNMADE: [what: string, source: string][] = [
    ["that has no function", "var h = new TykJS.TykEventHandlers.NewEventHandler({});"],
    ["whose function is undefined", `${HANDLER("")} h.NewHandler(undefined);`],
    ["whose function is a text", `${HANDLER("")} h.NewHandler("function () {}");`],
    ["whose function is never given", `${HANDLER("")} h = new TykJS.TykEventHandlers.NewEventHandler({});`],
  ];
  for (const [what, source] of UNMADE) {
    for (const args of [[], ["--handler", "h"]]) {
      test(`refuses a handler ${what}${args.length > 0 ? ", named by --handler" : ""}`, async () => {
        const { code, report } = await runJson(source, ...args);
        assert.deepEqual([code, report.outcome], [1, "load-error"]);
        assert.equal(
          report.error.message,
          "h has no function: call h.NewHandler(function (event, context) {…})",
        );
      });
    }
  }

  test("a session that the script removes is not there at the end, unless the handler fails", async () => {
    const given = await file("removed.json", '{"expires":1,"access_rights":{"a":{}}}');
    const remove = "TykDelKeyData('k', context.APIID); rawlog(TykGetKeyData('k'));";
    const removed = await runJson(HANDLER(remove), "--session", `k=${given}`);
    assert.deepEqual(removed.report.sessions, {});
    assert.match(removed.report.rawlogs[0], /Key not found/);
    const failed = await runJson(HANDLER(`${remove} throw 1`), "--session", `k=${given}`);
    assert.deepEqual(Object.keys(failed.report.sessions), ["k"]);
  });

  test("a failed handler's writes do not count", async () => {
    const { report } = await runJson(
      HANDLER("TykSetKeyData('k', '{\"access_rights\":{\"a\":{}}}'); throw 1"),
    );
    assert.deepEqual(report.sessions, {});
  });

  test("takes the event from standard input, and gives API and organisation", async () => {
    const script = await file(
      "stdin.js",
      HANDLER("rawlog([event.Type, context.APIID, context.OrgID].join())"),
    );
    const args = ["run", script, "--event", "-", "--api", "a", "--org", "o", "--json"];
    for (const input of ['{"Type":"HostDown"}', "Type=HostDown", '<script>{"Type":"HostDown"}</script>']) {
      const { stdout } = await runCli(args, { input });
      assert.deepEqual(JSON.parse(stdout).rawlogs, ["HostDown,a,o"], input);
    }
    for (const [input, message] of [
      ['{"type":"X"}', "Type is missing (with a capital T)"],
      ["", "body is empty"],
      ['<script>{"Type":7}</script>', "Type must be a string"],
      ['{"Type":"X",\n"Meta" {}}', "standard input:2: body is not JSON at line 2, column 8"],
    ] as const) {
      const { code, stderr } = await runCli(args, { input });
      assert.deepEqual([code, stderr], [2, `gatehook: ${message}\n`]);
    }
  });

  test("repeated in one environment, globals live on; isolated, each run starts afresh", async () => {
    const source = `var n = 0;\n${HANDLER("n += 1; rawlog(n)")}`;
    assert.deepEqual((await runJson(source, "--repeat", "3")).report.rawlogs, ["1", "2", "3"]);
    assert.deepEqual((await runJson(source, "--repeat", "3", "--isolation", "event")).report.rawlogs, [
      "1",
      "1",
      "1",
    ]);
  });

  test("lists the HTTP requests; a host that is not public is reached only when it is allowed", async () => {
    const server = createServer((_, response) => response.end("hello"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
    const source = HANDLER(
      `var r = TykMakeHttpRequest(JSON.stringify({Domain:"${url}"})); rawlog(r && JSON.parse(r).Body)`,
    );
    const refused = await runJson(source);
    const allowed = await runJson(source, "--allow-host", "127.0.0.1");
    server.close();
    assert.deepEqual(
      [refused.report.rawlogs, refused.report.http],
      [["undefined"], [{ method: "GET", url, status: 0 }]],
    );
    const said = refused.report.logs.map(({ message }: { message: string }) => message).join("\n");
    assert.match(
      said,
      /127\.0\.0\.1 is refused: loopback address; to allow it, add --allow-host 127\.0\.0\.1 /,
    );
    assert.deepEqual(
      [allowed.report.rawlogs, allowed.report.http],
      [["hello"], [{ method: "GET", url, status: 200 }]],
    );
  });

  test("a wrong call ends with 2 and says what is missing", async () => {
    const two = await file(
      "two.js",
      "var a = new TykJS.TykEventHandlers.NewEventHandler({}); const b = new TykJS.TykEventHandlers.NewEventHandler({});",
    );
    const none = await file("none.js", "var x = 1;");
    const small = await file("small.json", '{"type":"X"}');
    const broken = await file("broken.json", '{"Type":"X",\n"Meta" {}}');
    const empty = join(folder, "empty");
    await mkdir(join(empty, "apis"), { recursive: true });
    const CALLS: [string[], RegExp][] = [
      [["run", "--dir", empty], /name the script to run, or with --handler/],
      [["run", "nowhere.js"], /the script nowhere.js cannot be read/],
      [["run", two], /defines a, b: choose one with --handler/],
      [["run", none], /defines no handler.*give the handler's name with --handler/],
      [["run", two, "--handler", "b2"], /two\.js has no handler b2; it has a, b; did you mean b\?/],
      [["run", none, "--handler", "h"], /none\.js has no handler h; it has none: var h = new TykJS/],
      [["run", none, "--handler", "not a name"], /none\.js has no handler not a name; it has none/],
      [["run", none, "--timeout", "soon"], /whole number/],
      [["run", two, "--event", small], /^gatehook: \S*small\.json: Type is missing \(with a capital T\)$/m],
      [
        ["run", two, "--event", broken],
        /^gatehook: \S*broken\.json:2: body is not JSON at line 2, column 8$/m,
      ],
      [["run", two, "--session", `k=${broken}`], /^gatehook: \S*broken\.json:2: the JSON text: not JSON/m],
      [["run", none, "--session", "k"], /form KEY=FILE/],
      [
        ["run", "handlers/session-editor.js", "--event", "nowhere.json"],
        /the event nowhere.json cannot be read/,
      ],
    ];
    for (const [args, message] of CALLS) {
      const { code, stderr } = await runCli(args);
      assert.equal(code, 2, args.join(" "));
      assert.match(stderr, message);
    }
  });
});

describe("the gateway's sample handlers, by name and behaviour", () => {
  test("sampleHandler says that it ran", async () => {
    const { stdout } = await runCli([
      "run",
      "test/gateway-samples/sample_event_handler.js",
      "--handler",
      "sampleHandler",
    ]);
    assert.match(stdout, /sample handler loaded[\s\S]*sample handler: KeyExpired for API demo[\s\S]*done/);
  });

  test("sessionHandler moves the expiry of the session of the event's key", async () => {
    const folder = await mkdtemp(join(tmpdir(), "gatehook-run-"));
    const session = join(folder, "s.json");
    await writeFile(session, '{"expires":5,"access_rights":{"demo":{}}}');
    const { stdout } = await runCli([
      "run",
      "test/gateway-samples/session_editor.js",
      "--handler",
      "sessionHandler",
      "--session",
      `k=${session}`,
      "--json",
    ]);
    await rm(folder, { recursive: true });
    assert.equal(JSON.parse(stdout).sessions.k.expires, 1005);
  });

  test("fbHandler without an address says so and sends nothing", async () => {
    const { stdout } = await runCli([
      "run",
      "test/gateway-samples/firebase_test.js",
      "--handler",
      "fbHandler",
      "--json",
    ]);
    const { outcome, http, logs } = JSON.parse(stdout);
    assert.deepEqual([outcome, http], ["done", []]);
    assert.equal(logs.at(-1).message, "no address to send to: set RECORDS");
  });
});
