import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { checkRelease } from "../../lib/releases/check.ts";
import { examine, readCandidate } from "../../lib/releases/examine.ts";
import type { SourceFile } from "../../lib/releases/sources.ts";
import { loadAssets } from "../../lib/runtime/assets.ts";

const assets = loadAssets();

type Refs = [name: string, path: string][];

function api(id: string, events: Record<string, Refs>): SourceFile {
  const triggers = (refs: Refs) =>
    refs.map(([name, path]) => ({ handler_name: "eh_dynamic_handler", handler_meta: { name, path } }));
  const entries = Object.entries(events).map(([type, refs]) => [type, triggers(refs)]);
  const text = JSON.stringify({ api_id: id, event_handlers: { events: Object.fromEntries(entries) } });
  return { path: `apis/${id}.json`, text };
}
const script = (path: string, ...lines: string[]): SourceFile => ({
  path: `handlers/${path}`,
  text: lines.join("\n"),
});
const NEW = "new TykJS.TykEventHandlers.NewEventHandler({})";
const made = (name: string) => `var ${name} = ${NEW};`;
/** As a bundler leaves it: nothing of its own is global. */
const bundle = (name: string) =>
  `(()=>{"use strict";const e=${NEW};globalThis.${name}=e;e.NewHandler(function(){})})();`;

async function warningsOf(files: SourceFile[]) {
  return (await examine(readCandidate(files), (candidate) => checkRelease(candidate, assets))).warnings;
}

/** The only warning: its place, and words that it must say. */
async function warns(files: SourceFile[], place: [file: string, line?: number], ...words: string[]) {
  const warnings = await warningsOf(files);
  assert.deepEqual(
    warnings.map(({ file, line }) => (line ? [file, line] : [file])),
    [place],
    JSON.stringify(warnings),
  );
  for (const word of words)
    assert.ok(warnings[0]?.message.includes(word), `${warnings[0]?.message}: ${word}`);
}
const silent = async (files: SourceFile[]) => assert.deepEqual(await warningsOf(files), []);
const one = (...lines: string[]) => [
  api("a", { KeyExpired: [["h", "h.js"]] }),
  script("h.js", made("h"), ...lines),
];
/** The lines come first: "use strict" counts nowhere else. */
const strict = (...lines: string[]) => [
  api("a", { KeyExpired: [["h", "h.js"]] }),
  script("h.js", '"use strict";', ...lines, made("h")),
];
const inHandler = (...lines: string[]) => one("h.NewHandler(function (event) {", ...lines, "});");

