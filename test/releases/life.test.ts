import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Check } from "../../lib/releases/examine.ts";
import { createReleaser } from "../../lib/releases/releaser.ts";
import { rollBack } from "../../lib/releases/rollback.ts";
import type { SourceFile } from "../../lib/releases/sources.ts";
import { NO_METRICS } from "../helpers/metrics.ts";
import { NO_LOG } from "../helpers/no-log.ts";
import { createMemoryReleases } from "../helpers/releases.ts";

function files(source: string): SourceFile[] {
  const trigger = { handler_name: "eh_dynamic_handler", handler_meta: { name: "h", path: "h.js" } };
  const definition = { api_id: "a", event_handlers: { events: { KeyExpired: [trigger] } } };
  return [
    { path: "apis/a.json", text: JSON.stringify(definition) },
    { path: "handlers/h.js", text: source },
  ];
}

/** The releaser over memory; a script whose text has "broken" in it fails its check. */
function setUp() {
  const memory = createMemoryReleases();
  const check: Check = async ({ release: { scripts } }) => ({
    errors: scripts.flatMap(({ path, source }) =>
      source.includes("broken") ? [{ file: `handlers/${path}`, message: "is broken" }] : [],
    ),
    warnings: scripts.map(({ path }) => ({ file: `handlers/${path}`, message: "is odd" })),
  });
  const release = createReleaser({
    store: memory.store,
    check,
    strict: false,
    now: () => 0,
    log: NO_LOG,
    metrics: NO_METRICS,
  });
  return {
    ...memory,
    release,
    upload(source: string) {
      memory.bucket.files = files(source);
      return release();
    },
    rollBack: (version?: string) => rollBack(memory.store, version, () => 0),
    live: () => memory.bucket.pointer.version,
  };
}

describe("a rollback", () => {
  it("makes the last live release before the one in use live again, each time one further back", async () => {
    const { upload, rollBack, live } = setUp();
    const versions: string[] = [];
    for (const source of ["1", "2", "3"]) versions.push((await upload(source)).version);
    assert.deepEqual(await rollBack(), { from: versions[2], to: versions[1] });
    assert.deepEqual(await rollBack(), { from: versions[1], to: versions[0] });
    await assert.rejects(rollBack(), /no release before .* was live/);
    assert.equal(live(), versions[0]);
    await rollBack(versions[2]);
    assert.equal(live(), versions[2]);
  });

  it("passes over what was refused", async () => {
    const { upload, rollBack } = setUp();
    const first = await upload("1");
    await upload("broken");
    const second = await upload("2");
    assert.deepEqual(await rollBack(), { from: second.version, to: first.version });
  });

  it("to what was refused, is unknown, or is live already, says what to do", async () => {
    const { upload, rollBack } = setUp();
    await assert.rejects(rollBack(), /no release is live yet.*gatehook push/);
    const { version } = await upload("1");
    const refused = await upload("broken");
    await assert.rejects(rollBack(refused.version), /was never live.*fix its files/);
    await assert.rejects(
      rollBack("0123456789abcdef"),
      /there is no release 0123456789abcdef.*gatehook releases/,
    );
    await assert.rejects(rollBack(version), /is live already/);
  });

  it("stands when the releaser is woken and the bucket is unchanged", async () => {
    const { upload, release, rollBack, live } = setUp();
    const first = await upload("1");
    await upload("2");
    await rollBack();
    assert.equal((await release()).result, "unchanged");
    assert.equal(live(), first.version);
  });

  it("ends with the next upload of something else", async () => {
    const { upload, rollBack, live } = setUp();
    await upload("1");
    const second = await upload("2");
    await rollBack();
    const third = await upload("3");
    assert.equal(live(), third.version);
    await upload("2");
    assert.equal(live(), second.version);
  });

  it("that somebody else's flip overtakes changes nothing", async () => {
    const { upload, rollBack, live, store } = setUp();
    await upload("1");
    await upload("2");
    const { record } = store;
    let third = "";
    store.record = async (...args) => {
      store.record = record;
      third = (await upload("3")).version;
      return record(...args);
    };
    await assert.rejects(rollBack(), { code: "release-conflict" });
    assert.equal(live(), third);
  });

  it("does not flip to a release whose object is gone", async () => {
    const { upload, rollBack, live, bucket } = setUp();
    const first = await upload("1");
    const second = await upload("2");
    for (const lose of [
      () => bucket.releases.set(first.version, "{}"),
      () => bucket.releases.delete(first.version),
    ]) {
      lose();
      for (const wanted of [undefined, first.version])
        await assert.rejects(rollBack(wanted), {
          code: "release-missing",
          message:
            /^release \w+ cannot go live again: .*Choose another by gatehook releases, or upload its files/,
        });
      assert.equal(live(), second.version);
    }
  });
});

