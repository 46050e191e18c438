import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { devSettings } from "../../cli/dev/settings.ts";
import { FUNCTION_SETTINGS, type FunctionSetting } from "../../lib/settings/function-settings.ts";
import { NO_PROJECT, parseProject } from "../../lib/settings/project.ts";
import { defaultText, isSecret, type Setting } from "../../lib/settings/setting.ts";
import { startStack } from "../../local/stack.ts";
import { runCli } from "../helpers/cli.ts";

/** Loaded into each function before it: writes a line for every variable that the function reads. */
const SPY = `
  const read = new Set();
  process.env = new Proxy({ ...process.env }, {
    get(env, name) {
      if (typeof name === "string" && !read.has(name)) {
        read.add(name);
        process.stdout.write("read " + JSON.stringify([name, env[name] ?? null]) + "\\n");
      }
      return env[name];
    },
  });`;

/** A value that is not the local stack's default. */
function otherValue(name: string, setting: Setting): string {
  if (name === "INGEST_AUTH") return "token";
  if (name === "WEBHOOK_SECRETS") return `whsec_${"A".repeat(32)}`;
  switch (setting.kind) {
    case "integer":
      return String(setting.default < setting.max ? setting.default + 1 : setting.default - 1);
    case "flag":
      return String(!setting.default);
    case "choice":
      return setting.choices[1] ?? "";
    case "url":
      return "http://127.0.0.1:9";
    default:
      return `a-value-of-${name.toLowerCase()}`;
  }
}

/** A value that must not count. */
const weakerValue = (setting: Setting) =>
  defaultText(setting) || (setting.kind === "url" ? "http://127.0.0.1:1" : "a-weaker-value");

/** Not to be set with the GATEWAY_URL that others need. */
const ALONE = "KEYS_API_SECRET";

const SETTINGS = Object.entries<FunctionSetting>(FUNCTION_SETTINGS).filter(
  ([name, { resource, deployed }]) => !resource && !deployed && name !== ALONE,
);
const EXPECTED = SETTINGS.flatMap(([name, setting]) =>
  setting.functions.map((each) => ({ name, each, value: otherValue(name, setting) })),
);
/** The ways to set one, the strongest first. */
const WAYS = ["--set", "environment", "stages.local", "settings"] as const;

/** In a file there is no secret, and its reference counts in a deployment only. */
const REFERENCE = "{{resolve:secretsmanager:gatehook/secret}}";

/** Each way sets a quarter of the settings, and those of the stronger ways to a value that must not count. */
function given(way: (typeof WAYS)[number]): Record<string, string> {
  const rank = WAYS.indexOf(way);
  const values = SETTINGS.flatMap(([name, setting], index) => {
    const isUnwritten = isSecret(setting);
    const own = index % (isUnwritten ? 2 : WAYS.length);
    if (own > rank) return [];
    const weaker = isUnwritten && rank >= 2 ? REFERENCE : weakerValue(setting);
    return [[name, own === rank ? otherValue(name, setting) : weaker]];
  });
  return Object.fromEntries(values);
}

