// Handlers in TypeScript, and those that import: what is made of them, and how their mistakes are told.
import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { loadBundler } from "../../cli/bundle/esbuild.ts";
import { NO_DATA_FROM_OUTSIDE } from "../../cli/bundle/mistakes.ts";
import { type CheckedFolder, checkFolder } from "../../cli/folder.ts";
import { isMap } from "../../lib/releases/sources.ts";
import { runCli } from "../helpers/cli.ts";
import { definition, newFolder } from "../helpers/dev.ts";

const NEW = "new TykJS.TykEventHandlers.NewEventHandler({})";
/** A module's handler that says what this expression is. */
const saying = (name: string, expression: string) =>
  `export const ${name} = ${NEW};\n${name}.NewHandler(() => log(String(${expression})));\n`;
const DEMO = { "apis/demo.json": definition("demo", { KeyExpired: "teller" }) };
const MS = {
  "node_modules/ms/package.json": `{"name":"ms","version":"1.0.0","main":"index.js"}`,
  "node_modules/ms/index.js": "module.exports = function (text) { return 86400000; };\n",
};

const folders: string[] = [];
after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));
async function keep(folder: Promise<string>): Promise<string> {
  folders.push(await folder);
  return folder;
}
const folderOf = (files: Record<string, string>) => keep(newFolder({ ...DEMO, ...files }));
const checked = async (files: Record<string, string>) => checkFolder(await folderOf(files));
const scripts = ({ sources }: CheckedFolder) =>
  sources.files.filter(({ path }) => path.endsWith(".js")).map(({ path }) => path);
const textOf = ({ sources }: CheckedFolder, path: string) =>
  sources.files.find((file) => file.path === path)?.text ?? assert.fail(`there is no ${path}`);
const told = ({ errors, warnings }: CheckedFolder) => ({ errors, warnings });
const NOTHING = { errors: [], warnings: [] };

/** What a handler logged when it ran, as `gatehook run` tells it. */
async function ran(files: Record<string, string>, file: string, ...args: string[]) {
  const folder = await folderOf(files);
  const { code, stdout, stderr } = await runCli(["run", join(folder, file), "--json", ...args], {
    cwd: folder,
  });
  assert.ok(stdout, stderr);
  const { outcome, error, handler, logs } = JSON.parse(stdout);
  const messages = logs.slice(1).map(({ message }: { message: string }) => message);
  return { code, outcome, error, handler, messages };
}

