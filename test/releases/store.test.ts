import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { sealRelease } from "../../lib/releases/release.ts";
import type { HistoryEntry } from "../../lib/releases/report.ts";
import { createReleaseStore, type ReleaseStore } from "../../lib/releases/store.ts";
import { createUploadLease, type UploadLease } from "../../lib/releases/upload-lease.ts";
import { useServices } from "../helpers/services.ts";

const entry = (version: string, rest: Partial<HistoryEntry> = {}): HistoryEntry => ({
  version,
  result: "live",
  built_at: "2026-01-01T00:00:00.000Z",
  apis: 1,
  scripts: 1,
  error_count: 0,
  warning_count: 0,
  errors: [],
  warnings: [],
  ...rest,
});
const target = (version: string, built = version) => ({ version, built, refused: false });

describe("over the emulators", () => {
  const services = useServices();
  let store: ReleaseStore;
  let notices: UploadLease;
  let now = 1_000;

  before(async () => {
    const env = await services.newResources("test-store");
    const { dynamo, s3 } = services.clients;
    const shared = { dynamo, table: env.STATE_TABLE, now: () => now };
    store = createReleaseStore({ ...shared, s3, bucket: env.FILES_BUCKET });
    notices = createUploadLease(shared);
  });

  it("of fifty that flip at once, one does, and the pointer and the history tell the same", async () => {
    const from = await store.pointer();
    const versions = Array.from({ length: 50 }, (_, nth) => `v${nth}`);
    const flipped = await Promise.all(versions.map((one) => store.record(from, target(one), entry(one))));
    const winners = versions.filter((_, nth) => flipped[nth]);
    assert.equal(winners.length, 1);
    assert.equal(await store.liveVersion(), winners[0]);
    assert.deepEqual(
      (await store.history()).map(({ version }) => version),
      winners,
    );
  });

  it("the history has the newest upload first, a rollback leaves its order, and once live is kept", async () => {
    await store.record(await store.pointer(), target("a"), entry("a", { live_at: "1" }));
    await store.record(await store.pointer(), target("b"), entry("b", { live_at: "2" }));
    await store.record(await store.pointer(), target("a", "b"), entry("a", { live_at: "3" }));
    await store.record(await store.pointer(), target("a", "b"), entry("b", { result: "refused" }));
    const history = (await store.history()).slice(0, 2).map(({ version, live_at }) => [version, live_at]);
    assert.deepEqual(history, [
      ["b", "2"],
      ["a", "3"],
    ]);
    assert.equal((await store.pointer()).built, "b");
  });

  it("files are listed with their size and MD5, read, and removed; what is too large is not read", async () => {
    await store.writeSource({ path: "handlers/größe 1+2.js", text: "ä" });
    await store.writeSource({ path: "handlers/large.js", text: " ".repeat(2 * 1024 * 1024) });
    await store.writeSource({ path: "handlers/notes.md", text: "no source" });
    const listed = (await store.listSources()).map(({ path, bytes }) => [path, bytes]).sort();
    assert.deepEqual(listed, [
      ["handlers/größe 1+2.js", 2],
      ["handlers/large.js", 2 * 1024 * 1024],
    ]);
    const large = (await store.readSources()).find(({ path }) => path === "handlers/large.js");
    assert.deepEqual([large?.text, large?.bytes], ["", 2 * 1024 * 1024]);
    for (const [path] of listed) await store.removeSource(String(path));
    assert.deepEqual(await store.listSources(), []);
  });

  it("a release is read as it was written, and refused when it is gone or is not what was written", async () => {
    const { version, text } = sealRelease({
      format: 1,
      apis: [],
      scripts: [{ path: "ä.js", source: "\ud800" }],
    });
    await store.write(version, text);
    assert.deepEqual(await store.read(version), JSON.parse(text));
    await store.write(version, `${text} `);
    await assert.rejects(store.read(version), {
      code: "release-missing",
      message: /is not what was written/,
    });
    await assert.rejects(store.read("0123456789abcdef"), {
      code: "release-missing",
      message: /there is no releases\/0123456789abcdef\.json in bucket/,
    });
  });

  it("of many invocations one leads, until it lets go or its time is over", async () => {
    await Promise.all(Array.from({ length: 20 }, () => notices.count()));
    assert.equal(await notices.counted(), 20);
    const leads = await Promise.all(
      Array.from({ length: 20 }, (_, nth) => notices.lead(`i${nth}`, now + 10)),
    );
    const leader = `i${leads.indexOf(true)}`;
    assert.equal(leads.filter(Boolean).length, 1);
    assert.equal(await notices.lead("other", now + 10), false);
    assert.equal(await notices.lead(leader, now + 10), true);
    await notices.release("other");
    assert.equal(await notices.lead("other", now + 10), false);
    await notices.release(leader);
    assert.equal(await notices.lead("other", now + 10), true);
    now += 11;
    assert.equal(await notices.lead("third", now + 10), true);
  });
});
