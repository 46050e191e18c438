import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Log } from "../../lib/log.ts";
import type { Check } from "../../lib/releases/examine.ts";
import { namedHandlers, usersOf } from "../../lib/releases/read-apis.ts";
import type { Release } from "../../lib/releases/release.ts";
import { createReleaser, type ReleaserStore } from "../../lib/releases/releaser.ts";
import { rollBack } from "../../lib/releases/rollback.ts";
import type { Problem, SourceFile } from "../../lib/releases/sources.ts";
import { NO_METRICS } from "../helpers/metrics.ts";
import { createMemoryReleases } from "../helpers/releases.ts";

/** Files by their path; an API's text is the paths of its scripts. */
type Tree = Record<string, string>;

const definition = (id: string, ...paths: string[]) =>
  JSON.stringify({
    api_id: id,
    event_handlers: {
      events: {
        KeyExpired: paths.map((path) => ({
          handler_name: "eh_dynamic_handler",
          handler_meta: { name: `h_${path.replace(/\W/g, "_")}`, path },
        })),
      },
    },
  });
const filesOf = (tree: Tree): SourceFile[] => Object.entries(tree).map(([path, text]) => ({ path, text }));

const BASE: Tree = {
  "apis/a.json": definition("a", "a.js"),
  "apis/b.json": definition("b", "b.js"),
  "apis/c.json": definition("c", "c.js"),
  "handlers/a.js": "a1",
  "handlers/b.js": "b1",
  "handlers/c.js": "c1",
};

/** A script with "broken" in it does not load; one with "needs x" not unless a script before it has "gives x". */
const check: Check = async ({ release, apis }) => {
  const users = usersOf(apis);
  const given = new Set<string>();
  const errors: Problem[] = [];
  for (const { path, source } of release.scripts) {
    const need = /needs (\w+)/.exec(source)?.[1];
    const fails = source.includes("broken") || (need && !given.has(need));
    const file = path === "tykjs.js" ? path : `handlers/${path}`;
    if (fails)
      errors.push({
        file,
        message: "does not load",
        ...(path !== "tykjs.js" && { apis: users.get(path) ?? [] }),
      });
    else for (const [, gift] of source.matchAll(/gives (\w+)/g)) given.add(gift ?? "");
  }
  return { errors, warnings: [] };
};

function setUp(tree: Tree = BASE, { strict = false } = {}) {
  const memory = createMemoryReleases(filesOf(tree));
  const lines: [level: string, text: string, fields: object][] = [];
  const counts: string[] = [];
  const log = Object.fromEntries(
    ["info", "warn", "error"].map((level) => [
      level,
      (text: string, fields: object) => lines.push([level, text, fields]),
    ]),
  ) as unknown as Log;
  const metrics = { ...NO_METRICS, count: (name: string) => void counts.push(name) };
  const deps = { check, strict, now: () => 0, log, metrics };
  const release = createReleaser({ store: memory.store, ...deps });
  const live = async () => {
    const { version } = memory.bucket.pointer;
    assert.ok(version);
    return memory.store.read(version);
  };
  return {
    ...memory,
    lines,
    counts,
    deps,
    release,
    live,
    upload(next: Tree) {
      memory.bucket.files = filesOf(next);
      return release();
    },
    /** What is live: per API its scripts and their texts. */
    async shape() {
      const { apis, scripts } = await live();
      const sources = new Map(scripts.map(({ path, source }) => [path, source]));
      return Object.fromEntries(
        apis.map((api) => [
          api.api_id,
          namedHandlers({ file: "", api })
            .map(({ ref }) => `${ref.path}:${sources.get(ref.path)}`)
            .join(),
        ]),
      );
    },
  };
}

const WITH = (changes: Tree): Tree => ({ ...BASE, ...changes });
const WITHOUT = (tree: Tree, ...paths: string[]): Tree =>
  Object.fromEntries(Object.entries(tree).filter(([path]) => !paths.includes(path)));

