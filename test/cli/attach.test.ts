// A gateway's folder taken over: what is written, what is not, and that the events of its webhooks run the handlers.
import assert from "node:assert/strict";
import { link, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { readCandidate } from "../../lib/releases/examine.ts";
import { readSourceFiles } from "../../local/files.ts";
import { runCli } from "../helpers/cli.ts";
import { activeHandlers, type GatewayHandler } from "../helpers/gateway-view.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";

const TOKEN = "a-token-of-16-characters";
const SECRET = "the-gateway's-own-secret";
const URL_HERE = "http://127.0.0.1:3000";

const dynamic = (name: string, path: string, rest = {}) => ({
  handler_name: "eh_dynamic_handler",
  handler_meta: { name, path, ...rest },
});
const LOG = { handler_name: "eh_log_handler", handler_meta: { prefix: "p" } };
const classic = (id: string, events: Record<string, object[]>, rest = {}) => ({
  name: `Api ${id}`,
  api_id: id,
  org_id: "o1",
  active: true,
  proxy: { listen_path: `/${id}/`, target_url: "http://127.0.0.1:9/" },
  upstream_auth: { basic_auth: { password: SECRET } },
  event_handlers: { events },
  ...rest,
});
const custom = (trigger: string, functionName: string, path: string) => ({
  enabled: true,
  trigger,
  type: "custom",
  name: functionName,
  functionName,
  path,
});
const oas = (id: string, eventHandlers: object[]) => ({
  openapi: "3.0.3",
  info: { title: id, version: "1" },
  paths: {},
  "x-tyk-api-gateway": { info: { id, orgId: "o1", name: id }, server: { eventHandlers } },
});
const exported = (definition: object) => ({ api_model: {}, api_definition: definition, hook_references: [] });
const script = (...names: string[]) =>
  names
    .map(
      (name) =>
        `var ${name} = new TykJS.TykEventHandlers.NewEventHandler({});\n${name}.NewHandler(function (event, context) { log("${name} " + event.Type + " " + context.APIID); });\n`,
    )
    .join("");

const KEY = "event_handlers/key.js";
/** Definitions in every form that a gateway's folder has, or that is exported from one. */
const GATEWAY: Record<string, object | string> = {
  "apps/classic.json": classic("classic", {
    KeyExpired: [dynamic("keyHandler", KEY, { disabled: false, id: "" }), LOG],
    AuthFailure: [dynamic("keyHandler", KEY), dynamic("quotaHandler", "./event_handlers/quota.js")],
    QuotaExceeded: [LOG],
    VersionFailure: [dynamic("gone", "gone.js", { disabled: true })],
  }),
  "apps/pair.json": classic("pair", { AuthFailure: [dynamic("keyHandler", KEY)] }, { is_oas: true }),
  "apps/pair-oas.json": oas("pair", [custom("AuthFailure", "keyHandler", KEY)]),
  "apps/export.json": exported(
    classic("dash", { KeyExpired: [dynamic("quotaHandler", "event_handlers/quota.js")] }),
  ),
  "apps/list.json": [
    exported(classic("list1", { KeyExpired: [dynamic("keyHandler", KEY)] })),
    oas("list2", [
      { enabled: true, trigger: "KeyExpired", type: "log", name: "l", logPrefix: "p" },
      custom("KeyExpired", "keyHandler", KEY),
      custom("KeyExpired", "quotaHandler", "event_handlers/quota.js"),
    ]),
  ],
  "apps/quiet.json": classic("quiet", {}),
  "event_handlers/key.js": script("keyHandler"),
  "event_handlers/quota.js": script("quotaHandler"),
  "event_handlers/unused.js": script("unused"),
  "js/own.js": "var shared = {};\n",
  "tyk.conf": {
    listen_port: 8080,
    secret: SECRET,
    template_path: "/opt/tyk-gateway/templates",
    tyk_js_path: "js/own.js",
    event_handlers: { events: { TokenCreated: [LOG], PluginFired: [dynamic("keyHandler", KEY)] } },
  },
};

async function write(folder: string, files: Record<string, object | string>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, typeof content === "string" ? content : JSON.stringify(content, undefined, 2));
  }
}

