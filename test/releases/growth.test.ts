import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { buildRelease } from "../../lib/releases/build.ts";
import { readCandidate } from "../../lib/releases/examine.ts";
import { parseScript } from "../../lib/releases/parse.ts";
import { readScript } from "../../lib/releases/script-facts.ts";
import { type LoadedScript, scriptWarnings } from "../../lib/releases/script-warnings.ts";
import type { SourceFile } from "../../lib/releases/sources.ts";

/**
 * What eight times as much takes, in processor time of this process, which others on the machine do not change: about
 * eight times as long where the time grows with the size, and 64 times where it grows with the square.
 */
function growthOf(work: (size: number) => () => unknown, size: number): number {
  const once = (run: () => unknown) => {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
  const least = (run: () => unknown) => Math.min(once(run), once(run), once(run));
  return least(work(8 * size)) / Math.max(least(work(size)), 2);
}

const LINEAR = 32;
const KB = 1024;

const many = (text: string) => (bytes: number) => text.repeat(Math.ceil(bytes / text.length));
const numbered = (line: (nth: string) => string) => (bytes: number) =>
  Array.from({ length: Math.ceil(bytes / line("$aaa").length) }, (_, nth) =>
    line(`$${nth.toString(36)}`),
  ).join("");
const within = (before: string, inner: (bytes: number) => string, after: string) => (bytes: number) =>
  before + inner(bytes) + after;

const WHOLE: Record<string, (bytes: number) => string> = {
  "regular expressions": many("x = /a[/]b/;"),
  "regular expressions of Go's": many("x = /[[:alpha:]]/;"),
  "one regular expression of many groups": within("x = /", many("(?<a>x)|(?i:"), "/"),
  "undeclared names in strict code": within(
    "'use strict';",
    numbered((name) => `${name} = 1;`),
    "",
  ),
  "declarations by let": numbered((name) => `let ${name};`),
  "declarations by var": numbered((name) => `var ${name};`),
  "functions in one block": within(
    "if (a) {",
    numbered((name) => `function ${name}() {}`),
    "}",
  ),
  "blocks with functions, used outside": numbered((name) => `${name}(); if (a) { function ${name}() {} }`),
  "texts that may be names": within(
    "[",
    numbered((name) => `"${name}",`),
    "]",
  ),
  "members that are assigned": numbered((name) => `a.${name} = 1;`),
  "a long path of members": within("a", many(".b"), " = 1;"),
  "a long sum": within("", many("a + "), "a;"),
  "names in one pattern": within("var [", many("a, "), "] = b;"),
  handlers: numbered((name) => `var ${name} = new TykJS.TykEventHandlers.NewEventHandler({});`),
};

const BROKEN: Record<string, (bytes: number) => string> = {
  "comments that do not end": many("/* "),
  "escaped backticks": many("\\`"),
  "regular expressions that do not end": many("=/["),
  "brackets that are nested": many("["),
};

describe("the time to read a script", () => {
  for (const [what, script] of Object.entries({ ...WHOLE, ...BROKEN })) {
    it(`grows with its size, for ${what}`, () => {
      assert.equal(parseScript(script(KB)) !== undefined, what in WHOLE);
      const growth = growthOf((bytes) => {
        const source = script(bytes);
        return () => readScript(source);
      }, 128 * KB);
      assert.ok(growth < LINEAR, `${growth.toFixed(1)} times as long`);
    });
  }
});

const trigger = (name: string, path: string) => ({
  handler_name: "eh_dynamic_handler",
  handler_meta: { name, path },
});
const api = (id: string, refs: ReturnType<typeof trigger>[]): SourceFile => ({
  path: `apis/${id}.json`,
  text: JSON.stringify({ api_id: id, event_handlers: { events: { KeyExpired: refs } } }),
});
const range = (count: number) => Array.from({ length: count }, (_, nth) => nth);

const UPLOADS: Record<string, (count: number) => SourceFile[]> = {
  "wrong paths beside scripts with other names": (count) => [
    api(
      "a",
      range(count).map((nth) => trigger("h", `teams/payments/handlers/quota-exceeded-${nth}-v2.js`)),
    ),
    ...range(count).map((nth) => ({
      path: `handlers/team/payment/handler/quota-exceed-${nth}-v1.js`,
      text: "",
    })),
  ],
  "wrong folders of right names": (count) => [
    api(
      "a",
      range(count).map((nth) => trigger("h", `event_handlers/${nth}.js`)),
    ),
    ...range(count).map((nth) => ({ path: `handlers/deep/down/${nth}.js`, text: "" })),
  ],
  "event types that nobody fires": (count) => [
    {
      path: "apis/a.json",
      text: JSON.stringify({
        api_id: "a",
        event_handlers: {
          events: Object.fromEntries(
            range(count).map((nth) => [`QuotaExceded${nth}`, [trigger("h", "h.js")]]),
          ),
        },
      }),
    },
    { path: "handlers/h.js", text: "" },
  ],
};

describe("the time to build a release", () => {
  for (const [what, upload] of Object.entries(UPLOADS)) {
    it(`grows with its size, for ${what}`, () => {
      const growth = growthOf((count) => {
        const files = upload(count);
        return () => readCandidate(files);
      }, 500);
      assert.ok(growth < LINEAR, `${growth.toFixed(1)} times as long`);
    });
  }
});

describe("the time to compare what scripts define", () => {
  it("grows with their number, whether they share names or not", () => {
    for (const shared of [1, 2, 1_000_000]) {
      const growth = growthOf((count) => {
        const files = range(count).map((nth) => api(`a${nth}`, [trigger(`h${nth % shared}`, `${nth}.js`)]));
        const { apis } = buildRelease(files);
        const facts = readScript("");
        const scripts: LoadedScript[] = range(count).map((nth) => ({
          file: `handlers/${nth}.js`,
          facts,
          defined: new Map([[`h${nth % shared}`, nth + 1]]),
        }));
        return () => scriptWarnings(scripts, apis, new Map());
      }, 500);
      assert.ok(growth < LINEAR, `${growth.toFixed(1)} times as long, with ${shared} names`);
    }
  });
});