describe("an upload with one API at fault", () => {
  const FAULTS: [what: string, changes: Tree, file: string][] = [
    ["a definition that is no JSON", { "apis/b.json": "{" }, "apis/b.json"],
    ["a definition with a wrong type", { "apis/b.json": '{"api_id":"b","org_id":7}' }, "apis/b.json"],
    ["a script that does not load", { "handlers/b.js": "broken" }, "handlers/b.js"],
    ["a script that is not there", { "apis/b.json": definition("b", "b.js", "gone.js") }, "apis/b.json"],
    ["a script that is too large", { "handlers/b.js": " ".repeat(1024 * 1024 + 1) }, "handlers/b.js"],
  ];
  for (const [what, changes, file] of FAULTS)
    it(`goes live without it, which stays as it was: ${what}`, async () => {
      const { release, upload, shape, bucket, store, counts, lines } = setUp();
      await release();
      const report = await upload(WITH({ "handlers/a.js": "a2", ...changes }));
      assert.equal(report.result, "partly");
      assert.deepEqual(report.held, { kept: ["b"], left_out: [] });
      assert.deepEqual(
        report.errors.map((error) => error.file),
        [file],
      );
      assert.deepEqual(await shape(), { a: "a.js:a2", b: "b.js:b1", c: "c.js:c1" });
      assert.deepEqual(report.changes?.scripts, { added: [], changed: ["a.js"], removed: [] });
      const entry = await store.entry(report.version);
      assert.deepEqual(
        [entry?.result, entry?.held?.kept, entry?.error_count, entry?.live_at, bucket.pointer.built],
        ["partly", ["b"], 1, "1970-01-01T00:00:00.000Z", entry?.upload],
      );
      assert.deepEqual(counts, ["ReleasesLive", "ReleasesPartlyLive", "ReleasesRefused"]);
      const [level, text, fields] = lines.at(-1) ?? [];
      assert.deepEqual([level, text], ["error", "release partly live"]);
      assert.deepEqual((fields as { kept?: string[] }).kept, ["b"]);
    });

  it("keeps all that two files with one id have defined, since it cannot be told which of them is wrong", async () => {
    const { release, upload, shape } = setUp();
    await release();
    // The id of `a` was mistyped: without it, `a` would be gone.
    const report = await upload(WITH({ "apis/a.json": definition("b", "a.js"), "handlers/c.js": "c2" }));
    assert.deepEqual(report.held, { kept: ["a", "b"], left_out: [] });
    assert.deepEqual(
      report.errors.map(({ file }) => file),
      ["apis/a.json", "apis/b.json"],
    );
    assert.deepEqual(await shape(), { a: "a.js:a1", b: "b.js:b1", c: "c.js:c2" });
  });

  it("leaves out an API that was never live", async () => {
    const { release, upload, shape } = setUp();
    await release();
    const script = await upload(WITH({ "apis/d.json": definition("d", "d.js"), "handlers/d.js": "broken" }));
    // What remains is what is live, so nothing of the upload would go live.
    assert.equal(script.result, "refused");
    const changed = {
      "handlers/a.js": "a2",
      "apis/d.json": definition("d", "d.js"),
      "handlers/d.js": "broken",
    };
    const partly = await upload(WITH(changed));
    assert.deepEqual([partly.result, partly.held], ["partly", { kept: [], left_out: ["d"] }]);
    const unreadable = await upload(WITH({ "handlers/a.js": "a3", "apis/d.json": "{" }));
    assert.deepEqual(
      [unreadable.result, unreadable.held],
      ["partly", { kept: [], left_out: ["apis/d.json"] }],
    );
    assert.deepEqual(await shape(), { a: "a.js:a3", b: "b.js:b1", c: "c.js:c1" });
  });

  it("keeps all that a file of several defined, when it cannot be read, and one that has left its file", async () => {
    const list = (...texts: string[]) => `[${texts.join()}]`;
    const tree = { ...BASE, "apis/b.json": list(BASE["apis/b.json"] ?? "", BASE["apis/c.json"] ?? "") };
    const { upload, release, shape } = setUp(WITHOUT(tree, "apis/c.json"));
    await release();
    const report = await upload({
      ...WITHOUT(tree, "apis/c.json"),
      "apis/b.json": "[",
      "handlers/a.js": "a2",
    });
    assert.deepEqual(report.held?.kept, ["b", "c"]);
    assert.deepEqual(await shape(), { a: "a.js:a2", b: "b.js:b1", c: "c.js:c1" });
    const moved = { ...tree, "apis/b.json": "[", "handlers/a.js": "a2", "handlers/c.js": "c2" };
    assert.deepEqual((await upload(moved)).held?.kept, ["b"]);
    assert.deepEqual(await shape(), { a: "a.js:a2", b: "b.js:b1", c: "c.js:c2" });
  });

  it("of several in one file, keeps the one that is wrong alone", async () => {
    const list = (second: string) => `[${BASE["apis/a.json"]},${second}]`;
    const tree = (second: string, a: string) =>
      WITHOUT(WITH({ "apis/all.json": list(second), "handlers/a.js": a }), "apis/a.json", "apis/b.json");
    const { upload, shape } = setUp();
    await upload(tree(BASE["apis/b.json"] ?? "", "a1"));
    const report = await upload(tree('{"api_id":"b","name":5}', "a2"));
    assert.deepEqual(report.held, { kept: ["b"], left_out: [] });
    assert.deepEqual(await shape(), { c: "c.js:c1", a: "a.js:a2", b: "b.js:b1" });
  });

  it("still removes what was removed", async () => {
    const { upload, release, shape } = setUp();
    await release();
    await upload(WITHOUT(WITH({ "handlers/b.js": "broken" }), "apis/c.json"));
    assert.deepEqual(await shape(), { a: "a.js:a1", b: "b.js:b1" });
  });

  it("keeps the API at fault by its id, when its file has another name", async () => {
    const { upload, release, shape } = setUp();
    await release();
    await upload(
      WITHOUT(WITH({ "apis/new.json": '{"api_id":"b","name":1}', "handlers/a.js": "a2" }), "apis/b.json"),
    );
    assert.deepEqual(await shape(), { a: "a.js:a2", b: "b.js:b1", c: "c.js:c1" });
  });

  it("goes live as a whole once it is fixed", async () => {
    const { upload, release, shape, bucket, store } = setUp();
    await release();
    const partly = await upload(WITH({ "handlers/a.js": "a2", "handlers/b.js": "broken" }));
    const whole = await upload(WITH({ "handlers/a.js": "a2", "handlers/b.js": "b2" }));
    assert.deepEqual([whole.result, whole.held, whole.errors], ["live", undefined, []]);
    assert.deepEqual(await shape(), { a: "a.js:a2", b: "b.js:b2", c: "c.js:c1" });
    // The state that was live in part, uploaded as it is, is that release as a whole.
    const same = await upload(WITH({ "handlers/a.js": "a2" }));
    assert.equal(same.version, partly.version);
    const entry = await store.entry(same.version);
    assert.deepEqual([entry?.result, entry?.error_count, entry?.held], ["live", 0, undefined]);
    assert.equal(bucket.pointer.settled, same.version);
  });
});