describe("a warning about handlers", () => {
  it("tells which of two files with one handler name wins, and for which APIs", () =>
    warns(
      [
        api("a", { KeyExpired: [["h", "a.js"]] }),
        api("b", { KeyExpired: [["h", "b.js"]] }),
        script("a.js", made("h")),
        script("b.js", "", made("h")),
      ],
      ["handlers/b.js", 2],
      "handlers/a.js:1",
      "loaded last",
      "API a (apis/a.json)",
      "API b (apis/b.json)",
    ));

  it("tells the same of bundles, and nothing of the names that are theirs alone", () =>
    warns(
      [
        api("a", { AuthFailure: [["handler", "one/plugin.js"]] }),
        api("b", { AuthFailure: [["handler", "two/plugin.js"]] }),
        script("one/plugin.js", bundle("handler")),
        script("two/plugin.js", bundle("handler")),
      ],
      ["handlers/two/plugin.js", 1],
      "handler is defined in handlers/one/plugin.js:1 too",
    ));

  for (const [how, first, second] of [
    ["declared by let and by var of a function", `let h = ${NEW};`, `(function () { h = ${NEW}; })();`],
    ["in a namespace", `var ns = {}; ns.h = ${NEW};`, `ns["h"] = ${NEW};`],
    ["whose name is put together", `globalThis["h" + 1] = ${NEW};`, `globalThis["h" + 1] = ${NEW};`],
    ["that a property definition makes", made("h"), `Object.defineProperty(this, "h", { value: ${NEW} });`],
    ["that a copy makes", made("h"), `Object.assign(globalThis, { h: ${NEW} });`],
    [
      "of a file for several module systems",
      made("h"),
      `(function (root, make) { root.h = make(); })(this, function () { return ${NEW}; });`,
    ],
  ] as const) {
    const name = first.includes("ns") ? "ns.h" : first.includes('"h" + 1') ? "h1" : "h";
    it(`tells of a name that is taken over ${how}`, () =>
      warns(
        [
          api("a", { KeyExpired: [[name, "a.js"]] }),
          api("b", { KeyExpired: [[name, "b.js"]] }),
          script("a.js", first),
          script("b.js", second),
        ],
        name === "h1" ? ["handlers/b.js"] : ["handlers/b.js", 1],
        `${name} is defined in handlers/a.js`,
      ));
  }

  it("is not given where a file only mentions, or hands on, another's handler", () =>
    silent([
      api("a", {
        KeyExpired: [
          ["h", "a.js"],
          ["other", "b.js"],
        ],
      }),
      script("a.js", made("h")),
      script("b.js", made("other"), "h = h; var alias = h; other.next = h;", 'log("h");'),
    ]));

  it("tells of a handler that no definition names, once, by the name of its variable", async () => {
    await warns(one(made("spare")), ["handlers/h.js", 2], "handler spare", "never runs");
    await warns(
      one("var ns = {};", `const spare = ns.spare = globalThis.spare2 = ${NEW};`),
      ["handlers/h.js", 3],
      "handler spare",
    );
    await silent(one("var alias = h; var ns = { h: h };"));
    await silent([
      api("a", { KeyExpired: [["ns.h", "h.js"]] }),
      script("h.js", made("h"), "var ns = { h: h };"),
    ]);
  });

  it("is not given for what is made and kept inside a function, or is no handler", () =>
    silent(
      one(
        `(function () { var inner = ${NEW}; })();`,
        `function make() { var later = ${NEW}; return later; }`,
        "var middleware = new TykJS.TykMiddleware.NewMiddleware({});",
      ),
    ));

  it("counts the rest where there are very many", async () => {
    const names = Array.from({ length: 500 }, (_, index) => made(`spare${index}`));
    const warnings = await warningsOf(one(...names));
    assert.equal(warnings.length, 20);
    assert.match(warnings[19]?.message ?? "", /and 480 more such warnings$/);
    const scripts = Array.from({ length: 50 }, (_, index) => [
      api(`a${index}`, { KeyExpired: [["h", `${index}.js`]] }),
      script(`${index}.js`, made("h")),
    ]).flat();
    const [collision, ...others] = await warningsOf(scripts);
    assert.deepEqual(others, []);
    assert.match(collision?.message ?? "", /and 46 more too; .* and 47 more\. Give/);
  });
});

describe("a warning about calls", () => {
  it("tells of a function that is not there, with the one that is meant", async () => {
    for (const [call, said] of [
      ['TykSetKeydata("k", "{}", 1);', "did you mean TykSetKeyData?"],
      ['logg("x");', "did you mean log?"],
      ['fetch("https://example.com");', "TykMakeHttpRequest"],
      ["setTimeout(function () {}, 1);", "no timers"],
      ["whatever();", "whatever is not defined, so this call throws"],
    ] as const)
      await warns(inHandler(call), ["handlers/h.js", 3], said);
  });

  it("knows each function that a gateway gives its scripts", async () => {
    const types = readFileSync(new URL("../../handlers/gatehook.d.ts", import.meta.url), "utf8");
    const given = [...types.matchAll(/^declare function (\w+)/gm)].map(([, name = ""]) => name);
    assert.ok(given.length > 15);
    for (const name of given)
      await warns(inHandler(`${name}z();`), ["handlers/h.js", 3], `did you mean ${name}?`);
  });

  it("says nothing of what is declared, given, asked for first, or made while it runs", async () => {
    for (const lines of [
      ['log(b64enc(TykGetKeyData("k"))); parseInt("1"); String(1); _.map([], function () {});'],
      [
        "function f(g) { g(); } f(function h() { h(); });",
        "var late = 1;",
        "(function (late) { late(); })(f);",
      ],
      ["const { a, b: [c] } = event; a(); c(); for (const each of [log]) each();"],
      ["try { log(1); } catch (failed) { failed(); }", "class K {} ; K();"],
      ['if (typeof fetch === "function") fetch("x");', "made = function () {}; made();"],
      ["event.fetch(); this.nothing(); (0, event.x)();"],
    ])
      await silent(inHandler(...lines));
    const shared = [
      api("a", {
        KeyExpired: [
          ["h", "h.js"],
          ["i", "i.js"],
        ],
      }),
    ];
    const own = (text: string) => [
      ...shared,
      script("h.js", made("h"), text, "function plain() {}"),
      script("i.js", made("i"), "i.NewHandler(function () { helper(); plain(); });"),
    ];
    for (const text of ["const helper = () => 1;", "let helper = log;", "var helper = log;"])
      await silent(own(text));
  });
});

