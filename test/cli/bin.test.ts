import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A folder as a package or a clone is laid out; each of its programs prints its own path. */
function layOut(programs: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "gatehook-bin-"));
  for (const file of ["bin", "package.json"])
    cpSync(`${ROOT}${file}`, `${folder}/${file}`, { recursive: true });
  for (const program of programs) {
    mkdirSync(join(folder, program, ".."), { recursive: true });
    writeFileSync(join(folder, program), `console.log(${JSON.stringify(program)}, process.argv[2]);\n`);
  }
  return folder;
}

const installed = layOut(["dist/gatehook.mjs"]);
const clone = layOut(["dist/gatehook.mjs", "cli/gatehook.ts"]);
after(() => {
  for (const folder of [installed, clone]) rmSync(folder, { recursive: true });
});

/** `cwd`: where it is called; by default in the folder itself. */
function runBin(folder: string, version = process.versions.node, cwd = folder) {
  const before = `Object.defineProperty(process, "versions", { value: { node: "${version}" } });`;
  const preload = join(folder, "version.cjs");
  writeFileSync(preload, before);
  const args = ["--require", preload, join(folder, "bin/gatehook.cjs"), "check"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd, encoding: "utf8" });
  return { status, stdout, stderr };
}

describe("the program that npm links", () => {
  for (const version of ["18.20.8", "20.20.2", "22.9.0", "22.21.99"]) {
    test(`tells on Node ${version} what it needs, and loads nothing`, () => {
      const stderr = `gatehook needs Node 22.22 or later; this is ${version}\n`;
      assert.deepEqual(runBin(installed, version), { status: 1, stdout: "", stderr });
    });
  }

  for (const version of ["22.22.0", "22.23.0", "23.0.0", "24.0.0", "100.1.0"]) {
    test(`runs on Node ${version}`, () => {
      assert.deepEqual(runBin(installed, version), {
        status: 0,
        stdout: "dist/gatehook.mjs check\n",
        stderr: "",
      });
    });
  }

  test("tells of no experiment of Node's own, and of every other warning", () => {
    const program = ["ExperimentalWarning", "DeprecationWarning"]
      .map((name) => `process.emitWarning("that is a ${name}", { type: "${name}" });\n`)
      .join("");
    writeFileSync(join(installed, "dist/gatehook.mjs"), program);
    const { status, stderr } = runBin(installed);
    assert.equal(status, 0);
    assert.match(stderr, /that is a DeprecationWarning/);
    assert.doesNotMatch(stderr, /ExperimentalWarning/);
  });

  describe("installed globally", () => {
    const project = mkdtempSync(join(tmpdir(), "gatehook-own-"));
    const local = join(project, "node_modules/gatehook");
    after(() => rmSync(project, { recursive: true }));

    test("runs itself in a folder without a gatehook", () => {
      const { stdout } = runBin(clone, undefined, project);
      assert.equal(stdout, "cli/gatehook.ts check\n");
    });

    test("runs the folder's own, whatever version that is, also below the folder", () => {
      cpSync(installed, local, { recursive: true });
      writeFileSync(join(local, "dist/gatehook.mjs"), `console.log("the folder's", process.argv[2]);\n`);
      mkdirSync(join(project, "handlers"));
      for (const cwd of [project, join(project, "handlers")])
        assert.deepEqual(runBin(clone, undefined, cwd), {
          status: 0,
          stdout: "the folder's check\n",
          stderr: "",
        });
    });

    test("leaves it to the folder's own to tell what Node it needs", () => {
      const { status, stderr } = runBin(clone, "20.20.2", project);
      assert.deepEqual([status, stderr], [1, "gatehook needs Node 22.22 or later; this is 20.20.2\n"]);
    });

    test("runs itself where the folder's own is broken", () => {
      writeFileSync(join(local, "package.json"), "{");
      assert.equal(runBin(clone, undefined, project).stdout, "cli/gatehook.ts check\n");
    });
  });

  test("runs a clone's sources, whatever build was left there", () => {
    assert.deepEqual(runBin(clone), { status: 0, stdout: "cli/gatehook.ts check\n", stderr: "" });
  });
});
