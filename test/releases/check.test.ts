import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { buildRelease } from "../../lib/releases/build.ts";
import { checkRelease } from "../../lib/releases/check.ts";
import { createReleaser } from "../../lib/releases/releaser.ts";
import type { ReleaseReport } from "../../lib/releases/report.ts";
import type { Problem, SourceFile } from "../../lib/releases/sources.ts";
import { loadAssets } from "../../lib/runtime/assets.ts";
import { NO_METRICS } from "../helpers/metrics.ts";
import { NO_LOG } from "../helpers/no-log.ts";
import { createMemoryReleases } from "../helpers/releases.ts";

const assets = loadAssets();

const script = (path: string, source: string): SourceFile => ({ path: `handlers/${path}`, text: source });
const handler = (name: string) =>
  `var ${name} = new TykJS.TykEventHandlers.NewEventHandler({});\n${name}.NewHandler(function () {});\n`;

function api(file: string, apiId: string, ...refs: [name: string, path: string][]): SourceFile {
  const KeyExpired = refs.map(([name, path]) => ({
    handler_name: "eh_dynamic_handler",
    handler_meta: { name, path },
  }));
  return {
    path: `apis/${file}`,
    text: JSON.stringify({ api_id: apiId, event_handlers: { events: { KeyExpired } } }),
  };
}

async function check(...files: SourceFile[]): Promise<Problem[]> {
  const built = buildRelease(files);
  assert.deepEqual(built.problems, []);
  return (await checkRelease(built, assets)).errors;
}

/** One problem, of this file, whose message has all these parts. */
function isOnly(problems: Problem[], file: string, ...parts: string[]) {
  assert.deepEqual(
    problems.map((problem) => problem.file),
    [file],
    JSON.stringify(problems),
  );
  for (const part of parts)
    assert.ok(problems[0]?.message.includes(part), `${problems[0]?.message}: ${part}`);
}