describe("every setting of the functions counts in the local stack", () => {
  const seen = new Map<string, string | null>();
  let close = async () => {};

  before(async () => {
    const json = JSON.stringify({
      settings: given("settings"),
      stages: { local: { settings: given("stages.local") } },
    });
    const read = parseProject(json);
    assert.ok("project" in read, JSON.stringify(read));
    const elsewhere = { EVENTS_QUEUE_URL: "http://elsewhere/queue", STATE_TABLE: "elsewhere" };
    const options = devSettings(read.project, { ...given("environment"), ...elsewhere }, given("--set"));
    const { promise: all, resolve } = Promise.withResolvers<void>();
    const missing = new Set(EXPECTED.map(({ each, name }) => `${each} ${name}`));
    const stack = await startStack({
      ...options,
      port: 0,
      env: process.env,
      prefix: `test-${randomUUID().slice(0, 8)}`,
      settings: {
        ...options.settings,
        NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(SPY)}`,
      },
      onLine(each, line) {
        if (!line.startsWith("read ")) return;
        const [name, value] = JSON.parse(line.slice(5)) as [string, string | null];
        seen.set(`${each} ${name}`, value);
        missing.delete(`${each} ${name}`);
        if (missing.size === 0) resolve();
      },
    });
    close = stack.close;
    const late = AbortSignal.timeout(30_000);
    late.addEventListener("abort", () => resolve());
    await all;
  });
  after(() => close());

  for (const { name, each, value } of EXPECTED)
    it(`${name}, in ${each}`, () => assert.equal(seen.get(`${each} ${name}`), value));

  it(`${ALONE} by itself, in sessions`, async () => {
    const set = { [ALONE]: "a-secret-of-the-key-api" };
    const options = devSettings(NO_PROJECT, {}, set);
    const stack = await startStack({
      ...options,
      port: 0,
      env: process.env,
      prefix: `test-${randomUUID().slice(0, 8)}`,
    });
    const headers = { "x-tyk-authorization": set[ALONE] ?? "" };
    const { status } = await fetch(`${stack.url}/tyk/keys`, { headers });
    await stack.close();
    assert.equal(status, 200);
  });

  it("but for those that name what the stack makes", () => {
    for (const name of ["EVENTS_QUEUE_URL", "STATE_TABLE"])
      assert.match(seen.get(`consumer ${name}`) ?? "", /^(?!.*elsewhere)./);
  });
});

describe("gatehook dev with settings", () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "gatehook-"));
    await mkdir(join(folder, "apis"));
    await mkdir(join(folder, "handlers"));
    const trigger = { handler_name: "eh_dynamic_handler", handler_meta: { name: "h", path: "h.js" } };
    const definition = { api_id: "demo", event_handlers: { events: { KeyExpired: [trigger] } } };
    await writeFile(join(folder, "apis/demo.json"), JSON.stringify(definition));
    const handler =
      "var h = new TykJS.TykEventHandlers.NewEventHandler({}); h.NewHandler(function () { for (;;); });";
    await writeFile(join(folder, "handlers/h.js"), handler);
  });
  after(() => rm(folder, { recursive: true }));

  const dev = (...args: string[]) => runCli(["dev", "--once", ...args], { cwd: folder });
  const project = (value: unknown) =>
    writeFile(join(folder, "gatehook.json"), typeof value === "string" ? value : JSON.stringify(value));

  it("ends an endless handler at the time of its gatehook.json, or of its --set", async () => {
    await project({ settings: { HANDLER_TIMEOUT_MS: 60 } });
    for (const [args, ms] of [
      [[], 60],
      [["--set", "HANDLER_TIMEOUT_MS=90"], 90],
    ] as const) {
      const { code, stderr } = await dev(...args);
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`ran longer than ${ms} ms`));
    }
  });

  it("says what is wrong with one, where, and what it may be", async () => {
    await project({});
    const wrong: [args: string[], ...said: RegExp[]][] = [
      [["--set", "MAX_ATTEMPT=3"], /there is no setting MAX_ATTEMPT/, /did you mean MAX_ATTEMPTS\?/],
      [["--set", "MAX_ATTEMPTS=many"], /"many"/, /a whole number from 1 to 1000/],
      [["--set", "MAX_ATTEMPTS"], /NAME=value/],
      [["--set", "STATE_TABLE=mine"], /STATE_TABLE is made by the stack/],
      [["--set", "apiRate=5"], /apiRate counts in a deployment only/],
      [
        [
          "--set",
          `${ALONE}=a-secret-of-the-key-api`,
          "--set",
          "GATEWAY_URL=http://g",
          "--set",
          "GATEWAY_SECRET=s",
        ],
        /KEYS_API_SECRET is set together with GATEWAY_URL/,
      ],
      [["--set", "RUNTIME_WORKERS=4"], /RUNTIME_WORKERS/, /RUNTIME_ISOLATION=event/],
    ];
    for (const [args, ...said] of wrong) {
      const { code, stderr, leftovers } = await dev(...args);
      assert.equal(code, 2, args.join(" "));
      for (const words of said) assert.match(stderr, words);
      assert.equal(leftovers, false);
    }
    const { code, stderr } = await runCli(["dev", "--once"], {
      cwd: folder,
      env: { HANDLER_ERRORS: "ignore" },
    });
    assert.equal(code, 2);
    assert.match(stderr, /environment, HANDLER_ERRORS is "ignore", but must be retry or drop/);
  });

  it("names each line at fault in gatehook.json", async () => {
    const cases: [text: string, ...said: RegExp[]][] = [
      [
        '{\n  "settings": {\n    "MAX_ATTEMPTS": 0,\n    "HANDLER_ERROR": "drop"\n  }\n}',
        /gatehook\.json:3: MAX_ATTEMPTS is "0"/,
        /gatehook\.json:4: there is no setting HANDLER_ERROR \(did you mean HANDLER_ERRORS\?\)/,
      ],
      ['{\n  "setting": {}\n}', /gatehook\.json:2: there is no member setting: did you mean settings\?/],
      ['{ "settings": [] }', /gatehook\.json:1: settings must be an object/],
      ['{ "settings": { "MAX_ATTEMPTS": null } }', /settings\.MAX_ATTEMPTS must be a text, a number/],
      ['{\n  "settings": {}\n  "stages": {}\n}', /gatehook\.json:2: a comma is missing after }/],
      ['{ "settings": {}, "settings": {} }', /settings is there twice/],
      ["[]", /gatehook\.json:1: this must be an object/],
      ["", /gatehook\.json:1: the file is empty/],
    ];
    for (const [text, ...said] of cases) {
      await project(text);
      const { code, stderr } = await dev();
      assert.equal(code, 2, text);
      for (const words of said) assert.match(stderr, words);
    }
  });
});
