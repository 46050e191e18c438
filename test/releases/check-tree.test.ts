import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { readCandidate } from "../../lib/releases/examine.ts";
import { readSourceFiles } from "../../local/files.ts";
import { runCli } from "../helpers/cli.ts";

const trigger = (name: string, path: string, rest = {}) => ({
  handler_name: "eh_dynamic_handler",
  handler_meta: { name, path, ...rest },
});
const webhook = (gatehook: object | undefined, rest = {}) => ({
  handler_name: "eh_web_hook_handler",
  handler_meta: {
    method: "POST",
    target_path: "https://in.example/events/x",
    event_timeout: 1,
    gatehook,
    ...rest,
  },
});
const classic = (id: string, events: Record<string, object[]>, rest = {}) => ({
  name: `Api ${id}`,
  api_id: id,
  org_id: "o1",
  active: true,
  proxy: { listen_path: `/${id}/`, target_url: "http://127.0.0.1:9/" },
  event_handlers: { events },
  ...rest,
});
const custom = (trigger: string, functionName: string, path: string, rest = {}) => ({
  enabled: true,
  trigger,
  type: "custom",
  name: functionName,
  functionName,
  path,
  ...rest,
});
const oas = (id: string, eventHandlers: object[], rest = {}) => ({
  openapi: "3.0.3",
  info: { title: id, version: "1" },
  paths: {},
  "x-tyk-api-gateway": { info: { id, orgId: "o1", name: id }, server: { eventHandlers, ...rest } },
});
const exported = (definition: object) => ({
  api_model: {},
  api_definition: definition,
  hook_references: [],
  is_site: false,
});
const twice = (first: object, second: object) =>
  `{"api_id":"twice","event_handlers":${JSON.stringify(first)},"Event_Handlers":${JSON.stringify(second)}}`;

const handler = (name: string, body = "") =>
  `var ${name} = new TykJS.TykEventHandlers.NewEventHandler({});\n${name}.NewHandler(function (event, context) { ${body} });\n`;

