import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { buildRelease } from "../../lib/releases/build.ts";
import { openRelease, type Release, sealRelease } from "../../lib/releases/release.ts";
import type { SourceFile } from "../../lib/releases/sources.ts";

type Refs = [name: string, path: string][];

function apiFile(file: string, apiId: string, events: Record<string, Refs>): SourceFile {
  const triggers = (refs: Refs) =>
    refs.map(([name, path]) => ({ handler_name: "eh_dynamic_handler", handler_meta: { name, path } }));
  const entries = Object.entries(events).map(([type, refs]) => [type, triggers(refs)]);
  const definition = { api_id: apiId, event_handlers: { events: Object.fromEntries(entries) } };
  return { path: `apis/${file}`, text: JSON.stringify(definition) };
}

const script = (path: string, text = `/* ${path} */`): SourceFile => ({ path: `handlers/${path}`, text });

const loadOrder = (release: Release) => release.scripts.map(({ path }) => path);

/** As the consumer gets it: sealed, stored, read. */
function reopen(release: Release) {
  const { version, text } = sealRelease(release);
  return openRelease(version, JSON.parse(text) as Release);
}

describe("the scripts of a release", () => {
  it("are loaded by API file, then event in the definition, then place in its list", () => {
    const { release, problems } = buildRelease([
      script("a.js"),
      script("b.js"),
      script("c.js"),
      script("d.js"),
      script("e.js"),
      apiFile("2.json", "two", { AuthFailure: [["a", "a.js"]] }),
      apiFile("10.json", "ten", {
        QuotaExceeded: [
          ["e", "e.js"],
          ["b", "b.js"],
        ],
        KeyExpired: [
          ["d", "d.js"],
          ["c", "c.js"],
        ],
      }),
    ]);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      release.apis.map(({ api_id }) => api_id),
      ["ten", "two"],
    );
    assert.deepEqual(loadOrder(release), ["e.js", "b.js", "d.js", "c.js", "a.js"]);
  });

  it("are loaded once each, at the first place that names them", () => {
    const { release } = buildRelease([
      apiFile("a.json", "a", {
        KeyExpired: [
          ["first", "shared.js"],
          ["second", "shared.js"],
        ],
        AuthFailure: [
          ["own", "own.js"],
          ["first", "/shared.js"],
        ],
      }),
      apiFile("b.json", "b", { KeyExpired: [["first", "shared.js"]] }),
      script("shared.js"),
      script("own.js"),
    ]);
    assert.deepEqual(loadOrder(release), ["shared.js", "own.js"]);
  });

  it("come after the user's core script", () => {
    const { release } = buildRelease([
      apiFile("a.json", "a", { KeyExpired: [["a", "a.js"]] }),
      script("a.js"),
      { path: "tykjs.js", text: "var core;" },
    ]);
    assert.deepEqual(release.scripts, [
      { path: "tykjs.js", source: "var core;" },
      { path: "a.js", source: "/* a.js */" },
    ]);
  });

  it("are those that a definition names; other uploads are not part of it", () => {
    const { release, problems } = buildRelease([
      apiFile("a.json", "a", { KeyExpired: [["a", "deep/down/a.js"]] }),
      script("deep/down/a.js"),
      script("unused.js", "syntax error ("),
      { path: "handlers/readme.md", text: "" },
      { path: "apis/deep/b.json", text: "not read" },
      { path: "apis/readme.txt", text: "not read" },
      { path: "releases/0123.json", text: "not read" },
    ]);
    assert.deepEqual(problems, []);
    assert.equal(release.apis.length, 1);
    assert.deepEqual(loadOrder(release), ["deep/down/a.js"]);
  });
});

