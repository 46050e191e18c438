// What gatehook run takes from the folder around a script: its definitions and its core script.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { runCli } from "../helpers/cli.ts";

type Refs = Record<string, [name: string, path: string][]>;

const definition = (id: string, refs: Refs, more: object = {}) => {
  const events = Object.entries(refs).map(([type, handlers]) => [
    type,
    handlers.map(([name, path]) => ({ handler_name: "eh_dynamic_handler", handler_meta: { name, path } })),
  ]);
  return JSON.stringify({ api_id: id, ...more, event_handlers: { events: Object.fromEntries(events) } });
};

/** Says what it got. */
const handler = (name: string) =>
  `var ${name} = new TykJS.TykEventHandlers.NewEventHandler({});\n` +
  `${name}.NewHandler(function (event, context) { rawlog(JSON.stringify([${JSON.stringify(name)}, event.Type, context])); });\n`;

const FILES = {
  "apis/orders.json": definition(
    "orders",
    {
      KeyExpired: [["first", "deep/two.js"]],
      QuotaExceeded: [["second", "deep/two.js"]],
      AuthFailure: [
        ["first", "deep/two.js"],
        ["second", "deep/two.js"],
      ],
    },
    { org_id: "shop", config_data: { plan: "gold" } },
  ),
  "apis/users.json": definition(
    "users",
    { KeyExpired: [["only", "one.js"]], HostDown: [["second", "deep/two.js"]] },
    { org_id: "people" },
  ),
  "apis/more.json": definition("more", {
    HostUp: [["twice", "one.js"]],
    HostDown: [["twice", "deep/two.js"]],
  }),
  "gateway.json": JSON.stringify({
    event_handlers: {
      events: {
        TokenCreated: [{ handler_name: "eh_dynamic_handler", handler_meta: { name: "own", path: "own.js" } }],
      },
    },
  }),
  "handlers/one.js": handler("only"),
  "handlers/deep/two.js": handler("first") + handler("second"),
  "handlers/own.js": handler("own"),
  "handlers/unnamed.js": handler("unnamed"),
  "handlers/after-core.js": `if (shared !== "core") throw new Error(); ${handler("afterCore")}`,
  "tykjs.js": 'var shared = "core";\n',
  "quota.json": '{"Type":"QuotaExceeded"}',
  "auth.json": '{"Type":"AuthFailure"}',
  "down.json": '{"Type":"HostDown"}',
  "token.json": '{"Type":"TokenCreated"}',
};