/** Definitions and scripts in every form that a gateway loads; objects become JSON. */
const TREE: Record<string, object | string> = {
  "apis/classic.json": classic("classic", {
    AuthFailure: [
      trigger("plain", "plain.js"),
      { handler_name: "eh_log_handler", handler_meta: { prefix: "p" } },
    ],
    KeyExpired: [trigger("plain", "./plain.js"), trigger("deep", "/sub//deep.js")],
  }),
  "apis/.dot.json": classic("dot", { KeyExpired: [trigger("ns.inner", "sub/../ns.js")] }),
  "apis/oas.json": oas("oas", [
    custom("QuotaExceeded", "modern", "modern.js"),
    { enabled: true, trigger: "KeyExpired", type: "webhook", url: "https://w", method: "POST" },
    { enabled: true, trigger: "KeyExpired", type: "log", logPrefix: "p" },
    { enabled: false, trigger: "KeyExpired", type: "email" },
    { enabled: true, trigger: "KeyExpired", type: "email" },
  ]),
  "apis/pair.json": classic("pair", { AuthFailure: [trigger("plain", "plain.js")] }, { is_oas: true }),
  "apis/pair-oas.json": oas("pair", [custom("AuthFailure", "plain", "plain.js")]),
  "apis/tool.json": classic("tool", { AuthFailure: [trigger("plain", "plain.js")] }, { is_oas: true }),
  "apis/tool-mcp.json": oas("tool", [custom("AuthFailure", "gone", "gone.js")]),
  "apis/lone-oas.json": oas("lone", [custom("KeyExpired", "umd", "umd.js")]),
  "apis/dashboard.json": exported(classic("dash", { AuthFailure: [trigger("umd", "umd.js")] })),
  "apis/dashboard-list.json": {
    apis: [
      exported(classic("dash1", {})),
      exported(oas("dash2", [custom("KeyExpired", "plain", "plain.js")])),
    ],
    pages: 1,
  },
  "apis/list.json": [
    classic("list1", { KeyExpired: [trigger("plain", "plain.js")] }),
    oas("list2", [custom("KeyExpired", "deep", "sub/deep.js")]),
    exported(classic("list3", {})),
  ],
  "apis/one-file.json": classic("webhook", {
    KeyExpired: [webhook({ name: "plain", path: "plain.js" }), webhook(undefined)],
    AuthFailure: [trigger("plain", "plain.js"), webhook({ name: "plain", path: "plain.js" })],
  }),
  "apis/twice.json": twice(
    { events: { KeyExpired: [trigger("plain", "plain.js")] } },
    { events: { AuthFailure: [trigger("deep", "sub/deep.js")] } },
  ),
  "apis/odd.json": classic("odd", {
    AuthFailure: [
      {},
      { handler_name: "eh_future_handler", handler_meta: { name: "x" } },
      trigger("", "", { disabled: true }),
      trigger("größe", "größe.js"),
    ],
  }),
  "gateway.json": {
    event_handlers: { events: { TokenCreated: [webhook({ name: "plain", path: "plain.js" })] } },
  },
  "tykjs.js": "var shared = { greet: function (name) { return 'hello ' + name; } };",
  "handlers/plain.js": handler("plain", "log(shared.greet(event.Type));"),
  "handlers/sub/deep.js": handler("deep"),
  "handlers/ns.js": `var ns = {};\n${handler("made")}ns.inner = made;`,
  "handlers/modern.js":
    "const modern = new TykJS.TykEventHandlers.NewEventHandler({});\nmodern.NewHandler(async () => {});",
  "handlers/umd.js": `!function (root, factory) { root.umd = factory(); }(this, function () {
  var m = new TykJS.TykMiddleware.NewMiddleware({});
  m.NewProcessResponse(function (response, request, session) { return m.ReturnResponseData(response, session); });
  var h = new TykJS.TykEventHandlers.NewEventHandler({});
  h.NewHandler(function () {});
  return h;
});`,
  "handlers/größe.js": handler(
    "größe",
    "if (event.Type) { function inner() {} } inner(); /[[:alpha:]]/.test(event.Type);",
  ),
  "handlers/unused.js": "syntax error (",
  "handlers/readme.md": "no script",
};

/** What each API runs then, by its event type. */
const EXPECTED: Record<string, Record<string, string[]>> = {
  dot: { KeyExpired: ["ns.inner ns.js"] },
  classic: { AuthFailure: ["plain plain.js"], KeyExpired: ["plain plain.js", "deep sub/deep.js"] },
  dash1: {},
  dash2: { KeyExpired: ["plain plain.js"] },
  dash: { AuthFailure: ["umd umd.js"] },
  list1: { KeyExpired: ["plain plain.js"] },
  list2: { KeyExpired: ["deep sub/deep.js"] },
  list3: {},
  lone: { KeyExpired: ["umd umd.js"] },
  oas: { QuotaExceeded: ["modern modern.js"] },
  odd: { AuthFailure: ["größe größe.js"] },
  webhook: { KeyExpired: ["plain plain.js"], AuthFailure: ["plain plain.js"] },
  pair: { AuthFailure: ["plain plain.js"] },
  tool: { AuthFailure: ["plain plain.js"] },
  twice: { KeyExpired: ["plain plain.js"], AuthFailure: ["deep sub/deep.js"] },
  gateway: { TokenCreated: ["plain plain.js"] },
};

/** The file, its line and what the message must say. */
const WARNINGS: [file: string, says: RegExp][] = [
  ["apis/oas.json", /eventHandlers\[4\]\.type is "email"/],
  ["apis/odd.json", /AuthFailure\.0\.handler_name is ""/],
  ["apis/odd.json", /AuthFailure\.1\.handler_name is "eh_future_handler"/],
  ["apis/tool-mcp.json", /names gone for AuthFailure, which apis\/tool\.json does not/],
  ["handlers/real/deep.js", /handlers\/unused\.js: no definition names them/],
  ["handlers/größe.js", /\[\[:class:\]\]: write the characters out/],
  ["handlers/größe.js", /function inner is declared in a block.*declare it outside of the block/],
];

