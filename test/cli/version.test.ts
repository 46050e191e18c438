import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { runCli } from "../helpers/cli.ts";

const PACKAGE = new URL("../../package.json", import.meta.url);

for (const flag of ["--version", "-V"]) {
  test(`gatehook ${flag} prints the package's version, called from anywhere`, async () => {
    const { version } = JSON.parse(readFileSync(PACKAGE, "utf8")) as { version: string };
    const { code, stdout, stderr } = await runCli([flag], { cwd: tmpdir() });
    assert.deepEqual([code, stdout, stderr], [0, `${version}\n`, ""]);
  });
}