describe("the check of a release", () => {
  it("finds nothing wrong with scripts that load and handlers that are there", async () => {
    const problems = await check(
      api("a.json", "a", ["first", "a.js"], ["second", "a.js"], ["ns.third", "deep/b.js"]),
      script("a.js", handler("first") + handler("second")),
      script("deep/b.js", `var ns = {};\n${handler("inner")}ns.third = inner;`),
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(await check(), []);
  });

  it("names the place of a loop, and what is wrong with the scripts after it", async () => {
    const loop = "var a;\nfunction spin() {\n  for (;;) a = 1;\n}\nspin();\n";
    const problems = await check(
      api("a.json", "a", ["l", "loop.js"], ["good", "good.js"], ["b", "bad.js"]),
      script("loop.js", loop),
      script("good.js", handler("good")),
      script("bad.js", "var x;\n  oops();"),
    );
    assert.deepEqual(
      problems.map(({ file, line, column }) => [file, line, column]),
      [
        ["handlers/loop.js", 2, 1],
        ["handlers/bad.js", 2, 3],
      ],
    );
    assert.match(problems[0]?.message ?? "", /did not finish loading/);
  });

  it("takes a handler that is declared with let or const", async () => {
    const source =
      "const { NewEventHandler } = TykJS.TykEventHandlers;\nlet late = new NewEventHandler({});\n" +
      "late.NewHandler(function () {});\n";
    assert.deepEqual(await check(api("a.json", "a", ["late", "a.js"]), script("a.js", source)), []);
  });

  it("names the file and the line of a syntax error", async () => {
    const source = `${handler("broken")}var x = 1;\nvar y = (;\n`;
    const problems = await check(api("a.json", "a", ["broken", "deep/a.js"]), script("deep/a.js", source));
    isOnly(problems, "handlers/deep/a.js", "SyntaxError", "deep/a.js:4");
  });

  it("names the file and the line at which a script throws while it loads", async () => {
    const source = `${handler("broken")}\nundefinedFunction();\n`;
    const problems = await check(api("a.json", "a", ["broken", "a.js"]), script("a.js", source));
    isOnly(problems, "handlers/a.js", "ReferenceError", "undefinedFunction", "a.js:4");
  });

  it("tells all that is wrong, not the first only", async () => {
    const problems = await check(
      api("a.json", "a", ["a", "a.js"], ["b", "b.js"], ["c", "c.js"], ["good", "d.js"]),
      script("a.js", "("),
      script("b.js", "throw new Error('not today');"),
      script("c.js", "var other;"),
      script("d.js", handler("good")),
    );
    assert.deepEqual(
      problems.map(({ file }) => file),
      ["handlers/a.js", "handlers/b.js", "handlers/c.js"],
    );
    assert.match(problems[1]?.message ?? "", /not today/);
  });

  it("names the handler that its script does not make", async () => {
    const problems = await check(
      api("a.json", "a", ["quotaHandler", "a.js"]),
      script("a.js", handler("QuotaHandler")),
    );
    isOnly(problems, "handlers/a.js", "there is no handler quotaHandler; it has QuotaHandler");
  });

  it("names the handler that is not a handler object", async () => {
    for (const source of ["var h = {};", "var h = function () {};", "var h = 'text';", "var h = 7;"]) {
      const problems = await check(api("a.json", "a", ["h", "a.js"]), script("a.js", source));
      isOnly(problems, "handlers/a.js", "h has no DoProcessEvent: write h = new TykJS.TykEventHandlers.New");
    }
    for (const source of ["var h;", "var h = null;"]) {
      const problems = await check(api("a.json", "a", ["h", "a.js"]), script("a.js", source));
      isOnly(problems, "handlers/a.js", "there is no handler h; it has none: var h = new ");
    }
  });

  it("tells what a script defines in the place of the handler that it lacks", async () => {
    const spares = Array.from({ length: 9 }, (_, index) => handler(`spare${index}`)).join("");
    const problems = await check(api("a.json", "a", ["lacking", "a.js"]), script("a.js", spares));
    isOnly(problems, "handlers/a.js", "lacking; it has spare0, spare1, spare2 and 6 more");
  });

  it("names the one of several handlers that was meant", async () => {
    const source = handler("mailer") + handler("quotaMailer");
    const problems = await check(api("a.json", "a", ["quotaMaler", "a.js"]), script("a.js", source));
    isOnly(problems, "handlers/a.js", "it has mailer, quotaMailer; did you mean quotaMailer?");
  });

  const NEW = "new TykJS.TykEventHandlers.NewEventHandler({})";
  const WITHOUT = [
    ["at all", `var h = ${NEW};`],
    ["but undefined", `var h = ${NEW}; h.NewHandler(undefined);`],
    ["but its name", `var h = ${NEW}; h.NewHandler("work");`],
    ["but what it returned", `var h = ${NEW}; h.NewHandler((function () {})());`],
    ["under its name, after another one", `${handler("h")} h = ${NEW};`],
    ["where a condition does not hold", `var h = ${NEW}; if (h.never) h.NewHandler(function () {});`],
  ];
  for (const [what, source = ""] of WITHOUT) {
    it(`refuses a handler that was given no function ${what}`, async () => {
      const problems = await check(api("a.json", "a", ["h", "a.js"]), script("a.js", source));
      isOnly(
        problems,
        "handlers/a.js",
        "h has no function: call h.NewHandler(function (event, context) {…})",
      );
    });
  }

  const WITH = [
    ["by another script", `var h = ${NEW};`, "h.NewHandler(function () {});"],
    ["where a condition holds", `var h = ${NEW}; if (typeof h === "object") h.NewHandler(function () {});`],
    ["that is async", `var h = ${NEW}; h.NewHandler(async function () {});`],
    ["without NewHandler", `var h = ${NEW}; h.Handle = function () {};`],
    [
      "by its class",
      `class H extends TykJS.TykEventHandlers.NewEventHandler { Handle() {} } var h = new H();`,
    ],
    ["of a plain object", "var h = { DoProcessEvent: function (event, context) {} };"],
    ["in place of the built-in one", `var h = ${NEW}; h.DoProcessEvent = function () {};`],
  ];
  for (const [what, source = "", later = ""] of WITH) {
    it(`takes a function ${what}`, async () => {
      const named = [["h", "a.js"], ...(later ? [["other", "b.js"]] : [])] as [string, string][];
      const files = [script("a.js", source), ...(later ? [script("b.js", later + handler("other"))] : [])];
      assert.deepEqual(await check(api("a.json", "a", ...named), ...files), []);
    });
  }

  const OVERRIDES = [
    [
      "that handles all events",
      "TykJS.TykEventHandlers.EventHandlerComponentMeta.prototype.Handle = function () {};",
    ],
    [
      "with event handlers of its own",
      "TykJS = { TykEventHandlers: { NewEventHandler: function () { this.DoProcessEvent = function () {}; } } };",
    ],
  ];
  for (const [what, text = ""] of OVERRIDES) {
    it(`leaves to a core script ${what} what a handler needs`, async () => {
      const core = { path: "tykjs.js", text };
      assert.deepEqual(
        await check(api("a.json", "a", ["h", "a.js"]), script("a.js", `var h = ${NEW};`), core),
        [],
      );
    });
  }

  it("says that a comma may be missing between the members of an object, and no more than that", async () => {
    const source = `${handler("h")}var o = {\n  a: 1\n  b: 2\n};\n`;
    const problems = await check(api("a.json", "a", ["h", "a.js"]), script("a.js", source));
    isOnly(
      problems,
      "handlers/a.js",
      "expecting '}' at a.js:5:3; is a comma missing before it? The gateway's engine",
    );
    assert.deepEqual([problems[0]?.line, problems[0]?.column], [5, 3]);
    for (const other of ["f(1 2);", "var a = [1 2];", "if (1) { var b = 1; c d }"]) {
      const [problem] = await check(api("a.json", "a", ["h", "a.js"]), script("a.js", handler("h") + other));
      assert.match(problem?.message ?? "", /^SyntaxError: expecting/);
      assert.doesNotMatch(problem?.message ?? "", /comma/);
    }
  });

  it("names what to write for a literal of Go's that does not load here", async () => {
    for (const [literal, remedy] of [
      ["/(?i)key/", "flags inside the pattern"],
      ["/(?P<n>key)/", "write (?<name>…)"],
    ]) {
      const source = `${handler("h")}h.NewHandler(function (event) {\n  return ${literal}.test(event.Type);\n});`;
      const problems = await check(api("a.json", "a", ["h", "a.js"]), script("a.js", source));
      isOnly(problems, "handlers/a.js", "a.js:4:", "the gateway's engine takes Go's", remedy ?? "");
    }
    const other = `${handler("h")}var sound = /[[:alpha:]]/;\nvar y = ;`;
    const [problem] = await check(api("a.json", "a", ["h", "a.js"]), script("a.js", other));
    assert.doesNotMatch(problem?.message ?? "", /Go's/);
  });

  it("ends a native that never asks, and tells what is wrong with the scripts around it", async () => {
    const problems = await check(
      api("a.json", "a", ["x", "before.js"], ["n", "native.js"], ["good", "good.js"], ["y", "after.js"]),
      script("before.js", "nowhere();"),
      script("native.js", "new Array(1e9) + '';"),
      script("good.js", handler("good")),
      script("after.js", "("),
    );
    assert.deepEqual(
      problems.map(({ file }) => file),
      ["handlers/before.js", "handlers/native.js", "handlers/after.js"],
    );
    assert.match(problems[1]?.message ?? "", /did not finish loading/);
  });

  it("gives up after five scripts that break the sandbox, and says what it did not look at", async () => {
    const breaking = "for (var i = 0; i < 2000; i += 1) Promise.resolve().then(function () {});";
    const names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    const problems = await check(
      api("a.json", "a", ...names.map((name): [string, string] => [name, `${name}.js`])),
      ...names.map((name) => script(`${name}.js`, breaking)),
    );
    assert.deepEqual(
      problems.map(({ file }) => file),
      ["a", "b", "c", "d", "e", "f"].map((name) => `handlers/${name}.js`),
    );
    for (const { message } of problems.slice(0, 5)) assert.match(message, /promise jobs/);
    assert.match(
      problems[5]?.message ?? "",
      /not checked.*handlers\/f\.js, handlers\/g\.js, handlers\/h\.js/,
    );
  });

  it("does not take for a fault what only a look at the names runs into", async () => {
    const endless = "var ns = { get h() { for (;;); } };\nfunction never() { ns.h = 1; }\n";
    const proxy = "var p = new Proxy({}, { get: function () { for (;;); } });\n";
    for (const source of [endless, proxy])
      assert.deepEqual(
        await check(api("a.json", "a", ["h", "a.js"]), script("a.js", source + handler("h"))),
        [],
      );
  });

  it("takes scripts that are nested deeper than they can be read", async () => {
    const deep = `var d = ${"[".repeat(2000)}${"]".repeat(2000)};`;
    const problems = await check(api("a.json", "a", ["h", "a.js"]), script("a.js", handler("h") + deep));
    for (const { message } of problems) assert.match(message, /stack|broke the engine|SyntaxError|Error/);
    const parens = `var x = ${"(".repeat(300_000)}1${")".repeat(300_000)};`;
    assert.equal(
      (await check(api("a.json", "a", ["h", "a.js"]), script("a.js", handler("h") + parens))).length,
      1,
    );
  });

  it("names the core script as it is uploaded", async () => {
    const problems = await check(api("a.json", "a", ["good", "a.js"]), script("a.js", handler("good")), {
      path: "tykjs.js",
      text: "var core = ;",
    });
    isOnly(problems, "tykjs.js", "SyntaxError", "tykjs.js:1");
  });
});

describe("an upload", () => {
  const GOOD = [api("a.json", "a", ["good", "a.js"]), script("a.js", handler("good"))];

  /** A bucket and a pointer in memory, and the releaser on top of them. */
  function setUp(files: SourceFile[]) {
    const log = NO_LOG;
    const { bucket, flips, store } = createMemoryReleases(files);
    const release = createReleaser({
      store,
      check: (given) => checkRelease(given, assets),
      strict: false,
      now: () => 0,
      log,
      metrics: NO_METRICS,
    });
    return { bucket, flips, store, release };
  }

  const summary = ({ result, errors }: ReleaseReport): [string, string[]] => [
    result,
    [...new Set(errors.map(({ file }) => file))].sort(),
  ];

  it("that is right goes live, once its object is written", async () => {
    const { bucket, release } = setUp(GOOD);
    const report = await release();
    assert.deepEqual([report.result, report.apis, report.scripts, report.errors], ["live", 1, 1, []]);
    assert.equal(bucket.pointer.version, report.version);
    assert.ok(bucket.releases.has(report.version));
  });

  it("that changes nothing is told so, and flips nothing", async () => {
    const { flips, release } = setUp(GOOD);
    await release();
    assert.deepEqual(summary(await release()), ["unchanged", []]);
    assert.equal(flips.length, 1);
  });

  it("that is wrong leaves the last good release live", async () => {
    const { bucket, release } = setUp(GOOD);
    const { version } = await release();
    bucket.files = [api("a.json", "a", ["good", "a.js"]), script("a.js", "(")];
    assert.deepEqual(summary(await release()), ["refused", ["handlers/a.js"]]);
    assert.equal(bucket.pointer.version, version);
  });

  it("that lacks a script is told so once, and not again for the handler that is not there then", async () => {
    const { release } = setUp([
      api("a.json", "a", ["good", "a.js"], ["gone", "gone.js"]),
      script("a.js", handler("good")),
    ]);
    const { errors } = await release();
    isOnly(errors, "apis/a.json", "gone", "handlers/gone.js");
  });

  it("with a broken file is refused even when what remains is what is live", async () => {
    const { bucket, release } = setUp(GOOD);
    const { version } = await release();
    bucket.files = [...GOOD, { path: "apis/new.json", text: "{" }];
    for (const _ of [1, 2]) assert.deepEqual(summary(await release()), ["refused", ["apis/new.json"]]);
    assert.equal(bucket.pointer.version, version);
  });

  it("is looked at again when another releaser flipped meanwhile", async () => {
    const { bucket, store, flips, release } = setUp(GOOD);
    const { record } = store;
    store.record = async (from, to, entry) => {
      store.record = record;
      bucket.pointer = {
        version: "0123456789abcdef",
        built: "0123456789abcdef",
        refused: false,
        revision: 7,
      };
      return record(from, to, entry);
    };
    const report = await release();
    assert.equal(report.result, "live");
    assert.deepEqual(flips, [["0123456789abcdef", report.version]]);
  });
});
