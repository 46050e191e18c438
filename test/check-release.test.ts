import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Log } from "../lib/log.ts";
import { buildRelease, type Problem, type SourceFile } from "../lib/releases/build.ts";
import { checkRelease } from "../lib/releases/check.ts";
import type { Release } from "../lib/releases/release.ts";
import { createReleaser, type ReleaseReport } from "../lib/releases/releaser.ts";
import { loadAssets } from "../lib/runtime/assets.ts";

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
  const { release, problems } = buildRelease(files);
  assert.deepEqual(problems, []);
  return checkRelease(release, assets);
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

  it("takes a handler that is declared with let or const", async () => {
    const source =
      "const { NewEventHandler } = TykJS.TykEventHandlers;\nlet late = new NewEventHandler({});\n";
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
    isOnly(problems, "handlers/a.js", "quotaHandler", "not defined");
  });

  it("names the handler that is no handler object", async () => {
    for (const source of ["var h = {};", "var h = function () {};", "var h = 'text';", "var h = 7;"]) {
      const problems = await check(api("a.json", "a", ["h", "a.js"]), script("a.js", source));
      isOnly(problems, "handlers/a.js", "handler h", "DoProcessEvent", "NewEventHandler");
    }
    for (const source of ["var h;", "var h = null;"]) {
      const problems = await check(api("a.json", "a", ["h", "a.js"]), script("a.js", source));
      isOnly(problems, "handlers/a.js", "handler h");
    }
  });

  it("names the handler whose name is none", async () => {
    const problems = await check(
      api("a.json", "a", ["a-b", "a.js"], ["good", "a.js"]),
      script("a.js", handler("good")),
    );
    isOnly(problems, "handlers/a.js", "a-b", "no handler name");
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
    const bucket = { files, releases: new Map<string, string>(), live: undefined as string | undefined };
    const flips: [string | undefined, string][] = [];
    const log: Log = { info() {}, warn() {}, error() {} };
    const store = {
      readSources: async () => bucket.files,
      writeSource: async () => {},
      read: async (version: string) => JSON.parse(bucket.releases.get(version) ?? "") as Release,
      write: async (version: string, text: string) => void bucket.releases.set(version, text),
      liveVersion: async () => bucket.live,
      async flip(from: string | undefined, to: string) {
        flips.push([from, to]);
        if (bucket.live !== from) return false;
        bucket.live = to;
        return true;
      },
    };
    const release = createReleaser({ store, check: (given) => checkRelease(given, assets), log });
    return { bucket, flips, store, release };
  }

  const summary = ({ result, problems }: ReleaseReport) => [result, problems.map(({ file }) => file)];

  it("that is right goes live, once its object is written", async () => {
    const { bucket, release } = setUp(GOOD);
    const report = await release();
    assert.deepEqual([report.result, report.apis, report.scripts, report.problems], ["live", 1, 1, []]);
    assert.equal(bucket.live, report.version);
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
    bucket.files = [api("a.json", "a", ["good", "a.js"], ["gone", "gone.js"]), script("a.js", "(")];
    const report = await release();
    assert.equal(report.result, "refused");
    for (const file of ["apis/a.json", "handlers/a.js"]) {
      assert.ok(
        report.problems.some((problem) => problem.file === file),
        file,
      );
    }
    assert.equal(bucket.live, version);
  });

  it("with a broken file is refused even when what remains is what is live", async () => {
    const { bucket, release } = setUp(GOOD);
    const { version } = await release();
    bucket.files = [...GOOD, { path: "apis/new.json", text: "{" }];
    assert.deepEqual(summary(await release()), ["refused", ["apis/new.json"]]);
    assert.equal(bucket.live, version);
  });

  it("is looked at again when another releaser flipped meanwhile", async () => {
    const { bucket, store, flips, release } = setUp(GOOD);
    const { flip } = store;
    store.flip = async (from, to) => {
      store.flip = flip;
      bucket.live = "0123456789abcdef";
      return flip(from, to);
    };
    const report = await release();
    assert.equal(report.result, "live");
    assert.deepEqual(flips, [
      [undefined, report.version],
      ["0123456789abcdef", report.version],
    ]);
  });
});
