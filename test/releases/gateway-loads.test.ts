// What a running gateway loaded: a release has the same handlers and scripts, or the check tells of the difference.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { readCandidate } from "../../lib/releases/examine.ts";
import { runCli } from "../helpers/cli.ts";

const dynamic = (name: string, path: string, rest = {}) => ({
  handler_name: "eh_dynamic_handler",
  handler_meta: { name, path, ...rest },
});
const custom = (functionName: string, path: string, rest = {}) => ({
  enabled: true,
  trigger: "AuthFailure",
  type: "custom",
  name: functionName,
  functionName,
  path,
  ...rest,
});
const [H, OAS_H] = [dynamic("h", "h.js"), custom("h", "h.js")];
const classic = (events: Record<string, object[]> | undefined, rest = {}) => ({
  name: "Api a",
  api_id: "a",
  org_id: "o1",
  active: true,
  ...(events && { event_handlers: { events } }),
  ...rest,
});
const pair = (events: Record<string, object[]> | undefined, eventHandlers: object[] | undefined) => ({
  "apis/a.json": classic(events, { is_oas: true }),
  "apis/a-oas.json": {
    openapi: "3.0.3",
    info: { title: "a", version: "1" },
    paths: {},
    "x-tyk-api-gateway": { info: { id: "a", orgId: "o1", name: "a" }, server: { eventHandlers } },
  },
});
const alone = (...entries: object[]) => ({ "apis/a.json": classic({ AuthFailure: entries }) });
const script = (body: string, name = "h") =>
  `var ${name} = new TykJS.TykEventHandlers.NewEventHandler({});\n${name}.NewHandler(function (event, context) {\n${body}\n});\n`;

interface Folder {
  files: Record<string, object | string>;
  /** The handlers that the gateway registers, and what the check says where it is not nothing. */
  handlers: string[];
  warns?: RegExp[];
}

const FOLDERS: Record<string, Folder> = {
  "a pair of which both name the handler": {
    files: pair({ AuthFailure: [H] }, [OAS_H]),
    handlers: ["AuthFailure h h.js"],
  },
  "a pair of which only the document does: the gateway registers nothing": {
    files: pair(undefined, [OAS_H]),
    handlers: [],
    warns: [/names h for AuthFailure, which apis\/a\.json does not/, /no definition names/],
  },
  "a pair of which only the classic file does": {
    files: pair({ AuthFailure: [H] }, undefined),
    handlers: ["AuthFailure h h.js"],
  },
  "a pair whose document is newer": {
    files: pair({ AuthFailure: [H] }, [OAS_H, custom("k", "gone.js", { name: "h" })]),
    handlers: ["AuthFailure h h.js"],
    warns: [/names k for AuthFailure, which apis\/a\.json does not/],
  },
  "a pair with a disabled entry whose script is not there": {
    files: pair({ AuthFailure: [dynamic("gone", "gone.js", { disabled: true, id: "" }), H] }, [
      custom("gone", "gone.js", { enabled: false, name: "h" }),
      OAS_H,
    ]),
    handlers: ["AuthFailure h h.js"],
  },
  "a pair as the gateway writes it": {
    files: pair(
      {
        AuthFailure: [
          dynamic("h", "h.js", { disabled: false, id: "i" }),
          dynamic("", "", { disabled: true, id: "i2" }),
        ],
        KeyExpired: [{ handler_name: "eh_log_handler", handler_meta: { disabled: false, prefix: "p" } }],
        QuotaExceeded: [
          {
            handler_name: "eh_web_hook_handler",
            handler_meta: {
              disabled: false,
              event_timeout: 89,
              header_map: { a: "b" },
              id: "w1",
              method: "POST",
              name: "w",
              target_path: "http://127.0.0.1:9/",
              template_path: "templates/full_event.json",
            },
          },
        ],
      },
      [
        {
          enabled: true,
          trigger: "QuotaExceeded",
          type: "webhook",
          name: "w",
          id: "w1",
          url: "http://127.0.0.1:9/",
          method: "POST",
          cooldownPeriod: "1m29s",
          bodyTemplate: "templates/full_event.json",
          headers: [{ name: "a", value: "b" }],
        },
        { enabled: true, trigger: "KeyExpired", type: "log", name: "l", id: "l1", logPrefix: "p" },
        custom("h", "h.js", { name: "other", id: "i" }),
        custom("", "", { enabled: false, name: "h", id: "i2" }),
      ],
    ),
    handlers: ["AuthFailure h h.js"],
  },
  "event_handlers given twice": {
    files: {
      "apis/a.json": `{"api_id":"a","event_handlers":{"events":${JSON.stringify({ KeyExpired: [dynamic("k", "k.js")] })}},"event_handlers":{"events":${JSON.stringify({ AuthFailure: [H] })}}}`,
      "handlers/k.js": script("log('k');", "k"),
    },
    handlers: ["KeyExpired k k.js", "AuthFailure h h.js"],
  },
  "an empty entry": {
    files: alone({}, H),
    handlers: ["AuthFailure h h.js"],
    warns: [/AuthFailure\.0\.handler_name is ""/],
  },
  "an unknown kind": {
    files: alone({ handler_name: "eh_future_handler", handler_meta: { name: "x" } }, H),
    handlers: ["AuthFailure h h.js"],
    warns: [/AuthFailure\.0\.handler_name is "eh_future_handler"/],
  },
  "a path that begins with a dot": { files: alone(dynamic("h", "./h.js")), handlers: ["AuthFailure h h.js"] },
};