describe("a script that several APIs name", () => {
  const shared: Tree = {
    "apis/a.json": definition("a", "a.js", "both.js"),
    "apis/b.json": definition("b", "b.js", "both.js"),
    "handlers/both.js": "both1",
  };

  it("does not hold back an API while it is the same", async () => {
    const { upload, shape } = setUp();
    await upload(WITH(shared));
    const report = await upload(WITH({ ...shared, "handlers/a.js": "a2", "handlers/b.js": "broken" }));
    assert.deepEqual(report.held, { kept: ["b"], left_out: [] });
    assert.deepEqual(await shape(), { a: "a.js:a2,both.js:both1", b: "b.js:b1,both.js:both1", c: "c.js:c1" });
  });

  it("that has changed is the old one for all of them, when one stays as it is", async () => {
    const { upload, shape } = setUp();
    await upload(WITH(shared));
    const next = { ...shared, "handlers/both.js": "both2", "handlers/b.js": "broken", "handlers/c.js": "c2" };
    const report = await upload(WITH(next));
    assert.deepEqual(report.held, { kept: ["a", "b"], left_out: [] });
    assert.deepEqual(await shape(), { a: "a.js:a1,both.js:both1", b: "b.js:b1,both.js:both1", c: "c.js:c2" });
    const [warning] = report.warnings;
    assert.equal(warning?.file, "apis/a.json");
    assert.match(
      warning?.message ?? "",
      /^API a stays as it is too: it shares handlers\/both\.js.*with API b/,
    );
  });

  it("reaches from API to API, and leaves out what was never live", async () => {
    const chain: Tree = {
      "apis/a.json": definition("a", "a.js", "ab.js"),
      "apis/b.json": definition("b", "ab.js", "bc.js"),
      "apis/c.json": definition("c", "bc.js"),
      "handlers/ab.js": "ab1",
      "handlers/bc.js": "bc1",
      "apis/e.json": definition("e", "e.js"),
      "handlers/e.js": "e1",
    };
    const { upload, shape } = setUp(WITH(chain));
    await upload(WITH(chain));
    const next = {
      ...chain,
      "handlers/a.js": "broken",
      "handlers/ab.js": "ab2",
      "handlers/bc.js": "bc2",
      "handlers/e.js": "e2",
      "apis/d.json": definition("d", "bc.js"),
    };
    const report = await upload(WITH(next));
    assert.deepEqual(report.held, { kept: ["a", "b", "c"], left_out: ["d"] });
    assert.deepEqual(await shape(), {
      a: "a.js:a1,ab.js:ab1",
      b: "ab.js:ab1,bc.js:bc1",
      c: "bc.js:bc1",
      e: "e.js:e2",
    });
  });

  it("is at fault for each API that names it", async () => {
    const { upload, shape } = setUp();
    await upload(WITH(shared));
    const report = await upload(WITH({ ...shared, "handlers/both.js": "broken", "handlers/c.js": "c2" }));
    assert.deepEqual(report.held?.kept, ["a", "b"]);
    assert.deepEqual(
      report.errors.map(({ apis }) => apis),
      [["a", "b"]],
    );
    assert.equal((await shape()).c, "c.js:c2");
  });

  it("of the core, counts as named by every API", async () => {
    const core = (text: string) => ({ "tykjs.js": text });
    const { upload, shape, live } = setUp();
    await upload(WITH(core("core1")));
    const changed = await upload(
      WITH({ ...core("core2"), "handlers/a.js": "a2", "handlers/b.js": "broken" }),
    );
    assert.equal(changed.result, "refused");
    assert.deepEqual(await shape(), { a: "a.js:a1", b: "b.js:b1", c: "c.js:c1" });
    const same = await upload(WITH({ ...core("core1"), "handlers/a.js": "a2", "handlers/b.js": "broken" }));
    assert.equal(same.result, "partly");
    assert.equal((await live()).scripts[0]?.source, "core1");
    const broken = await upload(WITH({ ...core("broken"), "handlers/a.js": "a3" }));
    assert.equal(broken.result, "refused");
  });
});

