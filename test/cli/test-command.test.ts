// gatehook test: the tests of a folder, run on its files.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, symlinkSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { runCli } from "../helpers/cli.ts";
import { definition, handler, newFolder, writeFiles } from "../helpers/dev.ts";
import { reader } from "../helpers/said.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const API = JSON.parse(
  definition("shop", { KeyExpired: "move", QuotaExceeded: "ask", HostDown: "store", HostUp: "typed" }),
);
const FOLDER = {
  "apis/shop.json": JSON.stringify({ ...API, config_data: { by: 10, token: "env://mover/token" } }),
  "tykjs.js": "var core = 'core';",
  "handlers/move.js": handler(
    "move",
    `var session = JSON.parse(TykGetKeyData(event.Meta.Key, context.APIID));
session.expires += context.config_data.by; log(core + " " + context.config_data.token + " " + Date.now());
TykSetKeyData(event.Meta.Key, JSON.stringify(session), 1);`,
  ),
  "handlers/ask.js": handler(
    "ask",
    `var answer = TykMakeHttpRequest(JSON.stringify({ Method: "POST", Domain: "https://a.example", Resource: "/x", Body: event.Meta.Key }));
log(String(answer && JSON.parse(answer).Code));`,
  ),
  "handlers/store.js": handler(
    "store",
    `TykStorageSet("k", "1", 0); log(TykStorageGet("k") + TykStorageGet("given") + Math.random());`,
  ),
  "handlers/typed.ts": `import { by } from "./by.ts";
export const typed = new TykJS.TykEventHandlers.NewEventHandler({});
typed.NewHandler((event: { Meta: { Key: string } }) => {
  const many: number = by;
  if (event.Meta.Key === "bad") throw new RangeError("too many: " + many);
  log("typed " + many);
});
`,
  "handlers/by.ts": "export const by: number = 3;\n",
};
const event = (Type: string, Key = "k") => ({ Type, Meta: { Key } });
const rights = { access_rights: { shop: { api_id: "shop" } } };
const NOW = "2026-12-24T18:00:00.000Z";
const MOVE = {
  api_id: "shop",
  event: event("KeyExpired"),
  now: NOW,
  sessions: { k: { expires: 5, ...rights } },
  expect: {
    logs: [{ text: `core t-1 ${Date.parse(NOW)}` }],
    sessions: { k: { expires: 15, ...rights } },
  },
};
const ASK = {
  api_id: "shop",
  event: event("QuotaExceeded"),
  http: [{ request: { Method: "POST", Body: "k" }, answer: { Code: 202 } }],
  expect: { outcome: "done", logs: [{ text: "202" }], http: ["POST https://a.example/x"], sessions: {} },
};
const TESTS = {
  move: MOVE,
  ask: ASK,
  refused: {
    ...ASK,
    http: [{ request: {}, answer: null, error: "no route" }],
    expect: { logs: [{ level: "error", text: "no route" }, { text: "undefined" }] },
  },
  store: {
    api_id: "shop",
    event: event("HostDown"),
    took: [{ handler: "store", seed: "1f" }],
    storage: [{ args: ["get", "given"], answer: { error: null, value: "9" } }],
    expect: { logs: [{ text: "190.6866957648819205" }] },
  },
  typed: {
    api_id: "shop",
    event: event("HostUp"),
    expect: { logs: [{ handler: "typed", level: "info", text: "typed 3" }] },
  },
  bad: {
    api_id: "shop",
    event: event("HostUp", "bad"),
    expect: { outcome: "failed", reason: "handler-threw", error: "RangeError: too many: 3" },
  },
};

