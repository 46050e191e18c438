import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { jsonMistake } from "../../lib/json-mistake.ts";
import { runCli } from "../helpers/cli.ts";

const MISTAKES: [what: string, text: string, place: string, message: string][] = [
  [
    "a missing comma",
    '{\n  "api_id": "orders"\n  "org_id": "o"\n}',
    "2:20",
    'a comma is missing after "orders"',
  ],
  ["a missing comma in a list", "[1 2]", "1:2", "a comma is missing after 1"],
  ["a missing comma after an object", '[{"a":1}\n{"b":2}]', "1:8", "a comma is missing after }"],
  ["a comma too many", '{\n"a": 1,\n}', "2:7", "the comma before } is one too many: remove it"],
  ["a comma too many in a list", "[1,]", "1:3", "the comma before ] is one too many: remove it"],
  ["two commas", '{"a":1,,"b":2}', "1:8", "the comma after , is one too many: remove it"],
  ["a comma first", '{,"a":1}', "1:2", "the comma after { is one too many: remove it"],
  ["a missing colon", '{"a" 1}', "1:4", 'a colon is missing after "a"'],
  ["= for a colon", '{"a" = 1}', "1:6", "= has no meaning in JSON: write : after a name"],
  ["a missing value", '{"a":}', "1:5", "a value is missing after the colon"],
  ["no closing quote of a name", '{"a: 1}\n', "1:2", 'the closing quote is missing: "a: 1}'],
  ["no closing quote of a value", '{\n"a": "b\n}', "2:6", 'the closing quote is missing: "b'],
  ["a line break in a text", '{"a":"x\ny"}', "1:6", 'the closing quote is missing: "x'],
  [
    "a quote in a text",
    '{"a":"say "hi" now"}',
    "1:12",
    'a quote inside a text must be written as \\": after "say "',
  ],
  ["single quotes", "{'a': 1}", "1:2", "JSON has double quotes only: 'a'"],
  ["single quotes of a value", "{\"a\": 'b'}", "1:7", "JSON has double quotes only: 'b'"],
  ["typographic quotes", "{“a”: 1}", "1:2", "JSON has double quotes only: “a”"],
  ["backticks", '{"a":`x`}', "1:6", "JSON has double quotes only: `x`"],
  ["a name without quotes", '{\n  api_id: "a"}', "2:3", "a name must be in double quotes: api_id"],
  ["a number for a name", "{1: 2}", "1:2", "a name must be in double quotes: 1"],
  [
    "a text without quotes",
    '{"a": orders}',
    "1:7",
    "orders is not a value of JSON: a text must be in double quotes",
  ],
  ["a comment", '{ // all of them\n"a":1}', "1:3", "JSON has no comments: remove it"],
  ["a comment of several lines", '{/* a\nb */"a":1}', "1:2", "JSON has no comments: remove it"],
  ["a comment of a shell", '{"a":1 # one\n}', "1:8", "JSON has no comments: remove it"],
  ["an open brace", '{\n"a":{"b":1}', "1:1", "the { of this line is not closed: } is missing"],
  ["an open bracket", '{"a":\n[1,2', "2:1", "the [ of this line is not closed: ] is missing"],
  ["a bracket that another closes", '{"a":[1}', "1:8", "] is missing before }"],
  ["a brace that another closes", '[1,{"a":1]', "1:10", "} is missing before ]"],
  ["a brace too many", '{"a":1}}', "1:8", "} closes nothing: remove it"],
  ["an end too early", '{"a":', "1:5", "the text ends after :"],
  ["several values", '{"a":1}\n{"b":2}', "2:1", "a second value begins here: a file holds one"],
  ["a semicolon", '{"a":1};', "1:8", "; has no meaning in JSON: remove it"],
  ["an empty file", "", "1:1", "the file is empty"],
  ["a blank file", " \n", "1:1", "the file is empty"],
  [
    "a byte order mark",
    "\ufeff{}",
    "1:1",
    "the file begins with a byte order mark: save it as UTF-8 without one",
  ],
  [
    "UTF-16",
    Buffer.from("\ufeff{}", "utf16le").toString("utf8"),
    "1:1",
    "the file is not UTF-8: save it as that",
  ],
  ["a tab in a text", '{"a":"x\ty"}', "1:8", "a control character must be written as \\t"],
  [
    "an escape of another language",
    '{"p":"c:\\dir"}',
    "1:9",
    "\\d has no meaning in JSON: write \\\\ for a backslash",
  ],
  ["a short escape", '{"a":"\\u12"}', "1:7", "\\u must be followed by four hexadecimal digits"],
  ["NaN", '{"a":NaN}', "1:6", "NaN is not a value of JSON: write null"],
  ["undefined", '{"a":undefined}', "1:6", "undefined is not a value of JSON: write null"],
  ["None", '{"a":None}', "1:6", "None is not a value of JSON: write null"],
  ["True", '{"a":True}', "1:6", "True is not a value of JSON: write true"],
  ["a leading zero", '{"a":01}', "1:6", "01 is not a number of JSON"],
  ["a number that is cut off", '{"a":1.}', "1:6", "1. is not a number of JSON"],
  ["a plus", '{"a":+1}', "1:6", "+1 is not a number of JSON"],
  ["a hexadecimal number", '{"a":0x1}', "1:6", "0x1 is not a number of JSON"],
  ["a space that is none", '{\u00a0"a":1}', "1:2", "U+00A0 looks like a space: write a plain one"],
  [
    "a merge that stopped",
    '{\n<<<<<<< HEAD\n"a":1}',
    "2:1",
    "<<<<<<< was left by a merge: choose one of its two sides",
  ],
  ["YAML", "api_id: orders", "1:1", "this is not JSON: it begins with api_id"],
  ["HTML", "<html></html>", "1:1", "this is not JSON: it begins with <html><"],
  [
    "a long word",
    `{"a":${"x".repeat(99)}}`,
    "1:6",
    `${"x".repeat(40)}… is not a value of JSON: a text must be in double quotes`,
  ],
];