describe("what keeps a release from being built", () => {
  it("is a script that is not there: the API file, the handler and the fix are named", () => {
    const { release, problems } = buildRelease([
      apiFile("a.json", "a", {
        KeyExpired: [
          ["quotaHandler", "/quota.js"],
          ["there", "there.js"],
        ],
      }),
      script("there.js"),
      script("Quota.js"),
    ]);
    assert.deepEqual(
      problems.map(({ file }) => file),
      ["apis/a.json"],
    );
    for (const part of ["KeyExpired", "quotaHandler", "handlers/quota.js", "upload it", "fix the path"]) {
      assert.ok(problems[0]?.message.includes(part), `${problems[0]?.message} does not say ${part}`);
    }
    assert.deepEqual(loadOrder(release), ["there.js"]);
  });

  it("is each definition that cannot be read, while the others are read", () => {
    const { release, problems } = buildRelease([
      { path: "apis/broken.json", text: "{" },
      { path: "apis/nameless.json", text: "{}" },
      apiFile("good.json", "good", { KeyExpired: [["a", "a.js"]] }),
      script("a.js"),
    ]);
    assert.deepEqual(
      problems.map(({ file }) => file),
      ["apis/broken.json", "apis/nameless.json"],
    );
    assert.deepEqual(problems[0], {
      file: "apis/broken.json",
      line: 1,
      column: 1,
      message: "the { of this line is not closed: } is missing",
      apis: [],
    });
    assert.match(problems[1]?.message ?? "", /^apis\/nameless\.json: api_id is missing/);
    assert.deepEqual(
      release.apis.map(({ api_id }) => api_id),
      ["good"],
    );
  });

  it("is an api_id that two files have, since the handlers of one would never run", () => {
    const { problems } = buildRelease([
      apiFile("a.json", "demo", { KeyExpired: [["a", "a.js"]] }),
      apiFile("copy.json", "demo", { AuthFailure: [["a", "a.js"]] }),
      script("a.js"),
    ]);
    assert.deepEqual(
      problems.map(({ file, apis }) => [file, apis]),
      [
        ["apis/a.json", ["demo"]],
        ["apis/copy.json", ["demo"]],
      ],
    );
    assert.match(problems[0]?.message ?? "", /"demo" is that of apis\/copy\.json too/);
    assert.match(problems[1]?.message ?? "", /"demo" is that of apis\/a\.json too/);
  });
});

describe("a problem of an upload", () => {
  const missing = (path: string, there: string) => {
    const { problems } = buildRelease([apiFile("a.json", "a", { KeyExpired: [["h", path]] }), script(there)]);
    return problems.map(({ message }) => message).join();
  };

  it("names the file that is there, for a path that is nearly its", () => {
    for (const [path, there] of [
      ["Quota.js", "quota.js"],
      ["qouta.js", "quota.js"],
      ["event_handlers/quota.js", "quota.js"],
      ["quota.js", "event_handlers/quota.js"],
    ] as const)
      assert.ok(missing(path, there).includes(`(there is handlers/${there})`), missing(path, there));
    assert.match(missing("gr\u00f6\u00dfe.js", "gro\u0308\u00dfe.js"), /other code points/);
    assert.doesNotMatch(missing("a.js", "something/else.js"), /there is handlers\/s/);
  });

  it("is a script of ten megabytes, whether its text was read or not", () => {
    const definition = apiFile("a.json", "a", { KeyExpired: [["h", "h.js"]] });
    const large = [
      script("h.js", " ".repeat(10 * 1024 * 1024)),
      { ...script("h.js", ""), bytes: 10 * 1024 * 1024 },
    ];
    for (const file of large) {
      const { problems } = buildRelease([definition, file]);
      assert.deepEqual(
        problems.map((problem) => problem.file),
        ["handlers/h.js"],
      );
      assert.match(problems[0]?.message ?? "", /10 MB.*1 MB at most/);
    }
  });

  it("is where a definition stops being JSON", () => {
    const { problems } = buildRelease([{ path: "apis/a.json", text: '{\n  "api_id": "a",,\n}' }]);
    assert.deepEqual([problems[0]?.line, problems[0]?.column], [2, 17]);
  });

  it("is an API that takes the id of the gateway's own events", () => {
    const gateway = { ...apiFile("x.json", "", {}), path: "gateway.json" };
    const { problems } = buildRelease([apiFile("a.json", "gateway", {}), gateway]);
    assert.match(problems[0]?.message ?? "", /kept for gateway.json/);
  });
});