describe("the right part of an upload", () => {
  it("is checked as it would be loaded, so that an API that needs what stays behind stays too", async () => {
    const { upload, shape } = setUp(WITH({ "handlers/b.js": "b1" }));
    await upload(WITH({}));
    const next = {
      "handlers/a.js": "gives old a2",
      "apis/b.json": definition("b", "b.js", "b2.js"),
      "handlers/b.js": "b2 gives new",
      "handlers/b2.js": "broken",
      "handlers/c.js": "needs new",
    };
    const report = await upload(WITH(next));
    assert.deepEqual(report.held?.kept, ["b", "c"]);
    assert.deepEqual(
      report.errors.map(({ file }) => file),
      ["handlers/b2.js", "handlers/c.js"],
    );
    assert.deepEqual(await shape(), { a: "a.js:gives old a2", b: "b.js:b1", c: "c.js:c1" });
  });

  it("does not go live when what stays does not load beside it", async () => {
    const { upload, bucket } = setUp(WITH({ "handlers/a.js": "gives x", "handlers/b.js": "needs x" }));
    const first = await upload(WITH({ "handlers/a.js": "gives x", "handlers/b.js": "needs x" }));
    const report = await upload(WITH({ "handlers/a.js": "a2", "handlers/b.js": "broken needs x" }));
    assert.equal(report.result, "refused");
    assert.equal(bucket.pointer.version, first.version);
  });

  it("is the first release, when there was none", async () => {
    const { upload, shape } = setUp();
    const report = await upload(WITH({ "apis/b.json": "{", "handlers/c.js": "broken" }));
    assert.deepEqual([report.result, report.held], ["partly", { kept: [], left_out: ["apis/b.json", "c"] }]);
    assert.deepEqual(await shape(), { a: "a.js:a1" });
  });

  it("is nothing, when all of it is wrong", async () => {
    const { upload, bucket } = setUp();
    const all = { "handlers/a.js": "broken", "handlers/b.js": "broken", "handlers/c.js": "broken" };
    assert.equal((await upload(WITH(all))).result, "refused");
    assert.equal(bucket.pointer.version, undefined);
  });

  it("does not count where RELEASE_STRICT is set", async () => {
    const { upload, release, shape, counts } = setUp(BASE, { strict: true });
    await release();
    const report = await upload(WITH({ "handlers/a.js": "a2", "handlers/b.js": "broken" }));
    assert.deepEqual([report.result, report.held], ["refused", undefined]);
    assert.deepEqual(await shape(), { a: "a.js:a1", b: "b.js:b1", c: "c.js:c1" });
    assert.deepEqual(counts, ["ReleasesLive", "ReleasesRefused"]);
  });

  it("does not go live beside a gateway.json that holds a secret: that is to be noticed, and taken away", async () => {
    const { upload, release, bucket } = setUp();
    const { version } = await release();
    const report = await upload(WITH({ "handlers/a.js": "a2", "gateway.json": '{"secret":"hunter2"}' }));
    assert.deepEqual([report.result, bucket.pointer.version], ["refused", version]);
    assert.doesNotMatch(JSON.stringify(report), /hunter2/);
  });

  it("goes on with the last state of a wrong gateway.json", async () => {
    const gateway = (name: string) =>
      JSON.stringify({
        event_handlers: {
          events: {
            TokenCreated: [{ handler_name: "eh_dynamic_handler", handler_meta: { name, path: "a.js" } }],
          },
        },
      });
    const { upload, live } = setUp();
    await upload(WITH({ "gateway.json": gateway("t") }));
    const report = await upload(WITH({ "gateway.json": gateway("no name"), "handlers/c.js": "c2" }));
    assert.deepEqual(report.held?.kept, ["gateway"]);
    assert.ok((await live()).apis.some(({ api_id }) => api_id === "gateway"));
  });

  it("is refused beside a release of an earlier version, where it cannot be told what a file defined", async () => {
    const { upload, release, bucket } = setUp();
    await release();
    const old = JSON.parse([...bucket.releases.values()][0] ?? "") as Release;
    for (const api of old.apis) delete api.file;
    const { sealRelease } = await import("../../lib/releases/release.ts");
    const { version, text } = sealRelease(old);
    bucket.releases.set(version, text);
    bucket.pointer.version = version;
    assert.equal((await upload(WITH({ "handlers/a.js": "a2", "apis/b.json": "{" }))).result, "refused");
    const named = await upload(WITH({ "handlers/a.js": "a2", "handlers/b.js": "broken" }));
    assert.deepEqual([named.result, named.held?.kept], ["partly", ["b"]]);
  });
});

