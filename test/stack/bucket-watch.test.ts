import assert from "node:assert/strict";
import { after, beforeEach, describe, it } from "node:test";
import type { BucketFile } from "../../lib/releases/bucket.ts";
import { watchBucket } from "../../local/bucket-watch.ts";

describe("the watch over the local bucket", () => {
  const files = new Map<string, BucketFile>();
  let told: string[] = [];
  let heard = () => {};
  const put = (path: string, etag: string) => {
    files.set(path, { path, etag, putAt: 1 } as BucketFile);
  };
  const watch = watchBucket({
    list: async () => [...files.values()],
    async notify(notice) {
      const { Records } = notice as { Records: { s3: { object: { key: string } } }[] };
      told.push(...Records.map(({ s3 }) => s3.object.key));
      heard();
    },
    onError: (error) => assert.fail(error),
  });
  const untilTold = () =>
    new Promise<void>((resolve) => {
      heard = resolve;
    });

  beforeEach(() => {
    told = [];
  });
  after(() => watch.close());

  it("tells of each upload by others once", async () => {
    for (const nth of ["1", "2"]) {
      const next = untilTold();
      put("handlers/a.js", nth);
      await next;
    }
    assert.deepEqual(told, ["handlers/a.js", "handlers/a.js"]);
  });

  it("does not tell of what was uploaded and released in one", async () => {
    const released = await watch.quietly(
      async () => put("handlers/mine.js", "1"),
      async () => "live",
    );
    assert.equal(released, "live");
    const next = untilTold();
    put("handlers/others.js", "1");
    await next; // by a look after the upload
    assert.deepEqual(told, ["handlers/others.js"]);
  });

  it("tells of what came while that release was made", async () => {
    await watch.quietly(
      async () => put("handlers/mine.js", "2"),
      async () => put("handlers/others.js", "2"),
    );
    await untilTold();
    assert.deepEqual(told, ["handlers/others.js"]);
  });

  it("tells of an upload whose release failed", async () => {
    const failed = watch.quietly(
      async () => put("handlers/mine.js", "3"),
      async () => assert.fail("no table"),
    );
    const next = untilTold();
    await assert.rejects(failed, /no table/);
    await next;
    assert.deepEqual(told, ["handlers/mine.js"]);
  });
});