describe("gatehook run in a folder with definitions", () => {
  let dir = "";
  before(async () => {
    dir = await realpath(await mkdtemp(join(tmpdir(), "gatehook-folder-")));
    for (const [path, text] of Object.entries(FILES)) await write(path, text);
  });
  after(() => rm(dir, { recursive: true }));

  async function write(path: string, text: string): Promise<void> {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), text);
  }

  const run = (args: string[], cwd = ".") => runCli(["run", ...args], { cwd: join(dir, cwd) });

  /** What the handler got: its name, the event's type and the context. */
  async function got(args: string[], cwd?: string) {
    const { code, stdout, stderr } = await run([...args, "--json"], cwd);
    assert.deepEqual([code, stderr], [0, ""]);
    const report = JSON.parse(stdout);
    const [name, type, context] = JSON.parse(report.rawlogs[0]);
    assert.deepEqual([report.handler, report.api_id], [name, context.APIID]);
    const { APIID, OrgID, config_data } = context;
    return { name, type, context: { APIID, OrgID, ...(config_data && { config_data }) } };
  }

  const ORDERS = { APIID: "orders", OrgID: "shop", config_data: { plan: "gold" } };
  const USERS = { APIID: "users", OrgID: "people" };

  const CASES: [what: string, args: string[], expected: object, cwd?: string][] = [
    [
      "takes API, organisation, config_data and handler from the definition that names the script",
      ["handlers/deep/two.js"],
      { name: "first", type: "KeyExpired", context: ORDERS },
    ],
    [
      "takes the handler by the type of the event",
      ["handlers/deep/two.js", "--event", "quota.json"],
      { name: "second", type: "QuotaExceeded", context: ORDERS },
    ],
    [
      "takes the API by the type of the event",
      ["handlers/deep/two.js", "--event", "down.json", "--handler", "second"],
      { name: "second", type: "HostDown", context: USERS },
    ],
    [
      "takes the API that is named, and its handler",
      ["handlers/deep/two.js", "--event", "down.json", "--api", "users"],
      { name: "second", type: "HostDown", context: USERS },
    ],
    [
      "takes an API that does not name the script",
      ["handlers/one.js", "--api", "orders"],
      { name: "only", type: "KeyExpired", context: ORDERS },
    ],
    [
      "prefers the options to the definitions",
      ["handlers/deep/two.js", "--handler", "second", "--org", "other"],
      { name: "second", type: "KeyExpired", context: { ...ORDERS, OrgID: "other" } },
    ],
    [
      "runs a script that no definition names",
      ["handlers/unnamed.js"],
      { name: "unnamed", type: "KeyExpired", context: { APIID: "demo", OrgID: "demo-org" } },
    ],
    [
      "loads the core script first",
      ["handlers/after-core.js"],
      { name: "afterCore", type: "KeyExpired", context: { APIID: "demo", OrgID: "demo-org" } },
    ],
    [
      "finds the folder from where the script is",
      ["two.js"],
      { name: "first", type: "KeyExpired", context: ORDERS },
      "handlers/deep",
    ],
    [
      "finds the script by the handler alone",
      ["--handler", "only"],
      { name: "only", type: "KeyExpired", context: USERS },
    ],
    [
      "finds the script by the handler alone from below the folder",
      ["--handler", "second", "--event", "../quota.json"],
      { name: "second", type: "QuotaExceeded", context: ORDERS },
      "apis",
    ],
    [
      "runs the handlers of the gateway itself",
      ["--handler", "own", "--event", "token.json"],
      { name: "own", type: "TokenCreated", context: { APIID: "gateway", OrgID: "" } },
    ],
  ];
  for (const [what, args, expected, cwd] of CASES) {
    it(what, async () => assert.deepEqual(await got(args, cwd), expected));
  }

  it("takes the folder that is named, from anywhere", async () => {
    const { stdout } = await runCli(["run", "--dir", dir, "--handler", "only", "--json"], { cwd: tmpdir() });
    assert.equal(JSON.parse(stdout).handler, "only");
  });

  it("says what it runs", async () => {
    const { stdout } = await run(["handlers/one.js"]);
    assert.match(stdout, /^run {3}only in handlers\/one\.js, for KeyExpired of API users$/m);
  });

  const REFUSED: [args: string[], message: RegExp][] = [
    [[], /name the script to run, or with --handler a handler that a definition names/],
    [["--handler", "secand"], /name no handler secand; .*did you mean second\?/],
    [
      ["--handler", "twice", "--event", "quota.json"],
      /twice is named in one\.js, deep\/two\.js: name the script/,
    ],
    [["handlers/one.js", "--api", "order"], /no definition of API order; there is .*did you mean orders\?/],
    [
      ["handlers/deep/two.js", "--event", "auth.json"],
      /API orders names first, second in .*two\.js: choose one/,
    ],
    [
      ["--dir", "handlers/deep", "--handler", "only"],
      /--dir handlers\/deep: there is no folder apis\/ or handlers\//,
    ],
  ];
  for (const [args, message] of REFUSED) {
    it(`ends with 2 for ${args.join(" ") || "nothing"}`, async () => {
      const { code, stderr } = await run(args);
      assert.match(stderr, message);
      assert.equal(code, 2);
    });
  }

  it("ends with 1 when the definition names a handler that the script lacks", async () => {
    const { code, stderr } = await run(["handlers/one.js", "--api", "more"]);
    assert.equal(code, 0, stderr); // of another type: the script's only handler runs
    await write("up.json", '{"Type":"HostUp"}');
    const lacking = await run(["handlers/one.js", "--api", "more", "--event", "up.json"]);
    assert.deepEqual(
      [lacking.code, lacking.stderr],
      [1, "handlers/one.js has no handler twice; it has only\n"],
    );
  });

  it("goes on when a definition cannot be read, and says so", async () => {
    await write("apis/broken.json", "{");
    const { code, stdout, stderr } = await run(["handlers/one.js", "--json"]);
    await rm(join(dir, "apis/broken.json"));
    assert.match(stderr, /^warning {2}apis\/broken\.json/);
    assert.deepEqual([code, JSON.parse(stdout).api_id], [0, "users"]);
  });

  it("names the core script when that does not load", async () => {
    await write("tykjs.js", "var core = ;");
    const { code, stderr } = await run(["handlers/one.js"]);
    await write("tykjs.js", FILES["tykjs.js"]);
    assert.equal(code, 1);
    assert.match(stderr, /SyntaxError.*\n.*tykjs\.js:1/);
  });
});

describe("gatehook run of a script whose API has references in its config_data", () => {
  let dir = "";
  before(async () => {
    dir = await realpath(await mkdtemp(join(tmpdir(), "gatehook-folder-")));
    for (const name of ["apis", "handlers"]) await mkdir(join(dir, name));
    const config_data = { token: "Bearer secrets://billing/token" };
    await writeFile(
      join(dir, "apis/billing.json"),
      definition("billing", { KeyExpired: [["bill", "bill.js"]] }, { config_data }),
    );
    await writeFile(join(dir, "handlers/bill.js"), handler("bill"));
  });
  after(() => rm(dir, { recursive: true }));

  const run = (env: Record<string, string> = {}) =>
    runCli(["run", "handlers/bill.js", "--json"], { cwd: dir, env });

  it("gives it the values from the environment", async () => {
    const { code, stdout } = await run({ CONFIG_DATA_BILLING_TOKEN: "local" });
    assert.equal(code, 0);
    const [, , context] = JSON.parse(JSON.parse(stdout).rawlogs[0]);
    assert.deepEqual(context.config_data, { token: "Bearer local" });
  });

  it("tells which variable is missing", async () => {
    const { code, stderr } = await run();
    assert.equal(code, 1);
    assert.match(
      stderr,
      /secrets:\/\/billing\/token: environment variable CONFIG_DATA_BILLING_TOKEN is not set/,
    );
  });
});