interface Script {
  text: string;
  /** What the check says of it. */
  tells: RegExp;
  isError?: boolean;
}

/** These run in the gateway, and otherwise or not at all here. */
const SCRIPTS: Record<string, Script> = {
  "a comma left out of an object": {
    text: `var o = {\n  a: 1\n  b: 2,\n  c: "x"\n};\n${script('log(o.a + "|" + o.b + "|" + o.c);')}`,
    tells: /is a comma missing before it\? The gateway's engine lets one be left out/,
    isError: true,
  },
  "a function that is declared in a block": {
    text: script(
      'log(typeof inner); if (event.Type) { function inner() { return "a" } } else { function inner() { return "b" } }\nlog(inner());',
    ),
    tells: /function inner is declared in a block/,
  },
  "Go's flags in a regular expression": {
    text: script('log(String(/(?i)abc/.test("xABC")));\nlog(String(/(?i:x)y/.test("Xy")));'),
    tells: /\(\?i\)/,
    isError: true,
  },
  "Go's classes in a regular expression": {
    text: script(
      'log(String(/^[[:digit:]]+$/.test("123")));\nlog(String(/\\pL/.test("é")) + String(/\\Qa.b\\E/.test("a.b")) + String(/a\\z/.test("a")));',
    ),
    tells: /\[\[:class:\]\]/,
  },
};

describe("what a gateway loads", () => {
  let root = "";
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "gatehook-loads-"));
  });
  after(() => rm(root, { recursive: true }));

  async function folder(name: string, files: Record<string, object | string>): Promise<string> {
    for (const [path, content] of Object.entries(files)) {
      const file = join(root, name, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, typeof content === "string" ? content : JSON.stringify(content, undefined, 1));
    }
    return join(root, name);
  }

  for (const [name, { files, handlers, warns = [] }] of Object.entries(FOLDERS)) {
    it(`makes a release: ${name}`, async () => {
      const all = { "handlers/h.js": script("log('ran');"), ...files };
      const { stdout, code } = await runCli(["check", "--json", "--dir", await folder(name, all)]);
      const { result, errors, warnings } = JSON.parse(stdout);
      assert.deepEqual([code, result, errors], [0, "ok", []]);
      assert.equal(warnings.length, warns.length, JSON.stringify(warnings));
      for (const [at, says] of warns.entries()) assert.match(warnings[at].message, says);
      const { release } = readCandidate(
        Object.entries(all).map(([path, content]) => ({
          path,
          text: typeof content === "string" ? content : JSON.stringify(content),
        })),
      );
      const registered = release.apis.flatMap((api) =>
        Object.entries(api.handlers).flatMap(([type, refs]) =>
          refs.map((ref) => `${type} ${ref.name} ${ref.path}`),
        ),
      );
      assert.deepEqual(registered, handlers);
      assert.deepEqual(
        release.scripts.map(({ path }) => path),
        handlers.map((each) => each.split(" ").at(-1)),
      );
    });
  }

  it("is told where it would run otherwise", async () => {
    const files = Object.entries(SCRIPTS).flatMap(([, { text }], at) => [
      [`apis/t${at}.json`, { ...classic({ KeyExpired: [dynamic("h", `s${at}.js`)] }), api_id: `t${at}` }],
      [`handlers/s${at}.js`, text],
    ]);
    const { stdout } = await runCli([
      "check",
      "--json",
      "--dir",
      await folder("told", Object.fromEntries(files)),
    ]);
    const { errors, warnings } = JSON.parse(stdout) as Record<string, { file: string; message: string }[]>;
    for (const [at, [name, { tells, isError }]] of Object.entries(SCRIPTS).entries()) {
      const said = (isError ? errors : warnings)?.filter(({ file }) => file === `handlers/s${at}.js`);
      assert.ok(
        said?.some(({ message }) => tells.test(message)),
        `${name}: ${JSON.stringify([errors, warnings])}`,
      );
    }
  });

  it("has the gateway's members of an error", async () => {
    const text = script(
      'try { throw new Error("x") } catch (e) {\nlog(typeof e.stack + typeof e.message + typeof e.lineNumber); log(Object.keys(e).length + JSON.stringify(e)); log(e.hasOwnProperty("message") + ""); }',
    );
    const dir = await folder("errors", { "h.js": text });
    const { stdout } = await runCli(["run", join(dir, "h.js"), "--handler", "h", "--json"]);
    const { outcome, logs } = JSON.parse(stdout) as { outcome: string; logs: { message: string }[] };
    assert.equal(outcome, "done");
    assert.deepEqual(logs.map(({ message }) => message).slice(-2), [
      '2{"message":"x","name":"Error"}',
      "true",
    ]);
  });
});