describe("a whole tree of definitions and scripts in every form", () => {
  let folder = "";
  const write = async (tree: Record<string, object | string>) => {
    for (const [path, content] of Object.entries(tree)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(
        join(folder, path),
        typeof content === "string" ? content : JSON.stringify(content, null, 2),
      );
    }
  };
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "gatehook-tree-"));
    await write(TREE);
    await rm(join(folder, "handlers/sub/deep.js"));
    await write({ "handlers/real/deep.js": TREE["handlers/sub/deep.js"] ?? "" });
    await symlink("../real/deep.js", join(folder, "handlers/sub/deep.js"));
  });
  after(() => rm(folder, { recursive: true }));

  const check = async () => {
    const { code, stdout, stderr } = await runCli(["check", "--json", "--dir", folder]);
    assert.equal(stderr, "");
    return { code, ...JSON.parse(stdout) };
  };

  it("passes the check, with a warning for each thing that is odd and no other", async () => {
    const { code, result, errors, warnings } = await check();
    assert.deepEqual([code, result, errors], [0, "ok", []]);
    const told = [...(warnings as { file: string; message: string }[])];
    for (const [file, says] of WARNINGS) {
      const at = told.findIndex((warning) => warning.file === file && says.test(warning.message));
      assert.notEqual(at, -1, `${file} ${says} is not in ${JSON.stringify(told, null, 1)}`);
      told.splice(at, 1);
    }
    assert.deepEqual(told, []);
  });

  it("makes a release with the handlers that the gateway registers, in its order", async () => {
    const { release } = readCandidate(await readSourceFiles(folder));
    const handlers = release.apis.map(({ api_id, handlers: byType }) => [
      api_id,
      Object.fromEntries(
        Object.entries(byType).map(([type, refs]) => [type, refs.map(({ name, path }) => `${name} ${path}`)]),
      ),
    ]);
    assert.deepEqual(handlers, Object.entries(EXPECTED));
    assert.deepEqual(
      release.scripts.map(({ path }) => path),
      ["tykjs.js", "ns.js", "plain.js", "sub/deep.js", "umd.js", "modern.js", "größe.js"],
    );
  });

  it("has each of its mistakes told with the API that it keeps, and the rest goes live", async () => {
    await write({
      "apis/classic.json": classic("classic", { KeyExpired: [trigger("plain", "nowhere.js")] }),
      "apis/dashboard.json": exported({ api_id: "dash", org_id: 7 }),
      "apis/list.json": [
        classic("list1", {}),
        classic("list2", { KeyExpired: [trigger("a b", "plain.js")] }),
      ],
      "apis/broken.json": '{"api_id": "broken",}',
      "handlers/modern.js": "const modern = {\n  a: 1\n  b: 2\n};",
    });
    const { code, result, held, errors } = await check();
    assert.deepEqual([code, result], [1, "partly"]);
    assert.deepEqual(held, ["apis/broken.json", "classic", "dash", "list2", "oas"]);
    const told = (errors as { file: string; line?: number; message: string; apis: string[] }[]).map(
      ({ file, line, apis }) => [file, line ?? null, ...apis],
    );
    assert.deepEqual(told, [
      ["apis/broken.json", 1],
      ["apis/dashboard.json", null, "dash"],
      ["apis/list.json", null, "list2"],
      ["apis/classic.json", null, "classic"],
      ["handlers/modern.js", 3, "oas"],
    ]);
    assert.match(
      errors.at(-1).message,
      /is a comma missing before it\? The gateway's engine lets one be left out/,
    );
  });
});