describe("gatehook test", () => {
  let folder = "";
  const env = { CONFIG_DATA_MOVER_TOKEN: "t-1" };
  const test = (...args: string[]) => runCli(["test", ...args], { cwd: folder, env });
  const put = (name: string, value: object) =>
    writeFiles(folder, { [`tests/${name}.json`]: JSON.stringify(value, undefined, 2) });
  before(async () => {
    folder = await newFolder(FOLDER);
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
    for (const [name, value] of Object.entries(TESTS)) await put(`shop/${name}`, value);
  });
  after(() => rm(folder, { recursive: true }));

  it("passes where handlers do what is expected: by config_data, the core script, recorded answers, TypeScript", async () => {
    const { code, stdout, stderr } = await test();
    assert.equal(
      stdout.replaceAll(/ {2}[\d.]+ ms/g, ""),
      [
        ...Object.keys(TESTS)
          .sort()
          .map((name) => `✓ shop/${name}`),
        "",
        "6 tests: 6 passed",
        "",
      ].join("\n"),
      stderr,
    );
    assert.equal(code, 0);
  });

  it("tells what is otherwise, at the line of the test and of the script", async () => {
    await put("wrong/session", {
      ...MOVE,
      expect: { sessions: { k: { expires: 16, ...rights }, other: null } },
    });
    await put("wrong/log", { ...MOVE, expect: { logs: [{ text: "a" }, { text: "b" }] } });
    await put("wrong/http", {
      ...ASK,
      http: [...ASK.http, { request: { Body: "second" }, answer: null }],
      expect: { logs: [{ text: "202" }] },
    });
    await put("wrong/asked", { ...ASK, http: [] });
    await put("wrong/thrown", { ...TESTS.bad, expect: {} });
    await put("wrong/none", { ...MOVE, event: event("HostDowned") });
    await put("wrong/api", { ...MOVE, api_id: "shap" });
    const { code, stdout } = await test("wrong");
    assert.equal(code, 1);
    for (const says of [
      /✗ wrong\/session .*\n {4}tests\/wrong\/session\.json:\d+: session k, expected → now: expires 16 → 15\n.*: session other was not changed/,
      /tests\/wrong\/log\.json:\d+: logs differ, - expected, \+ now:\n {6}- a\n {6}- b\n {6}\+ move info core t-1/,
      /tests\/wrong\/http\.json:\d+: no handler asked for this: \{"Body":"second"\}/,
      /✗ wrong\/asked .*\n.*outcome: expected "done", but it is "failed"[\s\S]*makeHttpRequest with these arguments is not in the record/,
      /✗ wrong\/thrown .*\n.*\n {4}RangeError: too many: 3\n {8}at .*handlers\/typed\.ts:5:\d+\)?\n[\s\S]* {6}5 \| {3}if \(event\.Meta\.Key === "bad"\)/,
      /✗ wrong\/none .*\n.*no handler for HostDowned of API shop/,
      /✗ wrong\/api .*\n.*did you mean API shop\?/,
      /7 tests: 0 passed, 7 failed/,
    ])
      assert.match(stdout, says);
    const line = Number(/session\.json:(\d+): session k/.exec(stdout)?.[1]);
    assert.match(
      readFileSync(join(folder, "tests/wrong/session.json"), "utf8").split("\n")[line - 1] ?? "",
      /"k": \{/,
    );
  });

  it("says what is wrong with a file, and with the call", async () => {
    for (const [name, value, says] of [
      ["json", '{ "api_id": "shop",', /tests\/faulty\/json\.json:1: /],
      ["member", { ...MOVE, expects: {} }, /:\d+: expects is no member of a test: did you mean expect\?/],
      ["event", { api_id: "shop", event: { type: 1 } }, /:3: event is not fit: /],
      ["missing", { event: event("KeyExpired") }, /: api_id is missing/],
      ["session", { ...MOVE, sessions: { k: { expires: "soon" } } }, /sessions\.k is not fit: .*expires/],
      ["time", { ...MOVE, now: "yesterday" }, /now must be a time in UTC/],
      ["outcome", { ...MOVE, expect: { outcome: "fine" } }, /expect\.outcome must be one of done, failed/],
      ["list", { ...ASK, http: {} }, /http must be a list/],
      [
        "seed",
        { ...MOVE, took: [{ handler: "move", seed: "x" }] },
        /took\[0\]\.seed must have 1 to 16 hex digits/,
      ],
    ] as const) {
      const text = typeof value === "string" ? value : JSON.stringify(value, undefined, 1);
      await writeFiles(folder, { [`tests/faulty/${name}.json`]: text });
      const { code, stdout } = await test(`tests/faulty/${name}.json`);
      assert.equal(code, 1);
      assert.match(stdout, says);
    }
    for (const [args, code, says] of [
      [["nowhere"], 2, /there is no test nowhere/],
      [["shop/movo"], 2, /there is no test shop\/movo: did you mean shop\/move\?/],
      [["--reporter", "loud"], 2, /choices are spec, tap, junit/i],
      [["--dir", "nowhere"], 0, /there is no test in/],
    ] as const) {
      const told = await test(...args);
      assert.equal(told.code, code, told.stderr);
      assert.match(told.stderr, says);
    }
    await rm(join(folder, "tests/faulty"), { recursive: true });
  });

  it("writes what comes now with --update, and nothing else of the file", async () => {
    const big = "123456789012345678901234567890";
    const text = JSON.stringify({
      ...MOVE,
      sessions: { k: { expires: 1, ...rights } },
      event: event("KeyExpired"),
    }).replace('"expires":1,', `"expires":1,"meta_data":{"n":${big}},`);
    await writeFiles(folder, { "tests/new/one.json": text });
    const { code, stdout } = await test("new", "--update");
    assert.equal(code, 0);
    assert.match(stdout, /↻ new\/one/);
    const written = readFileSync(join(folder, "tests/new/one.json"), "utf8");
    assert.match(written, new RegExp(`"n": ${big}`));
    assert.equal(JSON.parse(written).expect.sessions.k.expires, 11);
    assert.match((await test("new")).stdout, /1 passed/);
    const wrong = await test("wrong/http", "--update");
    assert.equal(wrong.code, 1, "an answer that nobody asked for is for a person to take away");
    await rm(join(folder, "tests/new"), { recursive: true });
  });

  it("reports as TAP and JUnit, whatever a test says", async () => {
    await put("wrong/odd", { ...MOVE, expect: { logs: [{ text: "\u001b[31m]]> <&\u0000 \u202e" }] } });
    const tap = await test("--reporter", "tap");
    assert.equal(tap.code, 1);
    assert.match(tap.stdout, /^TAP version 13\n/);
    assert.match(tap.stdout, /^ok \d+ - shop\/move$/m);
    assert.match(tap.stdout, /^not ok \d+ - wrong\/odd$/m);
    const { stdout, code } = await test("--reporter", "junit");
    assert.equal(code, 1);
    assert.match(stdout, /<testcase name="wrong\/odd" [^>]*file="[^"]*tests\/wrong\/odd\.json"/);
    assert.match(stdout, /<failure type="testCodeFailure" message="tests\/wrong\/odd\.json:/);
    assert.equal(/[[\p{Cc}\u202e]--[\n\t]]/v.exec(stdout + tap.stdout), null);
    await rm(join(folder, "tests/wrong"), { recursive: true });
  });

  it("runs them again after each save with --watch, until it is ended", async () => {
    const cli = join(ROOT, "cli/gatehook.ts");
    const child = spawn(process.execPath, [cli, "test", "--watch"], {
      cwd: folder,
      env: { ...process.env, ...env },
    });
    const says = reader(child);
    await says(/6 tests: 6 passed[\s\S]*waiting for the next save/);
    await writeFiles(folder, { "handlers/by.ts": "export const by: number = 4;\n" });
    await says(/✗ shop\/typed[\s\S]*waiting for the next save/);
    await writeFiles(folder, { "handlers/by.ts": "export const by number = 4;\n" });
    await says(/handlers\/by\.ts:1: [\s\S]*waiting for the next save/);
    await writeFiles(folder, { "handlers/by.ts": "export const by: number = 3;\n" });
    await says(/6 tests: 6 passed[\s\S]*waiting for the next save/);
    // What is imported from elsewhere is watched too, from when it is.
    await writeFiles(folder, {
      "lib/amount.ts": "export const amount: number = 3;\n",
      "handlers/by.ts": 'export { amount as by } from "../lib/amount.ts";\n',
    });
    await says(/6 tests: 6 passed[\s\S]*waiting for the next save/);
    await writeFiles(folder, { "lib/amount.ts": "export const amount: number = 4;\n" });
    await says(/✗ shop\/typed[\s\S]*waiting for the next save/);
    await writeFiles(folder, { "lib/amount.ts": "export const amount: number = 3;\n" });
    await says(/6 tests: 6 passed[\s\S]*waiting for the next save/);
    await put("shop/another", MOVE);
    await says(/7 tests: 7 passed/);
    child.kill("SIGINT");
    await once(child, "close");
  });
});
