// npm run release, in a repository of the test: what it checks, what it changes, and that a failure changes nothing.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("../../deploy/release.ts", import.meta.url));
const CHANGELOG = "# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2026-01-31\n\n- It can be released.\n";
/** Of nobody's own configuration of git and npm. */
const ENV = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name))),
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_AUTHOR_NAME: "test",
  GIT_AUTHOR_EMAIL: "test@localhost",
  GIT_COMMITTER_NAME: "test",
  GIT_COMMITTER_EMAIL: "test@localhost",
  npm_config_update_notifier: "false",
};

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** A clean repository on main that could release 0.2.0. */
function repository(files: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), "gatehook-release-"));
  folders.push(folder);
  const scripts = { "pack:check": "node -e 0" };
  const own = { name: "scratch", version: "0.1.0", scripts };
  const lock = { name: "scratch", version: "0.1.0", lockfileVersion: 3, packages: { "": own } };
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  // As npm writes them.
  write("package.json", `${JSON.stringify(own, undefined, 2)}\n`);
  write("package-lock.json", `${JSON.stringify(lock, undefined, 2)}\n`);
  write("CHANGELOG.md", CHANGELOG);
  write(".gitignore", "*.tgz\n");
  for (const [name, text] of Object.entries(files)) write(name, text);
  const git = (...args: string[]) =>
    execFileSync("git", args, { cwd: folder, env: ENV, encoding: "utf8" }).trim();
  git("init", "--quiet", "-b", "main");
  git("add", ".");
  git("commit", "--quiet", "-m", "All of it");
  return {
    git,
    write,
    has: (name: string) => existsSync(join(folder, name)),
    versions: () =>
      ["package.json", "package-lock.json"].map(
        (name) => JSON.parse(readFileSync(join(folder, name), "utf8")).version,
      ),
    /** Everything that a release may change. */
    state: () => [git("rev-parse", "HEAD"), git("tag", "--list"), git("status", "--porcelain")],
    release: (...args: string[]) =>
      spawnSync(process.execPath, [SCRIPT, ...args], { cwd: folder, env: ENV, encoding: "utf8" }),
  };
}

describe("npm run release", () => {
  it("sets the version, packs, commits and tags, and pushes nothing", () => {
    const own = repository();
    const { status, stdout, stderr } = own.release("0.2.0");
    assert.equal(status, 0, stderr);
    assert.deepEqual(own.versions(), ["0.2.0", "0.2.0"]);
    assert.ok(own.has("scratch-0.2.0.tgz"));
    assert.equal(own.git("log", "-1", "--format=%s"), "Release 0.2.0");
    assert.equal(own.git("status", "--porcelain"), "");
    assert.equal(own.git("cat-file", "-t", "v0.2.0"), "tag");
    assert.equal(own.git("rev-parse", "v0.2.0^{commit}"), own.git("rev-parse", "HEAD"));
    assert.match(stdout, /git push origin main v0\.2\.0\n {2}npm publish scratch-0\.2\.0\.tgz/);
  });

  it("releases the version that package.json has, when there is no tag of it: the first one", () => {
    const own = repository({ "CHANGELOG.md": CHANGELOG.replace("0.2.0", "0.1.0") });
    const before = own.git("rev-parse", "HEAD");
    const { status, stderr } = own.release("0.1.0");
    assert.equal(status, 0, stderr);
    assert.equal(own.git("rev-parse", "v0.1.0^{commit}"), before);
  });

  it("tells with --dry-run what it would do, and does nothing", () => {
    const own = repository();
    const before = own.state();
    const { status, stdout } = own.release("0.2.0", "--dry-run");
    assert.equal(status, 0);
    assert.match(
      stdout,
      /^This would:\n {2}set the version 0\.2\.0 .*\n {2}check .*\n {2}pack .*\n {2}commit .*\n {2}tag /,
    );
    assert.deepEqual(own.state(), before);
    assert.deepEqual(own.versions(), ["0.1.0", "0.1.0"]);
    assert.ok(!own.has("scratch-0.2.0.tgz"));
  });

  it("names everything that is in the way, and does nothing", () => {
    const own = repository({ "CHANGELOG.md": "# Changelog\n\n## Unreleased\n\n- Something.\n" });
    own.git("switch", "--quiet", "-c", "topic");
    own.git("tag", "v0.0.9");
    own.write("left.txt", "");
    const before = own.state();
    for (const args of [["0.0.9"], ["0.0.9", "--dry-run"]]) {
      const { status, stdout, stderr } = own.release(...args);
      assert.equal(status, 1);
      assert.equal(stdout, "");
      assert.match(stderr, /^release: 0\.0\.9 is not released:\n/);
      assert.match(stderr, /this is topic: releases are made on main/);
      assert.match(stderr, /the tree is not clean: commit or stash these first\n {4}\?\? left\.txt/);
      assert.match(stderr, /package\.json has 0\.1\.0 already: 0\.0\.9 is older/);
      assert.match(stderr, /the tag v0\.0\.9 exists/);
      assert.match(stderr, /CHANGELOG\.md has no heading "## 0\.0\.9 - YYYY-MM-DD"/);
    }
    assert.deepEqual(own.state(), before);
  });

  for (const [what, changelog, message] of [
    ["a heading without a date", CHANGELOG.replace(" - 2026-01-31", ""), /has no heading "## 0\.2\.0 - /],
    ["a longer version's heading", CHANGELOG.replace("0.2.0", "0.2.0-rc.1"), /has no heading "## 0\.2\.0 - /],
    ["a heading with nothing below it", CHANGELOG.replace(/- It can.*/, ""), /says nothing about 0\.2\.0/],
    [
      "an entry left behind",
      CHANGELOG.replace("Unreleased\n", "Unreleased\n\n- More.\n"),
      /entries under Unreleased/,
    ],
  ] as const)
    it(`refuses a changelog with ${what}`, () => {
      const { status, stderr } = repository({ "CHANGELOG.md": changelog }).release("0.2.0");
      assert.equal(status, 1);
      assert.match(stderr, message);
    });

  it("leaves the tree as it was when the package does not pass its check", () => {
    const own = repository();
    const broken = JSON.stringify({ name: "scratch", version: "0.1.0", scripts: { "pack:check": "exit 3" } });
    own.write("package.json", broken);
    own.git("commit", "--quiet", "-am", "A package that is broken");
    const before = own.state();
    const { status, stderr } = own.release("0.2.0");
    assert.equal(status, 1);
    assert.match(stderr, /release: npm run pack:check failed: what it says is above/);
    assert.deepEqual(own.state(), before);
    assert.deepEqual(own.versions(), ["0.1.0", "0.1.0"]);
  });

  for (const args of [[], ["0.2"], ["v0.2.0"], ["0.2.0", "0.3.0"], ["0.2.0", "--force"]])
    it(`ends with 2 and its usage when it is called with ${args.join(" ") || "nothing"}`, () => {
      const { status, stderr } = repository().release(...args);
      assert.equal(status, 2);
      assert.match(stderr, /^release: .+\nusage: npm run release -- <version>/);
    });
});