async function textsIn(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  const texts = await Promise.all(
    files.sort().map(async (file) => [file.slice(folder.length + 1), await readFile(file, "utf8")] as const),
  );
  return Object.fromEntries(texts);
}

/** Its files, and when each was changed. */
async function stateOf(folder: string): Promise<[string, string, number][]> {
  const texts = Object.entries(await textsIn(folder));
  return Promise.all(
    texts.map(
      async ([path, text]) =>
        [path, text, (await stat(join(folder, path))).mtimeMs] as [string, string, number],
    ),
  );
}

describe("gatehook attach", () => {
  let root = "";
  let gateway = "";
  let project = "";
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "gatehook-attach-"));
    gateway = join(root, "tyk");
    project = join(root, "project");
    await write(gateway, GATEWAY);
    await mkdir(project);
  });
  const removed: string[] = [];
  beforeEach(() => void removed.push(root));
  after(() => Promise.all(removed.map((each) => rm(each, { recursive: true, force: true }))));

  const places = () => ["--apps", join(gateway, "apps"), "--tyk-conf", join(gateway, "tyk.conf")];
  const run = (command: string, ...args: string[]) =>
    runCli([command, ...places(), ...args], { cwd: project, env: { INGEST_TOKEN: TOKEN } });
  const attach = (...args: string[]) => run("attach", "--url", URL_HERE, ...args);
  const read = async (path: string) => JSON.parse(await readFile(join(project, path), "utf8"));
  /** As its user does it. */
  const copyToGateway = async (from = "gateway/apps") => {
    for (const [name, text] of Object.entries(await textsIn(join(project, from))))
      await writeFile(join(gateway, "apps", name), text);
  };

  it("writes a project whose check is clean, and says what runs where", async () => {
    const before = await stateOf(gateway);
    const { code, stdout, stderr } = await attach("--json");
    assert.equal(code, 0, stderr);
    const report = JSON.parse(stdout);
    const runs = report.runs.map((each: { api: string; type: string; handlers: { name: string }[] }) =>
      [each.api, each.type, ...each.handlers.map(({ name }) => name)].join(" "),
    );
    assert.deepEqual(runs, [
      "classic KeyExpired keyHandler",
      "classic AuthFailure keyHandler quotaHandler",
      "dash KeyExpired quotaHandler",
      "list1 KeyExpired keyHandler",
      "list2 KeyExpired keyHandler quotaHandler",
      "pair AuthFailure keyHandler",
    ]);
    assert.deepEqual(report.stays, [
      { api: "classic", type: "KeyExpired", kind: "eh_log_handler" },
      { api: "classic", type: "QuotaExceeded", kind: "eh_log_handler" },
      { api: "list2", type: "KeyExpired", kind: "log" },
    ]);
    assert.deepEqual([report.errors, report.warnings, report.stale], [[], [], []]);
    const texts = await textsIn(project);
    assert.deepEqual(Object.keys(texts), [
      "apis/classic.json",
      "apis/export.json",
      "apis/list.json",
      "apis/pair.json",
      "apis/quiet.json",
      "gateway.json",
      "gateway/.gitignore",
      "gateway/apps/classic.json",
      "gateway/apps/export.json",
      "gateway/apps/list.json",
      "gateway/apps/pair-oas.json",
      "gateway/apps/pair.json",
      "gateway/templates/full_event.json",
      "gateway/tyk.conf-members.json",
      "handlers/event_handlers/key.js",
      "handlers/event_handlers/quota.js",
      "tykjs.js",
    ]);
    assert.equal(texts["gateway/templates/full_event.json"], "<script>{{.}}</script>\n");
    // What is uploaded has no secret, and of tyk.conf's nothing has.
    for (const [path, text] of Object.entries(texts)) {
      if (!path.startsWith("gateway/apps/")) assert.ok(!text.includes(SECRET), path);
      if (!path.startsWith("gateway/")) assert.ok(!text.includes(TOKEN), path);
    }
    const check = await runCli(["check", "--json"], { cwd: project });
    const { result, warnings } = JSON.parse(check.stdout);
    assert.deepEqual([check.code, result, warnings], [0, "ok", []]);
    assert.deepEqual(await stateOf(gateway), before);
  });

  it("changes nothing at the second time, also when the gateway has what it wrote", async () => {
    await attach();
    const before = await stateOf(project);
    assert.match((await attach()).stdout, /^Nothing has changed\./);
    await copyToGateway();
    assert.match((await attach()).stdout, /^Nothing has changed\./);
    assert.deepEqual(await stateOf(project), before);
  });

  it("writes into the folders that gatehook.json names", async () => {
    await write(project, {
      "gatehook.json": { name: "shop", folders: { apis: "gateway-apis", handlers: "src/handlers" } },
    });
    await attach();
    const files = Object.keys(await textsIn(project));
    assert.ok(files.includes(`src/handlers/${KEY}`), files.join());
    assert.ok(files.some((path) => path.startsWith("gateway-apis/")));
    assert.ok(!files.some((path) => /^(apis|handlers)\//.test(path)));
    assert.equal((await runCli(["check"], { cwd: project })).code, 0);
    const inside = await attach("--out", "src/handlers/out");
    assert.equal(inside.code, 2);
    assert.match(inside.stderr, /outside of gateway-apis\/ and src\/handlers\//);
  });

  it("leaves what differs in the project, and says so; --force does not", async () => {
    await attach();
    const mine = `// mine\n${script("keyHandler")}`;
    await writeFile(join(project, "handlers/event_handlers/key.js"), mine);
    const { code, stdout } = await attach();
    assert.equal(code, 0);
    assert.match(stdout, /kept {2}handlers\/event_handlers\/key\.js[\s\S]*--force replaces them/);
    assert.equal(await readFile(join(project, "handlers/event_handlers/key.js"), "utf8"), mine);
    assert.match((await attach("--force")).stdout, /replaced {2}handlers\/event_handlers\/key\.js/);
    assert.equal(
      await readFile(join(project, "handlers/event_handlers/key.js"), "utf8"),
      script("keyHandler"),
    );
  });

  it("writes nothing with --dry-run", async () => {
    const { code, stdout } = await attach("--dry-run");
    assert.equal(code, 0);
    assert.match(stdout, /would write {2}gateway\/apps\/pair\.json/);
    assert.deepEqual(await textsIn(project), {});
  });

  it("writes nothing into the gateway's own folder, whichever way leads there", async () => {
    await mkdir(join(project, "other"));
    await symlink(join(gateway, "event_handlers"), join(project, "other/handlers"));
    await symlink(gateway, join(project, "linked"));
    const before = await stateOf(gateway);
    for (const [args, named] of [
      [["--out", join(gateway, "out")], "tyk/out"],
      [["--out", join(gateway, "apps")], "tyk/apps"],
      [["--out", "linked/deep/out"], "linked/deep/out"],
      [["--dir", gateway], "tyk"],
      [["--dir", "other"], "other/handlers"],
    ] as [string[], string][]) {
      for (const dry of [[], ["--dry-run"]]) {
        const { code, stderr } = await attach(...args, ...dry);
        assert.equal(code, 2, args.join(" "));
        assert.match(stderr, new RegExp(`${named}\\S* is in the gateway's own folder`));
      }
    }
    assert.equal((await run("detach", "--out", join(gateway, "old"))).code, 2);
    assert.deepEqual(await stateOf(gateway), before);
    assert.deepEqual(await readdir(project), ["linked", "other"]);
  });

  it("takes nothing from outside of the gateway's folder", async () => {
    const outside = join(root, "own.js");
    await writeFile(outside, "var own = 1;\n");
    const conf = GATEWAY["tyk.conf"] as object;
    const ways: Record<string, () => Promise<unknown>> = {
      "event_handlers/key.js": () => symlink(outside, join(gateway, "event_handlers/key.js")),
      "apps/quiet.json": () => symlink(outside, join(gateway, "apps/quiet.json")),
      event_handlers: () => symlink(root, join(gateway, "event_handlers")),
      "tyk.conf": () => write(gateway, { "tyk.conf": { ...conf, tyk_js_path: "../own.js" } }),
    };
    await writeFile(join(root, "key.js"), "var own = 1;\n");
    for (const [path, plant] of Object.entries(ways)) {
      await rm(gateway, { recursive: true });
      await write(gateway, GATEWAY);
      await rm(join(gateway, path), { recursive: true });
      await plant();
      const { code, stderr } = await attach();
      assert.equal(code, 2, path);
      assert.match(stderr, /leads out of the gateway's folder, to \S+(own|key|quota)\.js, and what is there/);
      assert.deepEqual(await readdir(project), [], path);
    }
    // Links inside of it are its own matter, as is the folder's own place.
    await rm(gateway, { recursive: true });
    await write(gateway, GATEWAY);
    await symlink("event_handlers", join(gateway, "linked"));
    await write(gateway, {
      "apps/linked.json": classic("linked", { KeyExpired: [dynamic("keyHandler", "linked/key.js")] }),
    });
    await symlink(gateway, join(root, "also"));
    const apps = join(root, "also/apps");
    assert.equal((await runCli(["attach", "--apps", apps, "--url", URL_HERE], { cwd: project })).code, 0);
    assert.match(await readFile(join(project, "handlers/linked/key.js"), "utf8"), /keyHandler/);
  });

  it("breaks a link to the gateway's file, instead of writing through it", async () => {
    await mkdir(join(project, "apis"));
    await link(join(gateway, "apps/quiet.json"), join(project, "apis/quiet.json"));
    await symlink(join(gateway, "apps/pair.json"), join(project, "apis/pair.json"));
    const before = await stateOf(gateway);
    assert.equal((await attach("--force")).code, 0);
    assert.deepEqual(await stateOf(gateway), before);
    assert.equal((await read("apis/pair.json")).proxy, undefined);
  });

  it("keeps in the gateway what would not go live, and says why", async () => {
    await write(gateway, {
      "apps/broken.json": '{"api_id": "broken",}',
      "apps/missing.json": classic("missing", { KeyExpired: [dynamic("h", "nowhere.js")] }),
      "apps/odd.json": classic("odd", { KeyExpired: [dynamic("a;b", KEY)] }),
      "event_handlers/comma.js": `var o = {\n  a: 1\n  b: 2\n};\n${script("comma")}`,
      "apps/comma.json": classic("comma", { KeyExpired: [dynamic("comma", "event_handlers/comma.js")] }),
    });
    const { code, stdout } = await attach("--json");
    assert.equal(code, 1);
    const { errors, runs, stays } = JSON.parse(stdout);
    assert.deepEqual(
      errors.map(({ file }: { file: string }) => file),
      ["broken.json", "odd.json", "apis/missing.json", "handlers/event_handlers/comma.js"],
    );
    const kept = ["comma", "missing", "odd"];
    assert.deepEqual(
      stays
        .filter(({ kind }: { kind: string }) => kind === "eh_dynamic_handler")
        .map(({ api }: { api: string }) => api),
      kept,
    );
    assert.ok(!runs.some(({ api }: { api: string }) => kept.includes(api)));
    const patched = await readdir(join(project, "gateway/apps"));
    for (const name of [...kept, "broken"]) assert.ok(!patched.includes(`${name}.json`), name);
    assert.ok(patched.includes("classic.json"));
  });

  it("takes what was fixed in the project, and what the gateway has no longer, from there", async () => {
    await write(gateway, {
      "event_handlers/comma.js": `var o = {\n  a: 1\n  b: 2\n};\n${script("comma")}`,
      "apps/comma.json": classic("comma", { KeyExpired: [dynamic("comma", "event_handlers/comma.js")] }),
    });
    assert.equal((await attach()).code, 1);
    await write(project, { "handlers/event_handlers/comma.js": script("comma") });
    await rm(join(gateway, KEY));
    const { code, stdout } = await attach("--json");
    assert.equal(code, 0, stdout);
    assert.deepEqual(
      JSON.parse(stdout).files.filter(({ put }: { put: string }) => put !== "same"),
      [
        { path: "handlers/event_handlers/comma.js", put: "kept" },
        { path: "gateway/apps/comma.json", put: "written" },
      ],
    );
    assert.equal((await attach("--force")).code, 1);
  });

  it("tells which handlers have one name in two files", async () => {
    await write(gateway, {
      "event_handlers/twin.js": script("keyHandler"),
      "apps/twin.json": classic("twin", { KeyExpired: [dynamic("keyHandler", "event_handlers/twin.js")] }),
    });
    const { code, stdout } = await attach();
    assert.equal(code, 0);
    assert.match(stdout, /keyHandler is defined in handlers\/event_handlers\/key\.js:1 too/);
  });

  it("sends the gateway's own events, and leaves a monitor that is somebody else's", async () => {
    const { event_handlers: own } = GATEWAY["tyk.conf"] as {
      event_handlers: { events: Record<string, object[]> };
    };
    await attach();
    const { event_handlers, monitor } = await read("gateway/tyk.conf-members.json");
    const targets = Object.entries(event_handlers.events as Record<string, GatewayHandler[]>).map(
      ([type, entries]) => [
        type,
        ...entries.map(({ handler_name, handler_meta }) => handler_meta.target_path ?? handler_name),
      ],
    );
    const url = `${URL_HERE}/events/gateway`;
    assert.deepEqual(targets, [
      ["TokenCreated", "eh_log_handler", url],
      ["PluginFired", url],
      ["TokenUpdated", url],
      ["TokenDeleted", url],
    ]);
    assert.equal(monitor.configuration.target_path, url);
    assert.equal(monitor.enable_trigger_monitors, true);
    assert.equal(monitor.configuration.template_path, "/opt/tyk-gateway/templates/full_event.json");
    // The script for a plugin's event, which the gateway itself cannot run.
    assert.deepEqual((await read("gateway.json")).event_handlers.events, {
      PluginFired: own.events.PluginFired,
    });
    const conf = { ...(GATEWAY["tyk.conf"] as object), event_handlers, monitor };
    await write(gateway, { "tyk.conf": conf });
    assert.match((await attach()).stdout, /^Nothing has changed\./);
    await run("detach");
    const old = await read("gateway/tyk.conf-members.json");
    assert.deepEqual(old.event_handlers, own);
    assert.deepEqual([old.monitor.enable_trigger_monitors, old.monitor.configuration], [false, undefined]);
    const elsewhere = {
      enable_trigger_monitors: true,
      configuration: { target_path: "http://127.0.0.1:9/" },
    };
    await write(gateway, { "tyk.conf": { ...conf, monitor: elsewhere } });
    await attach();
    assert.ok(!("monitor" in (await read("gateway/tyk.conf-members.json"))));
  });

  it("says that definitions of an earlier run are not to be copied any more", async () => {
    await attach();
    await rm(join(gateway, "apps/export.json"));
    assert.match((await attach()).stdout, /gateway\/apps\/export\.json is of an earlier run: remove it/);
  });

  it("is called wrongly without an address, or with one that is not", async () => {
    for (const [args, says] of [
      [[], /--url is missing/],
      [["--url", "ftp://a"], /--url must be/],
      [["--url", "http://u:p@a"], /--url must be/],
      ...[".", "apis", "handlers/deep"].map((out) => [
        ["--url", URL_HERE, "--out", out],
        /--out must be a folder of its own/,
      ]),
      [
        ["--url", URL_HERE, "--apps", join(root, "none")],
        /API definitions .*none cannot be read: it does not exist/,
      ],
      [["--url", URL_HERE, "--tyk-conf", join(root, "none")], /configuration .* cannot be read/],
    ] as [string[], RegExp][]) {
      const { code, stderr } = await run("attach", ...args);
      assert.equal(code, 2, stderr);
      assert.match(stderr, says);
    }
    assert.deepEqual(await textsIn(project), {});
  });

  describe("and detach", () => {
    it("gives every file back to the byte", async () => {
      await attach();
      await copyToGateway();
      const { code, stdout } = await run("detach", "--out", "old");
      assert.equal(code, 0);
      assert.match(stdout, /wrote {2}old\/apps\/classic\.json/);
      const old = await textsIn(join(project, "old/apps"));
      assert.deepEqual(Object.keys(old), [
        "classic.json",
        "export.json",
        "list.json",
        "pair-oas.json",
        "pair.json",
      ]);
      for (const [name, text] of Object.entries(old))
        assert.equal(text, JSON.stringify(GATEWAY[`apps/${name}`], undefined, 2), name);
    });

    it("finds nothing to do in a gateway that is not attached", async () => {
      const { code, stdout } = await run("detach", "--json");
      assert.equal(code, 0);
      const { files } = JSON.parse(stdout) as { files: { path: string }[] };
      assert.ok(!files.some(({ path }) => path.includes("apps/")));
    });
  });

  it("finds the handlers again that the gateway left out when it made the classic definition again", async () => {
    await attach();
    await copyToGateway();
    const patched = await read("gateway/apps/pair.json");
    // As a gateway writes it that is given the document by its API.
    const [{ handler_meta: meta }] = patched.event_handlers.events.AuthFailure;
    const { gatehook: carried, ...rest } = meta;
    const rewritten = { disabled: false, id: "", name: "gatehook", ...rest };
    patched.event_handlers.events.AuthFailure[0].handler_meta = rewritten;
    await write(gateway, { "apps/pair.json": patched });
    const { stdout } = await attach("--json");
    assert.deepEqual(
      JSON.parse(stdout).files.filter(({ put }: { put: string }) => put !== "same"),
      [{ path: "gateway/apps/pair.json", put: "replaced" }],
    );
    const again = (await read("gateway/apps/pair.json")).event_handlers.events.AuthFailure[0].handler_meta;
    assert.deepEqual(again, { ...meta, gatehook: [{ disabled: false, id: "", ...carried[0] }] });
  });
});

describe("one definition for the gateway and for gatehook", () => {
  let root = "";
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "gatehook-attach-"));
    await write(join(root, "tyk"), GATEWAY);
    const args = ["attach", "--apps", join(root, "tyk/apps"), "--url", URL_HERE, "--dir", join(root, "made")];
    const { code, stderr } = await runCli(args, { env: { INGEST_TOKEN: TOKEN } });
    assert.equal(code, 0, stderr);
    // The very files that the gateway loads, in place of those in apis/.
    const patched = Object.entries(await textsIn(join(root, "made/gateway/apps")));
    const handlers = Object.entries(await textsIn(join(root, "made/handlers")));
    await write(
      join(root, "one"),
      Object.fromEntries([
        ...patched.map(([name, text]) => [`apis/${name}`, text]),
        ...handlers.map(([name, text]) => [`handlers/${name}`, text]),
      ]),
    );
  });
  after(() => rm(root, { recursive: true }));

  it("has the gateway send each event once and run no script", async () => {
    for (const [name, text] of Object.entries(await textsIn(join(root, "one/apis")))) {
      const before = activeHandlers(JSON.stringify(GATEWAY[`apps/${name}`]));
      const after = activeHandlers(text);
      assert.ok(
        before.some(({ kind }) => kind === "script"),
        name,
      );
      assert.deepEqual(
        after.filter(({ kind }) => kind === "script"),
        [],
        name,
      );
      const scripted = new Set(
        before.filter(({ kind }) => kind === "script").map(({ api, type }) => `${api} ${type}`),
      );
      const sent = after.filter(({ kind }) => kind === "webhook");
      assert.deepEqual(sent.map(({ api, type }) => `${api} ${type}`).sort(), [...scripted].sort(), name);
      for (const { api, webhook } of sent)
        assert.deepEqual(webhook, {
          method: "POST",
          url: `${URL_HERE}/events/${api}`,
          template: "templates/full_event.json",
          headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
          seconds: 1,
        });
      const others = (all: typeof after) => all.filter(({ kind }) => kind === "log");
      assert.deepEqual(others(after), others(before), name);
    }
  });

  it("has gatehook run what the gateway ran before", async () => {
    const check = await runCli(["check", "--json", "--dir", join(root, "one")]);
    const { result, errors, warnings } = JSON.parse(check.stdout);
    assert.deepEqual([check.code, result, errors, warnings], [0, "ok", [], []]);
    const handlersIn = async (folder: string) =>
      readCandidate(await readSourceFiles(join(root, folder))).release.apis.map(({ api_id, handlers }) => [
        api_id,
        handlers,
      ]);
    const made = await handlersIn("made");
    assert.deepEqual(
      await handlersIn("one"),
      made.filter(([id]) => id !== "quiet"),
    );
  });
});

