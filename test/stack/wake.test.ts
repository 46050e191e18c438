import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ReleaseReport } from "../../lib/releases/report.ts";
import type { UploadLease } from "../../lib/releases/upload-lease.ts";
import { createWake } from "../../lib/releases/wake.ts";
import { noticeOf } from "../../local/bucket-watch.ts";
import { NO_LOG } from "../helpers/no-log.ts";

const REPORT: ReleaseReport = { version: "v", result: "live", apis: 1, scripts: 1, errors: [], warnings: [] };

/** What the invocations share, a clock that the waits move, and files that are uploaded while they wait. */
function setUp() {
  const state = { notices: 0, leader: "", until: 0, now: 1_000, files: 0 };
  const built: number[] = [];
  const waits: (() => Promise<void>)[] = [];
  const lease: UploadLease = {
    async count() {
      state.notices += 1;
    },
    counted: async () => state.notices,
    async lead(owner, until) {
      if (state.leader && state.leader !== owner && state.until >= state.now) return false;
      Object.assign(state, { leader: owner, until });
      return true;
    },
    async release(owner) {
      if (state.leader === owner) state.leader = "";
    },
  };
  const wake = createWake({
    lease,
    quietMs: 1_000,
    now: () => state.now,
    async delay(ms) {
      state.now += ms;
      await waits.shift()?.();
    },
    async release() {
      built.push(state.files);
      return REPORT;
    },
    log: NO_LOG,
  });
  const upload = (name: string) => {
    state.files += 1;
    return wake({ id: `of ${name}`, notice: noticeOf([name]) });
  };
  return { state, built, waits, wake, upload };
}

describe("the releaser's waking", () => {
  it("makes one release of five hundred uploads", async () => {
    const { upload, built, waits } = setUp();
    const answers: (ReleaseReport | undefined)[] = [];
    waits.push(async () => {
      for (let nth = 1; nth < 500; nth += 1) answers.push(await upload(`handlers/${nth}.js`));
    });
    assert.equal(await upload("handlers/0.js"), REPORT);
    assert.ok(answers.every((answer) => answer === undefined));
    assert.deepEqual(built, [500]);
  });

  it("builds at last although files keep coming, and again for those that came later", async () => {
    const { upload, built, waits } = setUp();
    for (let nth = 1; nth <= 10; nth += 1) waits.push(async () => void (await upload(`handlers/${nth}.js`)));
    await upload("handlers/0.js");
    await upload("handlers/last.js");
    assert.deepEqual(built, [11, 12]);
  });

  it("follows an upload that comes during a build with another build", async () => {
    const { upload, built, state } = setUp();
    await upload("apis/a.json");
    state.leader = "";
    await upload("apis/b.json");
    assert.deepEqual(built, [1, 2]);
  });

  it("is led again by the repetition of an invocation that died, or by anyone once its time is over", async () => {
    const { upload, built, state } = setUp();
    Object.assign(state, { leader: "of handlers/a.js", until: 60_000 });
    assert.equal(await upload("handlers/b.js"), undefined);
    assert.equal(await upload("handlers/a.js"), REPORT);
    Object.assign(state, { leader: "dead", until: state.now - 1 });
    assert.equal(await upload("handlers/b.js"), REPORT);
    assert.equal(built.length, 2);
  });

  it("passes over notices of its own releases, and takes names as S3 writes them", async () => {
    const { wake, built } = setUp();
    assert.equal(await wake({ id: "1", notice: noticeOf(["releases/0123456789abcdef.json"]) }), undefined);
    assert.equal(await wake({ id: "2", notice: noticeOf(["handlers/größe 1+2.js"]) }), REPORT);
    assert.equal(built.length, 1);
  });

  it("builds at once when it is called by hand", async () => {
    const { wake, built, state } = setUp();
    for (const notice of [{}, undefined, { Records: [] }, "now"]) await wake({ id: "1", notice });
    assert.deepEqual([built.length, state.notices, state.now], [4, 0, 1_000]);
  });
});