describe("a script of a handler file", () => {
  it("has TypeScript, helpers, npm packages and JSON in it, as one readable script with its map", async () => {
    const folder = await checked({
      ...MS,
      "handlers/teller.ts": `import ms from "ms";
import { rate, type Rate } from "./parts/rate.ts";
import { double } from "../lib/double";
import limits from "./limits.json";
${saying("teller", "ms('1d') + rate + double(limits.most)")}
const unused: Rate = 1;
`,
      "handlers/parts/rate.ts": "export type Rate = number;\nexport const rate: Rate = 2;\n",
      "handlers/limits.json": `{"most": 3}`,
      "lib/double.ts": "export const double = (n: number): number => n * 2;\n",
    });
    assert.deepEqual(told(folder), NOTHING);
    assert.deepEqual(
      folder.sources.files.map(({ path }) => path),
      ["apis/demo.json", "handlers/teller.js", "handlers/teller.js.map"],
    );
    const script = textOf(folder, "handlers/teller.js");
    assert.match(script, /\n {2}\/\/ handlers\/teller\.ts\n[\s\S]*\n {2}teller\.NewHandler\(\(\) => log\(/);
    assert.match(script, /\n\/\/# sourceMappingURL=teller\.js\.map\n$/);
    const map = JSON.parse(textOf(folder, "handlers/teller.js.map"));
    for (const source of ["teller.ts", "parts/rate.ts", "../lib/double.ts", "../node_modules/ms/index.js"])
      assert.ok(map.sources.includes(source), source);
  });

  it("runs as such", async () => {
    const files = {
      ...MS,
      "handlers/teller.ts": `import ms from "ms";\nimport { one } from "./one";\n${saying("teller", "ms('1d') + one")}`,
      "handlers/one.mts": "export const one = 1;",
    };
    const { messages, handler } = await ran(files, "handlers/teller.ts");
    assert.deepEqual([messages, handler], [["86400001"], "teller"]);
    assert.deepEqual((await ran(files, "handlers/teller.js")).messages, ["86400001"]);
  });

  for (const [file, text] of Object.entries({
    "teller.ts": `const one: number = 1;\n${saying("teller", "one")}`,
    "teller.mts": `import { one } from "./one.mjs";\n${saying("teller", "one")}`,
    "teller.mjs": `import { one } from "./one.mjs";\n${saying("teller", "one")}`,
    "teller.js": `import { one } from "./one.mjs";\n${saying("teller", "one")}`,
    "teller.js, by require": `var one = require("./one.mjs").one;\n${saying("teller", "one").replace("export ", "")}`,
  }))
    it(`is made of ${file}`, async () => {
      const [name = ""] = file.split(",");
      const helper = { "handlers/one.mjs": "export const one = 1;" };
      const files = { [`handlers/${name}`]: text, ...(text.includes("one.mjs") && helper) };
      const folder = await checked(files);
      assert.deepEqual([told(folder), scripts(folder)], [NOTHING, ["handlers/teller.js"]]);
      assert.deepEqual((await ran(files, `handlers/${name}`)).messages, ["1"]);
    });

  it("is the same to the byte wherever the folder is, without a path of the machine", async () => {
    const folder = await folderOf({
      ...MS,
      "handlers/teller.ts": `import ms from "ms";\nimport { b } from "../lib/b";\n${saying("teller", "ms() + b")}`,
      "lib/b.ts": "export const b = 'é';",
    });
    const other = join(await keep(mkdtemp(join(tmpdir(), "gatehook-"))), "deeper", "x");
    await cp(folder, other, { recursive: true });
    const [here, there] = [await checkFolder(folder), await checkFolder(other)];
    assert.deepEqual(here.sources.files, there.sources.files);
    assert.equal(here.version, there.version);
    for (const { text } of here.sources.files)
      for (const path of [folder, other, tmpdir(), process.cwd()]) assert.ok(!text.includes(path));
    const script = await readFile(join(folder, "handlers/teller.ts"), "utf8");
    const [source] = JSON.parse(textOf(here, "handlers/teller.js.map")).sourcesContent.slice(1, 2);
    assert.ok([script, "export const b = 'é';"].includes(source), source);
  });
});

describe("a script that stands for itself", () => {
  for (const [what, text] of Object.entries({
    "is plain": `var teller = ${NEW};\r\n\tteller.NewHandler(function () {})   // import x from "y"\r\n`,
    "holds a library that works everywhere": `(function (root, make) {
  if (typeof module === "object" && module.exports) module.exports = make(require("left-pad"));
  else root.lib = make();
})(this, function () { return 1; });
var teller = ${NEW}; teller.NewHandler(function () { log(lib); });`,
    "has a require of its own": `function require(name) { return name; }
var teller = ${NEW}; teller.NewHandler(function () { log(require("x")); });`,
    "has the words as names": `var o = { import: 1, export: 2 }; o.require = function () {}; o.require("x"); o.exports = 1;
var teller = ${NEW}; teller.NewHandler(function () {});`,
  }))
    it(`is uploaded as it is, to the byte: ${what}`, async () => {
      const folder = await checked({ "handlers/teller.js": text });
      assert.deepEqual(folder.errors, []);
      assert.equal(textOf(folder, "handlers/teller.js"), text);
      assert.equal(
        folder.sources.files.some(({ path }) => isMap(path)),
        false,
      );
    });

  it("is not uploaded where it only helps others, and is where a definition names it too", async () => {
    const files = {
      "handlers/teller.ts": `import { one } from "./one.js";\nimport "./other.js";\n${saying("teller", "one")}`,
      "handlers/one.js": "exports.one = 1;",
      "handlers/other.js": `var other = ${NEW};\nother.NewHandler(function () {});`,
    };
    assert.deepEqual(scripts(await checked(files)), ["handlers/teller.js"]);
    const both = await checked({
      ...files,
      "apis/other.json": definition("other", { HostDown: "other" }),
    });
    assert.deepEqual(scripts(both), ["handlers/other.js", "handlers/teller.js"]);
    assert.equal(textOf(both, "handlers/other.js"), files["handlers/other.js"]);
  });

  it("loads no bundler", async () => {
    const folder = await folderOf({
      "handlers/teller.js": `var teller = ${NEW};\nteller.NewHandler(function () {});`,
    });
    const env = { ESBUILD_BINARY_PATH: "/nowhere" };
    assert.equal((await runCli(["check", "--dir", folder], { env })).code, 0);
    assert.equal((await runCli(["run", join(folder, "handlers/teller.js")], { env })).code, 0);
  });
});

describe("what a handler file makes global", () => {
  const GIVES: [what: string, text: string, files?: Record<string, string>][] = [
    ["what it exports", `const made = ${NEW}; made.NewHandler(() => log("1")); export { made as teller };`],
    ["what it exports of others", `export { teller } from "./other.ts";`],
    ["all that it exports of others", `export * from "./other.ts";`],
    [
      "a handler of its top level",
      `import "./other.ts";\nconst teller: any = ${NEW};\nteller.NewHandler(() => log("1"));`,
    ],
    [
      "what it gives by module.exports",
      `const t = ${NEW}; t.NewHandler(() => log("1")); module.exports = { teller: t };`,
    ],
    ["what it gives by exports", `const t = ${NEW}; t.NewHandler(() => log("1")); exports.teller = t;`],
  ];
  const other = { "handlers/other.ts": `export const teller = ${NEW}; teller.NewHandler(() => log("1"));` };
  for (const [what, text] of GIVES)
    it(`is ${what}`, async () => {
      const files = { ...other, "handlers/teller.ts": text };
      assert.deepEqual((await checked(files)).errors, []);
      const { messages, outcome } = await ran(files, "handlers/teller.ts", "--handler", "teller");
      assert.deepEqual([outcome, messages], ["done", ["1"]]);
    });

  it("is nothing else, and no type", async () => {
    const files = {
      "handlers/teller.ts": `import { T, value } from "./types.ts";
export { T, value };
export type { Other } from "./types.ts";
export default 1;
const own = 1;
function log2() {}
${saying("teller", "[typeof T, typeof value, typeof own, typeof log2, typeof globalThis['default'], 'T' in globalThis]")}`,
      "handlers/types.ts": "export type T = string; export interface Other {} export const value = 1;",
    };
    const reader = `var reader = ${NEW}; reader.NewHandler(function () {
      log([typeof T, typeof value, typeof own, typeof log2, typeof globalThis.default, typeof teller].join());
    });`;
    const folder = await folderOf({ ...files, "tykjs.js": reader });
    const { stdout } = await runCli(["run", join(folder, "handlers/teller.ts"), "--handler", "reader"]);
    assert.match(stdout, /undefined,number,undefined,undefined,undefined,object/);
  });

  it("is told where a definition names something else", async () => {
    const { errors } = await checked({
      "handlers/teller.ts": `import "./x.ts";\nexport const telller = ${NEW};\ntelller.NewHandler(() => {});`,
      "handlers/x.ts": "export {};",
    });
    assert.deepEqual(errors, [
      {
        file: "handlers/teller.ts",
        message:
          "there is no handler teller; it has telller; the exports of a bundled file are global: " +
          "export it under this name",
        apis: ["demo"],
      },
    ]);
  });
});

describe("imports", () => {
  const works: [what: string, files: Record<string, string>][] = [
    [
      "by the paths of tsconfig.json",
      {
        "tsconfig.json": `{ "compilerOptions": { "paths": { "#own/*": ["./lib/*"] } } } // with a comment`,
        "lib/one.ts": "export const one = 1;",
        "handlers/teller.ts": `import { one } from "#own/one";\n${saying("teller", "one")}`,
      },
    ],
    [
      "of types alone, of what is not there",
      {
        "handlers/teller.ts": `import type { X } from "not-there";\nconst x: X = 1;\n${saying("teller", "x")}`,
      },
    ],
    [
      "in a circle",
      {
        "handlers/teller.ts": `import { b } from "./b";\nexport const a = () => 1;\n${saying("teller", "b()")}`,
        "handlers/b.ts": `import { a } from "./teller";\nexport const b = () => a();`,
      },
    ],
    [
      "of a package that has a name of Node's",
      {
        "node_modules/events/package.json": `{"name":"events","version":"1.0.0"}`,
        "node_modules/events/index.js": "module.exports = 1;",
        "handlers/teller.ts": `import one from "events";\n${saying("teller", "one")}`,
      },
    ],
    [
      "that a package tries, and can do without",
      {
        "node_modules/tries/package.json": `{"name":"tries","version":"1.0.0"}`,
        "node_modules/tries/index.js": "try { require('crypto'); } catch (e) { module.exports = 1; }",
        "handlers/teller.ts": `import one from "tries";\n${saying("teller", "one")}`,
      },
    ],
    [
      "of a text in TypeScript's own way",
      {
        "handlers/teller.ts": `import one = require("./one");\nenum E { A = 1 }\n${saying("teller", "E.A * one")}`,
        "handlers/one.js": "module.exports = 1;",
      },
    ],
  ];
  for (const [what, files] of works)
    it(`work ${what}`, async () => {
      assert.deepEqual(told(await checked(files)), NOTHING);
      assert.deepEqual((await ran(files, "handlers/teller.ts")).messages, ["1"]);
    });

  const IN_ONE = "since all of it is one script: import this at the top of the file";
  const refused: [
    what: string,
    text: string,
    place: [line: number, column: number],
    message: string | RegExp,
  ][] = [
    [
      "a package that is not installed",
      `import x from "left-pad";`,
      [1, 15],
      "the package left-pad is not installed, or has no left-pad: npm install left-pad",
    ],
    [
      "a part of one",
      `import x from "@a/b/c.js";`,
      [1, 15],
      "the package @a/b is not installed, or has no @a/b/c.js: npm install @a/b",
    ],
    [
      "a file that is not there",
      `\nimport { x } from "./nowhere";`,
      [2, 19],
      "there is no file ./nowhere: fix the path",
    ],
    [
      "a path that tsconfig.json does not know",
      `import "@/x";`,
      [1, 8],
      `@/x is neither a package nor one of the "paths" of tsconfig.json: fix the name`,
    ],
    [
      "the file system",
      `import fs from "node:fs";`,
      [1, 16],
      "a handler has no module node:fs of Node: it keeps texts by TykStorageSet, and a JSON file is imported",
    ],
    [
      "its promises",
      `import fs from "fs/promises";`,
      [1, 16],
      /^a handler has no module fs\/promises of Node: it keeps texts by TykStorageSet/,
    ],
    [
      "an HTTP client",
      `const https = require("https");`,
      [1, 23],
      "a handler has no module https of Node: it makes requests by TykMakeHttpRequest",
    ],
    [
      "buffers",
      `import { Buffer } from "buffer";`,
      [1, 24],
      "a handler has no module buffer of Node: it has b64enc and b64dec",
    ],
    [
      "cryptography",
      `import "crypto";`,
      [1, 8],
      "a handler has no module crypto of Node: use a package that is plain JavaScript",
    ],
    [
      "what a package replaces",
      `import "node:events";`,
      [1, 8],
      `a handler has no module node:events of Node: npm install events, and import it as "events/", or do without`,
    ],
    [
      "a name that is not exported",
      `import { nothing } from "./one.ts";\nlog(nothing);`,
      [1, 10],
      /^No matching export in "handlers\/one\.ts" for import "nothing"$/,
    ],
    [
      "at the top level, to wait for",
      `await x();`,
      [1, 1],
      "await works only inside an async function: a script is not a module",
    ],
    [
      "while it runs",
      `const f = async () => import("./one.ts");`,
      [1, 30],
      `a handler cannot load files while it runs, ${IN_ONE}`,
    ],
    ["a stylesheet", `import "./x.css";`, [1, 8], "a handler cannot import a stylesheet"],
    [
      "data of an unknown kind",
      `import x from "./x.wasm";`,
      [1, 15],
      /^No loader is configured for "\.wasm" files: handlers\/x\.wasm$/,
    ],
    ["JSON with a mistake", `import x from "./x.json";`, [1, 7], /^Expected identifier|Expected/],
    [
      "nothing, with a mistake of the syntax",
      `const x: = 1;\nexport {};`,
      [1, 8],
      /^Expected ";" but found ":"|":"/,
    ],
  ];
  const beside = {
    "handlers/one.ts": "export const one = 1;",
    "handlers/x.css": "a {}",
    "handlers/x.wasm": "x",
    "handlers/x.json": `{"a": 1,, }`,
  };
  for (const [what, text, [line, column], message] of refused)
    it(`are refused at their place: ${what}`, async () => {
      const files = { ...beside, "handlers/teller.mjs": `${text}\n${saying("teller", "1")}` };
      const { errors, sources } = await checked(files);
      const [error, ...others] = errors;
      assert.deepEqual(others, []);
      const file = what.startsWith("JSON") ? "handlers/x.json" : "handlers/teller.mjs";
      const at = what.startsWith("JSON") ? [1, 9] : [line, column];
      assert.deepEqual([error?.file, error?.line, error?.column], [file, ...at]);
      if (typeof message === "string") assert.equal(error?.message, message);
      else assert.match(error?.message ?? "", message);
      assert.ok(sources.textOf(file)?.split("\n")[line - 1]);
    });

  it("are refused of data outside of the folder, also by a link, and not of code or of packages there", async () => {
    const outside = await folderOf({
      "secret.json": `{"token":"t"}`,
      credentials: "token",
      "shared.ts": "export const one = 1;",
    });
    const within = await folderOf({
      "node_modules/data/package.json": `{"name":"data"}`,
      "node_modules/data/list.json": "[1]",
      "project/apis/demo.json": DEMO["apis/demo.json"],
      "project/handlers/own.json": "[1]",
      "project/handlers/teller.ts": "",
      "project/shared/own.ts": "",
    });
    const folder = join(within, "project");
    await symlink(join(outside, "secret.json"), join(folder, "shared/link.json"));
    await symlink(join(outside, "credentials"), join(folder, "shared/link.js"));
    const importing = async (path: string) => {
      const text = `import * as x from ${JSON.stringify(path)};\n${saying("teller", "JSON.stringify(x)")}`;
      await writeFile(join(folder, "handlers/teller.ts"), text);
      return (await checkFolder(folder)).errors.map(({ line, message }) => [line, message]);
    };
    for (const path of [
      join(outside, "secret.json"),
      join(outside, "credentials"),
      "../shared/link.json",
      "../shared/link.js",
    ])
      assert.deepEqual(await importing(path), [[1, NO_DATA_FROM_OUTSIDE]], path);
    for (const path of ["./own.json", "data/list.json", join(outside, "shared.ts")])
      assert.deepEqual(await importing(path), [], path);
  });

  it("neither show nor upload what a file of the folder names outside of it", async () => {
    const outside = await folderOf({ credentials: "key = SECRET\n" });
    const secret = join(outside, "credentials");
    const map = JSON.stringify({ version: 3, sources: [secret], mappings: "AAAA" });
    const mapped = (url: string) => `export const one = 1;\n//# sourceMappingURL=${url}\n`;
    const naming = {
      "a source map's source": {
        "shared/one.js": mapped(`data:application/json,${encodeURIComponent(map)}`),
      },
      "a source map": { "shared/one.js": mapped(secret) },
      "a configuration": { "tsconfig.json": JSON.stringify({ extends: secret }) },
    };
    const files = {
      "shared/one.js": "export const one = 1;",
      "handlers/teller.ts": `import { one } from "../shared/one";\n${saying("teller", "one")}`,
    };
    for (const [what, more] of Object.entries(naming)) {
      const found = await checkFolder(await folderOf({ ...DEMO, ...files, ...more }));
      assert.ok(
        !JSON.stringify([found.errors, found.warnings, found.sources.files]).includes("SECRET"),
        what,
      );
      for (const { file, line } of found.errors) assert.ok(file.endsWith("credentials") && !line, what);
    }
    const linked = await folderOf({ ...DEMO, ...files });
    await symlink(secret, join(linked, "shared/package.json"));
    const { errors, sources } = await checkFolder(linked);
    assert.deepEqual(
      errors.map(({ file, line }) => [file, line]),
      [["shared/package.json", undefined]],
    );
    assert.ok(!JSON.stringify(errors).includes("key"));
    // The place in a script's error is the script's own text.
    for (const file of [secret, "shared/package.json"]) assert.equal(sources.textOf(file), undefined, file);
    assert.ok(sources.textOf("shared/one.js"));
  });

  it("are refused where they lead into a package, too, and each is told once", async () => {
    const { errors } = await checked({
      "apis/other.json": definition("other", { HostDown: "other" }),
      "node_modules/deep/package.json": `{"name":"deep","version":"1.0.0"}`,
      "node_modules/deep/index.js": "\nmodule.exports = require('net');",
      "handlers/teller.ts": `import deep from "deep";\n${saying("teller", "deep")}`,
      "handlers/other.ts": `import deep from "deep";\n${saying("other", "deep")}`,
    });
    const message = "a handler has no module net of Node: it makes requests by TykMakeHttpRequest";
    assert.deepEqual(errors, [{ file: "node_modules/deep/index.js", line: 2, column: 26, message }]);
  });
});

describe("the folder of handlers", () => {
  it("may not hold two files of which one script would be made, where a definition names it", async () => {
    const text = saying("teller", "1");
    const { errors } = await checked({ "handlers/teller.ts": text, "handlers/teller.js": text });
    const message =
      "handlers/teller.js is made of this file and of handlers/teller.ts: remove or rename all but one";
    assert.deepEqual(errors, [{ file: "handlers/teller.js", message }]);
    const others = {
      "handlers/teller.ts": text,
      "handlers/x.ts": "export {};",
      "handlers/x.mjs": "export {};",
    };
    assert.deepEqual((await checked(others)).errors, []);
  });

  it("may hold what nobody needs, which is told in one warning; not of types", async () => {
    const { warnings } = await checked({
      "handlers/teller.ts": saying("teller", "1"),
      "handlers/types.d.ts": "declare const x: number;",
      "handlers/idle.ts": "export {};",
      "handlers/idler.mjs": "export {};",
    });
    const message =
      "handlers/idle.ts, handlers/idler.mjs: no definition names it as handlers/idle.js, and no handler imports it";
    assert.deepEqual(warnings, [{ file: "handlers/idle.ts", message }]);
  });

  it("may be called otherwise", async () => {
    const folder = await keep(
      newFolder({
        "gatehook.json": `{"folders":{"apis":"src/definitions","handlers":"src/events"}}`,
        "src/definitions/demo.json": definition("demo", { KeyExpired: "teller" }),
        "src/events/teller.ts": `import { one } from "../one.ts";\nimport "./nowhere.ts";\n${saying("teller", "one")}`,
        "src/one.ts": "export const one = 1;",
      }),
    );
    const { errors, sources } = await checkFolder(folder);
    const message = "there is no file ./nowhere.ts: fix the path";
    assert.deepEqual(errors, [{ file: "handlers/teller.ts", line: 2, column: 8, message }]);
    assert.match(sources.textOf("handlers/teller.ts") ?? "", /nowhere/);
  });

  it("has its definitions uploaded, also those that a handler imports", async () => {
    const folder = await checked({
      "handlers/teller.ts": `import api from "../apis/demo.json";\n${saying("teller", "api.api_id")}`,
    });
    assert.deepEqual(
      [told(folder), folder.sources.files.map(({ path }) => path)],
      [NOTHING, ["apis/demo.json", "handlers/teller.js", "handlers/teller.js.map"]],
    );
  });

  it("names the script in a definition, not the file that it is made of", async () => {
    const { errors } = await checked({
      "apis/demo.json": definition("demo", { KeyExpired: "teller" }).replace("teller.js", "parts/teller.ts"),
      "handlers/parts/teller.ts": saying("teller", "1"),
    });
    assert.match(
      errors[0]?.message ?? "",
      /is "parts\/teller\.ts", but must name a \.js file below handlers\/: teller\.js, also where it is made of teller\.ts$/,
    );
  });

  it("has to be told where its bundler is not installed", async () => {
    const nowhere = await keep(newFolder({}));
    assert.throws(() => loadBundler(nowhere, join(nowhere, "gatehook.mjs")), {
      code: "release-invalid",
      message: /which is not installed: npm install --save-dev esbuild$/,
    });
  });
});