describe("a release that is live in part", () => {
  const PART = WITH({ "handlers/a.js": "a2", "handlers/b.js": "broken" });

  it("stays as it is when the releaser is woken again, and flips nothing", async () => {
    const { upload, release, flips, bucket } = setUp();
    await release();
    const { version } = await upload(PART);
    const pointer = { ...bucket.pointer };
    for (const _ of [1, 2]) {
      const again = await release();
      assert.deepEqual([again.result, again.version, again.held?.kept], ["unchanged", version, ["b"]]);
    }
    assert.deepEqual([flips.length, bucket.pointer], [2, pointer]);
  });

  it("is not refused, nor flipped, by the next upload with the same right part: that one is refused", async () => {
    const { upload, release, bucket } = setUp();
    await release();
    const { version } = await upload(PART);
    const other = { ...PART, "handlers/b.js": "broken otherwise" };
    for (const report of [await upload(other), await release()]) assert.equal(report.result, "refused");
    assert.equal(bucket.pointer.version, version);
    // The first one again: nothing of it is new.
    assert.equal((await upload(PART)).result, "refused");
  });

  it("becomes whole when it is looked at again and the reason is gone", async () => {
    const { store, bucket, deps } = setUp();
    let isSlow = true;
    const slow: Check = async (given) => {
      const found = await check(given);
      const isNew = given.release.scripts.some(({ source }) => source === "b2");
      return isSlow && isNew
        ? { ...found, errors: [{ file: "handlers/b.js", message: "took too long", apis: ["b"] }] }
        : found;
    };
    const release = createReleaser({ store, ...deps, check: slow });
    await release();
    bucket.files = filesOf(WITH({ "handlers/a.js": "a2", "handlers/b.js": "b2" }));
    assert.equal((await release()).result, "partly");
    isSlow = false;
    const whole = await release();
    assert.deepEqual([whole.result, bucket.pointer.version], ["live", whole.version]);
    assert.equal(bucket.pointer.built, whole.version);
  });

  it("can be rolled back and forth, and a rollback stands", async () => {
    const { upload, release, store, bucket, shape } = setUp();
    const first = await release();
    const partly = await upload(PART);
    assert.deepEqual(await rollBack(store, undefined, () => 0), { from: partly.version, to: first.version });
    for (const _ of [1, 2]) assert.equal((await release()).result, "unchanged");
    assert.equal(bucket.pointer.version, first.version);
    await rollBack(store, partly.version, () => 0);
    assert.equal((await release()).result, "unchanged");
    assert.deepEqual(await shape(), { a: "a.js:a2", b: "b.js:b1", c: "c.js:c1" });
    const { result, held } = (await store.entry(partly.version)) ?? {};
    assert.deepEqual([result, held?.kept], ["partly", ["b"]]);
  });

  it("a rollback stands over a refused upload too, whatever of it would fit beside the older release", async () => {
    const { upload, release, store, bucket } = setUp();
    const first = await release();
    const second = await upload(WITH({ "handlers/a.js": "a2" }));
    assert.equal((await upload(PART)).result, "refused");
    assert.deepEqual(await rollBack(store, undefined, () => 0), { from: second.version, to: first.version });
    assert.equal((await release()).result, "unchanged");
    assert.equal(bucket.pointer.version, first.version);
  });

  it("after a rollback, takes the state of an API at fault from what is live then", async () => {
    const { upload, release, store, shape } = setUp();
    await release();
    await upload(WITH({ "handlers/b.js": "b2" }));
    await rollBack(store, undefined, () => 0);
    await upload(WITH({ "handlers/a.js": "a2", "handlers/b.js": "broken" }));
    assert.deepEqual(await shape(), { a: "a.js:a2", b: "b.js:b1", c: "c.js:c1" });
  });

  it("whose object is gone is made again of the newest release that was live and is there", async () => {
    const { upload, release, bucket, shape } = setUp();
    await release();
    const { version } = await upload(PART);
    bucket.releases.delete(version);
    const again = await release();
    assert.deepEqual([again.result, again.version, bucket.pointer.version], ["unchanged", version, version]);
    assert.deepEqual(await shape(), { a: "a.js:a2", b: "b.js:b1", c: "c.js:c1" });
    bucket.releases.clear();
    const nothing = await release();
    assert.equal(nothing.result, "refused");
    const whole = await upload(WITH({ "handlers/a.js": "a2" }));
    assert.equal(whole.version, version);
    assert.deepEqual(await shape(), { a: "a.js:a2", b: "b.js:b1", c: "c.js:c1" });
  });
});