describe("a pair that a gateway has made of an attached document", () => {
  it("has the handlers that the document carries, each once with those of the classic file", () => {
    const webhook = {
      handler_name: "eh_web_hook_handler",
      handler_meta: { name: "gatehook", target_path: URL_HERE },
    };
    const classicText = (entries: object[]) =>
      JSON.stringify(classic("pair", { AuthFailure: entries }, { is_oas: true }));
    const document = {
      ...oas("pair", []),
      "x-gatehook": {
        eventHandlers: [
          custom("AuthFailure", "keyHandler", `./${KEY}`),
          custom("__proto__", "keyHandler", KEY),
        ],
      },
    };
    for (const entries of [[webhook], [dynamic("keyHandler", KEY)]]) {
      const { release, errors, warnings } = readCandidate([
        { path: "apis/pair.json", text: classicText(entries) },
        { path: "apis/pair-oas.json", text: JSON.stringify(document) },
        { path: `handlers/${KEY}`, text: script("keyHandler") },
      ]);
      assert.deepEqual(errors, []);
      assert.deepEqual(
        warnings.filter(({ message }) => !message.includes("no gateway fires")),
        [],
      );
      const ref = { name: "keyHandler", path: KEY };
      assert.deepEqual(Object.entries(release.apis[0]?.handlers ?? {}), [
        ["AuthFailure", [ref]],
        ["__proto__", [ref]],
      ]);
    }
  });
});