describe("the version of a release", () => {
  const files = [
    apiFile("a.json", "a", { KeyExpired: [["a", "a.js"]], AuthFailure: [["b", "b.js"]] }),
    apiFile("b.json", "b", { KeyExpired: [["b", "b.js"]] }),
    script("a.js"),
    script("b.js"),
    { path: "tykjs.js", text: "var core;" },
  ];
  const version = (given: SourceFile[]) => sealRelease(buildRelease(given).release).version;

  it("is the same for the same files, in whatever order they were uploaded", () => {
    const shuffled = fc.shuffledSubarray(files, { minLength: files.length });
    fc.assert(
      fc.property(shuffled, (given) => {
        assert.equal(version(given), version(files));
      }),
    );
  });

  it("does not depend on files that are no part of the release", () => {
    assert.equal(
      version([...files, script("unused.js"), { path: "apis/note.txt", text: "" }]),
      version(files),
    );
  });

  it("is another one for any change of a definition or a script", () => {
    const changed = [
      files.map((file) => (file.path === "handlers/a.js" ? { ...file, text: "/* new */" } : file)),
      files.map((file) => (file.path === "tykjs.js" ? { ...file, text: "var other;" } : file)),
      files.filter(({ path }) => path !== "apis/b.json"),
      files.map((file) =>
        file.path === "apis/b.json" ? apiFile("b.json", "c", { KeyExpired: [["b", "b.js"]] }) : file,
      ),
    ];
    const versions = [files, ...changed].map(version);
    assert.equal(new Set(versions).size, versions.length);
    for (const one of versions) assert.match(one, /^[0-9a-f]{16}$/);
  });
});

describe("an open release", () => {
  // Named here, for the compiler takes `constructor` in a literal for Object's.
  const OWN: Record<string, Refs> = Object.fromEntries([["constructor", [["a", "a.js"]]]]);
  const { release } = buildRelease([
    apiFile("a.json", "a", {
      KeyExpired: [
        ["b", "b.js"],
        ["a", "a.js"],
      ],
      ...OWN,
    }),
    script("a.js"),
    script("b.js"),
  ]);

  it("answers the handlers of an API for an event type, in their order", () => {
    const live = reopen(release);
    assert.equal(live.api("a")?.api_id, "a");
    assert.deepEqual(live.handlers("a", "KeyExpired"), [
      { name: "b", path: "b.js" },
      { name: "a", path: "a.js" },
    ]);
    assert.deepEqual(live.scripts, release.scripts);
  });

  it("answers none for what no definition names, even for names that every object has", () => {
    const live = reopen(release);
    assert.equal(live.api("nobody"), undefined);
    const unnamed: [string, string][] = [
      ["a", "AuthFailure"],
      ["a", "__proto__"],
      ["a", "toString"],
      ["a", "hasOwnProperty"],
      ["nobody", "KeyExpired"],
      ["__proto__", "constructor"],
    ];
    for (const [api, type] of unnamed) assert.deepEqual(live.handlers(api, type), [], `${api} ${type}`);
    assert.equal(live.api("__proto__"), undefined);
    assert.equal(live.api("constructor"), undefined);
  });

  it("answers the handlers of an event type that every object has, when a definition names it", () => {
    assert.deepEqual(reopen(release).handlers("a", "constructor"), [{ name: "a", path: "a.js" }]);
  });

  it("answers the handlers of an event type that is named __proto__", () => {
    const file = apiFile("a.json", "a", { PROTO: [["a", "a.js"]] });
    const text = file.text.replace("PROTO", "__proto__");
    const built = buildRelease([{ ...file, text }, script("a.js")]);
    assert.deepEqual(loadOrder(built.release), ["a.js"]);
    assert.deepEqual(reopen(built.release).handlers("a", "__proto__"), [{ name: "a", path: "a.js" }]);
  });
});
