import assert from "node:assert/strict";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { runCli } from "../helpers/cli.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

it("the examples go live without a warning, and their tests pass", async () => {
  const checked = await runCli(["check", "--dir", "examples", "--json"], { cwd: ROOT });
  const { result, errors, warnings } = JSON.parse(checked.stdout);
  assert.deepEqual([checked.code, result, errors, warnings], [0, "ok", [], []]);
  const tested = await runCli(["test", "--dir", "examples"], { cwd: ROOT });
  assert.equal(tested.code, 0, tested.stdout + tested.stderr);
  assert.match(tested.stdout, /10 tests: 10 passed/);
});