describe("whatever the releaser dies at", () => {
  const METHODS = ["readSources", "read", "write", "pointer", "record", "entry", "history"] as const;

  /** The store that ends its process at the nth call: before it takes effect, or right after. */
  function dying(store: ReleaserStore, nth: number, when: "before" | "after"): ReleaserStore {
    let calls = 0;
    const methods = METHODS.map((name) => [
      name,
      async (...args: never[]) => {
        calls += 1;
        if (calls > nth || (calls === nth && when === "before")) throw new Error("died");
        const answer = await (store[name] as (...given: never[]) => Promise<unknown>)(...args);
        if (calls === nth) throw new Error("died");
        return answer;
      },
    ]);
    return Object.fromEntries(methods) as ReleaserStore;
  }

  const STEPS: Tree[] = [
    WITH({ "handlers/a.js": "a2", "handlers/b.js": "broken" }),
    WITH({ "handlers/a.js": "a3", "handlers/b.js": "b2", "apis/c.json": "{" }),
    WITH({ "handlers/a.js": "a3", "handlers/b.js": "b2" }),
    WITH({ "handlers/c.js": "broken" }),
  ];

  it("the pointer names a release that is written, and the next one comes to the same end", async () => {
    const undisturbed = setUp();
    await undisturbed.release();
    const ends: unknown[] = [];
    for (const step of STEPS) {
      await undisturbed.upload(step);
      ends.push([
        await undisturbed.shape(),
        undisturbed.bucket.pointer.version,
        undisturbed.bucket.pointer.built,
      ]);
    }
    for (const when of ["before", "after"] as const)
      for (let nth = 1; nth <= 12; nth += 1) {
        const { release, bucket, store, deps, shape } = setUp();
        await release();
        for (const [at, step] of STEPS.entries()) {
          bucket.files = filesOf(step);
          await createReleaser({ store: dying(store, nth, when), ...deps })().catch(() => {});
          const { version } = bucket.pointer;
          assert.ok(version && bucket.releases.has(version), `died ${when} call ${nth}`);
          await release();
          assert.deepEqual(
            [await shape(), bucket.pointer.version, bucket.pointer.built],
            ends[at],
            `${when} ${nth}`,
          );
        }
      }
  });
});

