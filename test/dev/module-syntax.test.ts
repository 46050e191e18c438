import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { checkRelease } from "../../lib/releases/check.ts";
import { examine, readCandidate } from "../../lib/releases/examine.ts";
import { loadAssets } from "../../lib/runtime/assets.ts";
import { startRuntime } from "../../lib/runtime/runtime.ts";
import { runCli } from "../helpers/cli.ts";

const MODULES = "modules are not supported: one script per file, no import or export";
const HOW = "; gatehook push makes one script of a file of handlers/ with all that it imports";
const AWAIT = "await works only inside an async function: a script is not a module";

const HANDLER = "var h = new TykJS.TykEventHandlers.NewEventHandler({});\nh.NewHandler(function () {});\n";

/** The text that follows the two lines of the handler, what is said of it, and where: its line and column. */
const REFUSED: [source: string, message: string, line: number, column?: number][] = [
  ["import x from 'y';", MODULES + HOW, 3, 1],
  ["\n  import { a } from 'y';", MODULES + HOW, 4, 3],
  ["import * as all from 'y';", MODULES + HOW, 3, 1],
  ["import 'y';", MODULES + HOW, 3, 1],
  ["import\n{ a }\nfrom 'y';", MODULES + HOW, 3, 1],
  ["import x, { a } from './y.json' with { type: 'json' };", MODULES + HOW, 3, 1],
  ["if (true) { import 'y'; }", MODULES + HOW, 3, 13],
  ["export default h;", MODULES + HOW, 3, 1],
  ["export const a = 1;", MODULES + HOW, 3, 1],
  ["export { h };", MODULES + HOW, 3, 1],
  ["export * from 'y';", MODULES + HOW, 3, 1],
  ["export function f() {}", MODULES + HOW, 3, 1],
  ["var place = import.meta.url;", MODULES + HOW, 3, 13],
  ["export default h;\nvar broken = (;", MODULES + HOW, 3, 1],
  ["import('y');", MODULES, 3],
  ["h.NewHandler(async function () {\n  var y = await import('y');\n});", MODULES, 4],
  ["var fs = require('fs');", `${MODULES}, nor require${HOW}`, 3, 10],
  ["module.exports = h;", `${MODULES}, nor module.exports${HOW}`, 3, 1],
  ["exports.h = h;", `${MODULES}, nor exports${HOW}`, 3, 1],
  ["await h;", AWAIT, 3, 1],
  ["var y = await h;", AWAIT, 3, 9],
  ["await(h);", AWAIT, 3, 1],
  ["for await (var y of []) {}", AWAIT, 3, 5],
  ["function f() { await h; }", AWAIT, 3, 16],
];

/** What has the words, and loads, or does not load for another reason. */
const LEFT_ALONE = [
  "var text = 'import x from y'; // export default",
  "var o = { import: 1, export: 2, await: 3, require: 4 };",
  "async function f() { await h; for await (var y of []) {} }",
  "var y = typeof require === 'undefined' ? 1 : require('y');",
];
const OTHERS = [
  "var broken = (;\nimport 'y';",
  "// nothing to await\n);",
  "var y = 'import' );",
  "missing();",
];

const assets = loadAssets();

async function check(source: string) {
  const handler_meta = { name: "h", path: "h.js" };
  const events = { KeyExpired: [{ handler_name: "eh_dynamic_handler", handler_meta }] };
  const files = [
    { path: "apis/a.json", text: JSON.stringify({ api_id: "a", event_handlers: { events } }) },
    { path: "handlers/h.js", text: HANDLER + source },
  ];
  return (await examine(readCandidate(files), (candidate) => checkRelease(candidate, assets))).errors;
}

describe("what only a module may have", () => {
  for (const [source, message, line, column] of REFUSED) {
    it(`is refused in a script, in these words: ${JSON.stringify(source)}`, async () => {
      const place = { line, ...(column && { column }) };
      assert.deepEqual(await check(source), [{ file: "handlers/h.js", ...place, message, apis: ["a"] }]);
    });
  }

  for (const source of LEFT_ALONE) {
    it(`is not seen where it is not: ${JSON.stringify(source)}`, async () => {
      assert.deepEqual(await check(source), []);
    });
  }

  for (const source of OTHERS) {
    it(`is not blamed for another mistake: ${JSON.stringify(source)}`, async () => {
      const [error] = await check(source);
      assert.match(error?.message ?? "", /^(Syntax|Reference)Error/);
      assert.doesNotMatch(error?.message ?? "", /module/);
    });
  }
});

describe("what only a module may have, for gatehook run", () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "gatehook-modules-"));
  });
  after(() => rm(folder, { recursive: true }));

  async function run(source: string) {
    const script = join(folder, "script.js");
    await writeFile(script, source);
    const { code, stdout } = await runCli(["run", script, "--handler", "h", "--json"]);
    return [code, JSON.parse(stdout).outcome, JSON.parse(stdout).error.message];
  }

  it("is refused in the same words, where it is not bundled: import()", async () => {
    assert.deepEqual(await run(`${HANDLER}import('y');`), [1, "load-error", MODULES]);
  });
});

describe("what only a module may have, while a handler runs", () => {
  it("is refused by the sandbox, in the same words", async () => {
    const source = `${HANDLER}h.NewHandler(async function () { await import("y"); });`;
    const runtime = await startRuntime([{ path: "h.js", source }], { assets });
    try {
      const run = { handler: "h", event: "{}", context: "{}", timeoutMs: 5_000 };
      const outcome = await runtime.run(run, { call: async () => undefined, log: () => {} });
      assert.deepEqual([outcome.ok, outcome.ok || outcome.error.message], [false, MODULES]);
    } finally {
      await runtime.close();
    }
  });
});