describe("a release whose object is gone, or damaged", () => {
  const LOSSES: [what: string, lose: (releases: Map<string, string>, version: string) => void][] = [
    ["gone", (releases, version) => releases.delete(version)],
    ["empty", (releases, version) => releases.set(version, "")],
    ["another's", (releases, version) => releases.set(version, '{"format":1,"apis":[],"scripts":[]}')],
  ];
  for (const [what, lose] of LOSSES) {
    it(`is written again when the releaser is woken, and nothing flips: ${what}`, async () => {
      const { upload, release, bucket, flips } = setUp();
      const { version } = await upload("1");
      const text = bucket.releases.get(version);
      lose(bucket.releases, version);
      const { result } = await release();
      assert.deepEqual([result, flips.length], ["unchanged", 1]);
      assert.equal(bucket.releases.get(version), text);
    });
  }

  it("is written again when it is uploaded again after a rejection", async () => {
    const { upload, bucket } = setUp();
    const { version } = await upload("1");
    await upload("broken");
    bucket.releases.clear();
    assert.equal((await upload("1")).result, "unchanged");
    assert.deepEqual([...bucket.releases.keys()], [version]);
  });

  it("is not written again while it is whole", async () => {
    const { upload, release, store } = setUp();
    await upload("1");
    store.write = async () => assert.fail("written without need");
    assert.equal((await release()).result, "unchanged");
  });

  it("cannot be what a rollback stands on: the newest upload takes its place", async () => {
    const { upload, release, rollBack, live, bucket } = setUp();
    const first = await upload("1");
    const second = await upload("2");
    await rollBack();
    bucket.releases.clear();
    const report = await release();
    assert.deepEqual([report.result, report.version, live()], ["live", second.version, second.version]);
    assert.ok(bucket.releases.has(second.version));
    await assert.rejects(rollBack(first.version), { code: "release-missing" });
  });

  it("fails the invocation when it cannot be told, and changes nothing", async () => {
    const { upload, release, store, live, bucket } = setUp();
    const { version } = await upload("1");
    store.read = async () => {
      throw new Error("S3 is away");
    };
    store.write = async () => assert.fail("written without need");
    await assert.rejects(release(), /S3 is away/);
    assert.deepEqual([live(), bucket.releases.size], [version, 1]);
  });
});

describe("a release that was made of the same files", () => {
  it("is told with the warnings of its scripts, and with those of the files now", async () => {
    const { upload, release, bucket } = setUp();
    await upload("1");
    bucket.files = [...bucket.files, { path: "handlers/unused.js", text: "" }];
    const { result, warnings } = await release();
    assert.equal(result, "unchanged");
    assert.deepEqual(warnings.map(({ file }) => file).sort(), ["handlers/h.js", "handlers/unused.js"]);
    bucket.files.pop();
    assert.deepEqual(
      (await release()).warnings.map(({ file }) => file),
      ["handlers/h.js"],
    );
  });
});

describe("the history", () => {
  it("has every release with its report, the newest upload first", async () => {
    const { upload, store } = setUp();
    await upload("1");
    await upload("broken");
    await upload("2");
    const history = await store.history();
    assert.deepEqual(
      history.map(({ result, error_count, live_at }) => [result, error_count, live_at !== undefined]),
      [
        ["live", 0, true],
        ["refused", 1, false],
        ["live", 0, true],
      ],
    );
    assert.deepEqual(history[1]?.errors, [{ file: "handlers/h.js", message: "is broken" }]);
    assert.deepEqual(history[0]?.changes?.scripts, { added: [], changed: ["h.js"], removed: [] });
  });

  it("keeps of ten thousand problems what fits into one item", async () => {
    const { bucket, release } = setUp();
    bucket.files = Array.from({ length: 10_000 }, (_, index) => ({ path: `apis/${index}.json`, text: "{" }));
    const { result, errors } = await release();
    assert.equal(result, "refused");
    assert.ok(JSON.stringify([...bucket.entries.values()]).length < 400_000);
    assert.match(errors.at(-1)?.message ?? "", /^and 9950 more/);
  });
});

describe("the bucket", () => {
  it("without any definition is refused, for every event would become a dead letter", async () => {
    const { upload, release, bucket, live } = setUp();
    const { version } = await upload("1");
    bucket.files = [];
    const report = await release();
    assert.equal(report.result, "refused");
    assert.match(report.errors[0]?.message ?? "", /no API definition/);
    assert.equal(live(), version);
  });

  it("that fails mid-way leaves the live release alone, and the next try succeeds", async () => {
    for (const step of ["readSources", "write", "record"] as const) {
      const { upload, release, live, store } = setUp();
      const { version } = await upload("1");
      const whole = { ...store };
      store[step] = async () => {
        throw new Error(`${step} failed`);
      };
      await assert.rejects(upload("2"), /failed/);
      assert.equal(live(), version);
      Object.assign(store, whole);
      const { result, version: second } = await release();
      assert.deepEqual([result, live()], ["live", second]);
    }
  });

  it("that refused once is looked at again, in case the reason is gone", async () => {
    const { bucket, store } = createMemoryReleases(files("1"));
    let wrong = true;
    const check: Check = async () => ({
      errors: wrong ? [{ file: "handlers/h.js", message: "took too long" }] : [],
      warnings: [],
    });
    const release = createReleaser({
      store,
      check,
      strict: false,
      now: () => 0,
      log: NO_LOG,
      metrics: NO_METRICS,
    });
    assert.equal((await release()).result, "refused");
    wrong = false;
    assert.equal((await release()).result, "live");
    assert.ok(bucket.pointer.version);
  });
});

describe("two releasers at once", () => {
  it("end with the newest files live, whoever is slower", async () => {
    const { bucket, store } = createMemoryReleases(files("old"));
    const gate = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    // Reads the old files, and is then held up.
    const slow = createReleaser({
      store,
      check: async ({ release: { scripts } }) => {
        if (scripts[0]?.source === "old") {
          started.resolve();
          await gate.promise;
        }
        return { errors: [], warnings: [] };
      },
      strict: false,
      now: () => 0,
      log: NO_LOG,
      metrics: NO_METRICS,
    });
    const fast = createReleaser({
      store,
      check: async () => ({ errors: [], warnings: [] }),
      strict: false,
      now: () => 0,
      log: NO_LOG,
      metrics: NO_METRICS,
    });
    const held = slow();
    await started.promise;
    bucket.files = files("new");
    const newest = await fast();
    gate.resolve();
    assert.equal((await held).version, newest.version);
    assert.equal(bucket.pointer.version, newest.version);
  });
});