describe("for whatever uploads", () => {
  const IDS = ["a", "b", "c", "d"];
  const SCRIPTS = ["p.js", "q.js", "r.js", "s.js"];

  it("each API has its whole state of the upload, or the whole state that was live", async () => {
    const api = fc.oneof(
      { weight: 6, arbitrary: fc.subarray(SCRIPTS).map((paths) => ({ paths })) },
      { weight: 1, arbitrary: fc.constant("{" as const) },
      { weight: 1, arbitrary: fc.constant(undefined) },
    );
    const script = fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom("1", "2") },
      { weight: 1, arbitrary: fc.constant("broken") },
    );
    const upload = fc.record({
      apis: fc.tuple(api, api, api, api),
      scripts: fc.tuple(script, script, script, script),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(upload, { minLength: 1, maxLength: 6 }), async (uploads) => {
        const { upload: put, bucket, store } = setUp({});
        for (const { apis, scripts } of uploads) {
          const tree: Tree = {};
          for (const [at, one] of apis.entries())
            if (one)
              tree[`apis/${IDS[at]}.json`] = one === "{" ? one : definition(IDS[at] ?? "", ...one.paths);
          for (const [at, text] of scripts.entries()) tree[`handlers/${SCRIPTS[at]}`] = text;
          const before = bucket.pointer.version && (await store.read(bucket.pointer.version));
          const { result, held } = await put(tree);
          if (!bucket.pointer.version) continue;
          const after = await store.read(bucket.pointer.version);
          if (result === "refused") assert.deepEqual(after, before);
          const stateOf = (release: Release | undefined | "", id: string) => {
            const found = release ? release.apis.find(({ api_id }) => api_id === id) : undefined;
            if (!found || !release) return undefined;
            const sources = new Map(release.scripts.map(({ path, source }) => [path, source]));
            return namedHandlers({ file: "", api: found }).map(({ ref }) => [
              ref.path,
              sources.get(ref.path),
            ]);
          };
          for (const [at, id] of IDS.entries()) {
            const one = apis[at];
            const fresh =
              one && one !== "{"
                ? one.paths.map((path) => [path, scripts[SCRIPTS.indexOf(path)]])
                : undefined;
            const isHeld = result === "refused" || held?.kept.includes(id);
            assert.deepEqual(
              stateOf(after, id),
              isHeld ? stateOf(before, id) : leftOut(id, held) ? undefined : fresh,
            );
          }
          for (const { source } of after.scripts) assert.notEqual(source, "broken");
        }
      }),
      { numRuns: 300 },
    );
  });

  const leftOut = (id: string, held: { left_out: string[] } | undefined) =>
    held?.left_out.some((one) => one === id || one === `apis/${id}.json`);
});
