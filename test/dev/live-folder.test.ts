import assert from "node:assert/strict";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { createLiveFolder, type LiveFolder } from "../../cli/dev/live-folder.ts";
import type { ReleaseReport } from "../../lib/releases/report.ts";
import type { SourceFile } from "../../lib/releases/sources.ts";
import type { ReleaseStore } from "../../lib/releases/store.ts";
import { OWN_FOLDERS } from "../../lib/settings/project.ts";
import type { Stack } from "../../local/stack.ts";
import { newFolder } from "../helpers/dev.ts";

const FILES = { "apis/orders.json": "{}", "handlers/h.js": "first" };

/** A bucket and a releaser in memory; the version of a release is the text of handlers/h.js. */
function fakeStack(during: (step: string) => Promise<void> = async () => {}) {
  const bucket = new Map<string, string>();
  const released: string[] = [];
  let heard = () => {};
  let refuse = false;
  const releases: Partial<ReleaseStore> = {
    async listSources() {
      await during("list");
      return [...bucket.keys()].map((path) => ({ path, etag: "of an older text", putAt: 0, bytes: 0 }));
    },
    async writeSource({ path, text }: SourceFile) {
      await during("write");
      bucket.set(path, text);
    },
    removeSource: async (path) => void bucket.delete(path),
    liveVersion: async () => released.at(-1),
  };
  const stack = {
    releases,
    async release(upload?: () => Promise<void>): Promise<ReleaseReport> {
      await upload?.();
      await during("release");
      const version = bucket.get("handlers/h.js") ?? "nothing";
      released.push(version);
      heard();
      const errors = refuse ? [{ file: "handlers/h.js", message: "it is refused" }] : [];
      const result = refuse ? "refused" : "live";
      return { version, result, apis: 1, scripts: 1, errors, warnings: [] };
    },
  } as Partial<Stack> as Stack;
  return {
    stack,
    bucket,
    released,
    refuse: () => {
      refuse = true;
    },
    /** Waits until a release of this version was made. */
    async reached(version: string): Promise<void> {
      while (!released.includes(version))
        await new Promise<void>((resolve) => {
          heard = resolve;
        });
    },
  };
}

/** What is said, and a way to wait for it. */
function createListener() {
  const lines: string[] = [];
  let heard = () => {};
  return {
    lines,
    say(...said: string[]) {
      lines.push(...said);
      heard();
    },
    async says(words: RegExp): Promise<string> {
      for (;;) {
        const line = lines.find((each) => words.test(each));
        if (line !== undefined) return line;
        await new Promise<void>((resolve) => {
          heard = resolve;
        });
      }
    },
  };
}