describe("an attached gateway's events", () => {
  let root = "";
  let stack: TestStack;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "gatehook-attach-"));
    await write(join(root, "tyk"), GATEWAY);
    stack = await startTestStack({ settings: { INGEST_AUTH: "token", INGEST_TOKEN: TOKEN } });
  });
  after(async () => {
    await stack.close();
    await rm(root, { recursive: true });
  });

  it("run the handlers of a release that is live, each once", async () => {
    const args = ["--apps", join(root, "tyk/apps"), "--url", stack.url, "--dir", join(root, "made")];
    const { code, stderr } = await runCli(["attach", ...args], { env: { INGEST_TOKEN: TOKEN } });
    assert.equal(code, 0, stderr);
    for (const file of await readSourceFiles(join(root, "made"))) await stack.releases.writeSource(file);
    const { result } = await stack.release();
    assert.equal(result, "live");
    const definitions = Object.entries(await textsIn(join(root, "made/gateway/apps")));
    const sent = definitions
      .filter(([name]) => name !== "pair-oas.json")
      .flatMap(([, text]) => activeHandlers(text).filter(({ kind }) => kind === "webhook"));
    const ran: string[] = [];
    stack.facts.listen(({ message, fields }) => {
      if (message === "script" && !String(fields.text).startsWith("Calling")) ran.push(String(fields.text));
    });
    for (const { type, webhook } of sent) {
      const answer = await fetch(webhook?.url ?? "", {
        method: webhook?.method ?? "",
        headers: webhook?.headers ?? {},
        body: `<script>${JSON.stringify({ Type: type, Meta: { Key: "k" }, TimeStamp: "" })}</script>`,
      });
      assert.equal(answer.status, 202);
      const { id, form } = (await answer.json()) as { id: string; form: string };
      assert.equal(form, "script");
      await stack.fact(({ message, fields }) => message === "event done" && fields.event_id === id);
    }
    assert.deepEqual(ran.sort(), [
      "keyHandler AuthFailure classic",
      "keyHandler AuthFailure pair",
      "keyHandler KeyExpired classic",
      "keyHandler KeyExpired list1",
      "keyHandler KeyExpired list2",
      "quotaHandler AuthFailure classic",
      "quotaHandler KeyExpired dash",
      "quotaHandler KeyExpired list2",
    ]);
  });
});