describe("the first mistake of a text that is not JSON", () => {
  for (const [what, text, place, message] of MISTAKES) {
    it(`is told by its name and its place: ${what}`, () => {
      assert.throws(() => JSON.parse(text));
      const { line, column, message: told } = jsonMistake(text) ?? {};
      assert.deepEqual([`${line}:${column}`, told], [place, message]);
    });
  }

  it("is found in every text that is not JSON, and in no other", () => {
    const cut = fc.tuple(
      fc.json(),
      fc.nat(),
      fc.constantFrom("", ",", "}", '"', "'", ":", "\\", "\n", "0", "/"),
    );
    const texts = fc.oneof(
      fc.string({ unit: "binary" }),
      cut.map(([json, at, put]) => {
        const place = at % (json.length + 1);
        return json.slice(0, place) + put + json.slice(place + 1);
      }),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const mistake = jsonMistake(text);
        assert.equal(mistake !== undefined, !isJson(text), text);
        const lines = text.split("\n");
        if (mistake) assert.ok(lines[mistake.line - 1] !== undefined && mistake.column >= 1);
      }),
      { numRuns: 5_000 },
    );
  });

  it("is found in a time that grows with the text's length only", () => {
    const texts = ['{"a":"', "\\u0020".repeat(300_000), '\\x"}'].join("");
    const deep = "[".repeat(1_000_000);
    for (const text of [texts, deep, `{"a":${"1,".repeat(500_000)}`, `"${"\\".repeat(999_999)}`]) {
      const started = performance.now();
      jsonMistake(text);
      assert.ok(performance.now() - started < 5_000);
    }
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe("a definition that is not JSON", () => {
  it("is told by its line, with that line below", async () => {
    const dir = await mkdtemp(join(tmpdir(), "gatehook-json-"));
    await mkdir(join(dir, "apis"));
    await mkdir(join(dir, "handlers"));
    await writeFile(
      join(dir, "apis/orders.json"),
      '{\n  "name": "Orders",\n  "api_id": "orders"\n  "org_id": "o"\n}\n',
    );
    await writeFile(join(dir, "apis/empty.json"), "");
    await writeFile(join(dir, "gateway.json"), "{ 'event_handlers': {} }");
    const { code, stderr } = await runCli(["check", "--dir", dir]);
    await rm(dir, { recursive: true });
    assert.equal(code, 1);
    assert.deepEqual(stderr.split("\n"), [
      "error    apis/empty.json:1: the file is empty",
      "  1 | ",
      "    | ^",
      'error    apis/orders.json:3: a comma is missing after "orders"',
      '  3 |   "api_id": "orders"',
      "    |                    ^",
      "error    gateway.json:1: JSON has double quotes only: 'event_handlers'",
      "  1 | { 'event_handlers': {} }",
      "    |   ^",
      "this would be refused: 3 errors, 0 warnings",
      "",
    ]);
  });
});