describe("a folder whose every save is uploaded", () => {
  const ends: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  async function folderOf(files: Record<string, string> = FILES): Promise<string> {
    const folder = await newFolder(files);
    ends.push(() => rm(folder, { recursive: true, force: true }));
    return folder;
  }

  async function follow(folder: LiveFolder): Promise<void> {
    ends.push(await folder.follow());
  }

  for (const step of ["list", "write", "release"])
    it(`loses no save of its start (during: ${step})`, async () => {
      const dir = await folderOf();
      const file = join(dir, "handlers/h.js");
      let saves = 0;
      const { stack, reached } = fakeStack(async (now) => {
        if (now !== step || saves > 0) return;
        saves += 1;
        await writeFile(file, "saved meanwhile");
      });
      const folder = createLiveFolder(stack, dir, OWN_FOLDERS, () => {});
      await follow(folder);
      await folder.upload();
      await reached("saved meanwhile");
      assert.equal(saves, 1);
    });

  it("takes over a bucket that was kept: what is not in the folder any more is removed", async () => {
    const dir = await folderOf();
    const { stack, bucket } = fakeStack();
    bucket.set("handlers/old.js", "of the last start");
    await createLiveFolder(stack, dir, OWN_FOLDERS, () => {}).upload();
    assert.deepEqual([...bucket].sort(), Object.entries(FILES));
  });

  it("says in one line that apis/ is away, and goes on when it is back", async () => {
    const dir = await folderOf();
    const { stack, reached } = fakeStack();
    const { lines, say, says } = createListener();
    const folder = createLiveFolder(stack, dir, OWN_FOLDERS, say);
    await follow(folder);
    await folder.upload();
    await rename(join(dir, "apis"), join(dir, "elsewhere"));
    await says(/waiting +apis\/ not there: the live release stays/);
    await writeFile(join(dir, "handlers/h.js"), "saved while it was away");
    await rename(join(dir, "elsewhere"), join(dir, "apis"));
    await reached("saved while it was away");
    assert.equal(lines.filter((line) => /waiting|problem/.test(line)).length, 1);
  });

  it("says that a folder is back, when nothing has changed", async () => {
    const dir = await folderOf();
    const { stack, released } = fakeStack();
    const { say, says } = createListener();
    const folder = createLiveFolder(stack, dir, OWN_FOLDERS, say);
    await follow(folder);
    await folder.upload();
    await rename(join(dir, "handlers"), join(dir, "elsewhere"));
    await says(/waiting +handlers\/ not there/);
    await rename(join(dir, "elsewhere"), join(dir, "handlers"));
    await says(/back +all can be read again, and nothing has changed/);
    assert.deepEqual(released, ["first"]);
  });

  it("finds what the watch missed: a folder in the place of a link", async () => {
    const dir = await folderOf({ "apis/orders.json": "{}", "handlers/real/h.js": "elsewhere" });
    await symlink("real", join(dir, "handlers/linked"));
    const { stack, bucket } = fakeStack();
    const { say, says, lines } = createListener();
    const folder = createLiveFolder(stack, dir, OWN_FOLDERS, say);
    await follow(folder);
    await folder.upload();
    const linked = join(dir, "handlers/linked");
    const saved = async (text: string) => {
      await says(/saved +handlers\/linked\/h\.js/);
      await says(/is live/);
      assert.equal(bucket.get("handlers/linked/h.js"), text);
      lines.splice(0);
    };
    lines.splice(0);
    for (const text of ["one", "two", "three"]) {
      // In one step, as a checkout does it.
      rmSync(linked, { recursive: true });
      mkdirSync(linked);
      writeFileSync(join(linked, "h.js"), text);
      await saved(text);
      writeFileSync(join(linked, "h.js"), `${text} and more`);
      await saved(`${text} and more`);
      rmSync(linked, { recursive: true });
      symlinkSync("real", linked);
      await saved("elsewhere");
    }
  });

  it("follows a linked apis/, also to where it leads after a change", async () => {
    const dir = await folderOf({ ...FILES, "v1/orders.json": "{}", "v2/orders.json": '{"two":2}' });
    await rm(join(dir, "apis"), { recursive: true });
    await symlink("v1", join(dir, "apis"));
    const { stack, bucket } = fakeStack();
    const { say, says, lines } = createListener();
    const folder = createLiveFolder(stack, dir, OWN_FOLDERS, say);
    await follow(folder);
    await folder.upload();
    const saved = async (text: string) => {
      await says(/saved +apis\/orders\.json/);
      await says(/is live/);
      assert.equal(bucket.get("apis/orders.json"), text);
      lines.splice(0);
    };
    lines.splice(0);
    await writeFile(join(dir, "v1/orders.json"), '{"one":1}');
    await saved('{"one":1}');
    await symlink("v2", join(dir, "next"));
    await rename(join(dir, "next"), join(dir, "apis"));
    await saved('{"two":2}');
    await writeFile(join(dir, "v2/orders.json"), '{"two":3}');
    await saved('{"two":3}');
  });

  it("tells of a refused release itself, so that the releaser's own line is not needed", async () => {
    const dir = await folderOf();
    const { stack, refuse } = fakeStack();
    refuse();
    const folder = createLiveFolder(stack, dir, OWN_FOLDERS, () => {});
    const refusal = (release: string) => ({
      functionName: "releaser",
      message: "release refused",
      fields: { release },
    });
    assert.equal(folder.tells(refusal("first")), false);
    await folder.upload();
    assert.equal(folder.tells(refusal("first")), true);
    assert.equal(folder.tells(refusal("of somebody's push")), false);
    assert.equal(folder.tells({ ...refusal("first"), message: "release loaded" }), false);
  });

  it("goes on after a folder that may not be uploaded", async () => {
    const dir = await folderOf();
    const { stack, reached } = fakeStack();
    const { say, says } = createListener();
    const folder = createLiveFolder(stack, dir, OWN_FOLDERS, say);
    await follow(folder);
    await folder.upload();
    await mkdir(join(dir, "private"));
    await symlink("../private", join(dir, "handlers/out"));
    await says(/problem +handlers\/out is a symbolic link that leads out of apis\/ and handlers\//);
    await rm(join(dir, "handlers/out"));
    await writeFile(join(dir, "handlers/h.js"), "after it");
    await reached("after it");
  });
});