describe("a warning about files and events", () => {
  it("tells of files that are not loaded", async () => {
    await warns([...one(), script("old.js", "")], ["handlers/old.js"], "not loaded");
    // What a definition that cannot be read names is not known.
    await silent([{ path: "apis/broken.json", text: "{" }, script("old.js", "")]);
    await warns([...one(), { path: "apis/deep/x.json", text: "{}" }], ["apis/deep/x.json"], "apis/ itself");
  });

  it("tells of an event type that no gateway has, with the nearest that is one", async () => {
    for (const [written, meant] of [
      ["RateLimitExceeded", "RatelimitExceeded"],
      ["keyexpired", "KeyExpired"],
      ["QuotaExeeded", "QuotaExceeded"],
    ] as const)
      await warns(
        [api("a", { [written]: [["h", "h.js"]] }), script("h.js", made("h"))],
        ["apis/a.json"],
        written,
        meant,
      );
    await warns(
      [api("a", { Whatever: [["h", "h.js"]] }), script("h.js", made("h"))],
      ["apis/a.json"],
      "wait for ever",
    );
  });

  it("tells where the handlers of the gateway's own events belong, and those of an API's", async () => {
    await warns(
      [api("a", { TokenCreated: [["h", "h.js"]] }), script("h.js", made("h"))],
      ["apis/a.json"],
      "gateway.json",
    );
    const gateway = { ...api("gateway", { KeyExpired: [["h", "h.js"]] }), path: "gateway.json" };
    await warns([...one(), gateway], ["gateway.json"], "that API's definition");
  });
});

describe("a warning about strict mode, which the gateway's engine passes over", () => {
  it("tells of assignments that throw here", async () => {
    await warns(
      strict("function f() {", "  count = 1;", "}"),
      ["handlers/h.js", 3],
      "assigning to count",
      "var count",
    );
    await warns(inHandler("'use strict';", "for (item in event) log(item);"), ["handlers/h.js", 4], "item");
  });

  it("tells of arguments.callee", () =>
    warns(
      inHandler("(function () { 'use strict'; return arguments.callee; })();"),
      ["handlers/h.js", 3],
      "arguments.callee",
    ));

  it("is not given for what is declared, in whatever form", () =>
    silent(
      strict(
        "var count; count = 1; let { a, b: [c, ...d] } = { b: [] }; a = c = d = 2;",
        "function f(x, y) { y = 2; f = 3; } class K {} try {} catch (e) { e = 1; }",
        "var step = n => { n = n + 1; return n }, both = (p, { q } = {}) => { p = 1; q = 2; };",
        "var ns = {}; ns.count = 3; for (var i in ns) i = 1;",
      ),
    ));

  it("is not given for a variable that another script makes, or the gateway", () =>
    silent([
      ...strict("function f() { shared = 1; loose = 2; late = 3; TykJS = null; log = null; }"),
      api("b", { KeyExpired: [["k", "k.js"]] }),
      script("k.js", made("k"), "let shared; loose = 1; globalThis.late = 1;"),
    ]));

  it("is not given where the code is not strict", async () => {
    await silent(inHandler("count = 1; arguments.callee; // not strict: 'use strict'"));
    await silent(one("log('x');", '"use strict";', "count = 1;"));
    await silent(inHandler("var text = 'use strict'; count = 1; function g() { 'use strict'; } other = 2;"));
  });
});

describe("a warning about Go's regular expressions", () => {
  it("tells of flags inside the pattern, in a text as well as in a literal", async () => {
    await warns(inHandler('new RegExp("(?i)key");'), ["handlers/h.js", 3], "second argument");
    await warns(inHandler("", "event.Type.match('(?is)key');"), ["handlers/h.js", 4], "second argument");
    await warns(inHandler("RegExp(`(?U:a+)`);"), ["handlers/h.js", 3], "second argument");
  });

  it("tells of named groups and of POSIX classes", async () => {
    await warns(inHandler("RegExp('(?P<name>x)');"), ["handlers/h.js", 3], "(?<name>");
    await warns(inHandler("RegExp('[[:alpha:]]');"), ["handlers/h.js", 3], "[[:class:]]");
    await warns(inHandler("/^[_[:^alpha:]]+$/.test(event.Type);"), ["handlers/h.js", 3], "[[:class:]]");
    await warns(
      inHandler("var n = 4 / 2; return /x[[:digit:]]/.test(n);"),
      ["handlers/h.js", 3],
      "[[:class:]]",
    );
  });

  it("is not given for what both engines take in one way", () =>
    silent(
      inHandler(
        'new RegExp("key", "i"); /(?:x)/.test("(?i)"); /(?i:key)/.test("KEY"); "(?i)".split("(?i)");',
        "/[:alpha:]/.test('a'); /\\[[:alpha:]]/.test('a'); /[(?i)]/.test('i'); /\\(?i\\)/.test('i');",
        "/(?<year>\\d+)-\\Qa\\z/.test('1'); var half = 4 / 2, part = half / (2 [0] / 3);",
      ),
    ));
});

describe("a warning about functions in blocks, which the gateway's engine makes beforehand", () => {
  it("tells of a use outside of the block", async () => {
    await warns(
      inHandler(
        "log(mask(1));",
        "if (event.Type) {",
        "  function mask(s) { return s; }",
        "  log(mask(2));",
        "}",
      ),
      ["handlers/h.js", 3],
      "function mask is declared in a block",
    );
    await warns(
      inHandler(
        "if (event.Type) { function pick() { return 1; } } else { function pick() { return 2; } }",
        "log(pick());",
      ),
      ["handlers/h.js", 4],
      "function pick",
    );
    await warns(
      inHandler("log(typeof late);", "{ function late() {} }"),
      ["handlers/h.js", 3],
      "function late",
    );
  });

  it("is not given where the function is there, or the name is another's", () =>
    silent(
      inHandler(
        "if (event.Type) { again(1); function again(n) { if (n) again(n - 1); } }",
        "{ function first() {} } first();",
        "try { function tried() {} } catch (e) {} tried();",
        "function whole() { return whole; } var user = function () { return last; }; { function last() {} }",
        "if (event.Type) { function taken() {} } var taken = 1; log(taken);",
        "if (event.Type) { function named() {} } log({ named: 1 }.named);",
      ),
    ));
});

describe("a warning", () => {
  it("is not given for what stands in comments and texts", () =>
    silent(
      one(
        `// ${made("other")}`,
        `/* ${made("other")} */`,
        `var text = '${made("other")}';`,
        "var r = /[/'\"]/;",
      ),
    ));

  it("is given for the other scripts, when one cannot be read", async () => {
    const files = [
      ...one(made("spare")),
      api("b", { KeyExpired: [["b", "b.js"]] }),
      script("b.js", "var b = ;", made("unseen")),
    ];
    await warns(files, ["handlers/h.js", 2], "spare");
  });
});
