import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startLeftOut } from "../../cli/left-out.ts";

test("a report that cannot be written to any more fails the import, and does not end it half-way", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "gatehook-left-out-"));
  const exitCode = process.exitCode;
  const said = t.mock.method(process.stderr, "write", () => true);
  try {
    const report = join(folder, "report");
    const leftOut = await startLeftOut(report, "line");
    await rm(report);
    await mkdir(report);
    // More than are written together: the first part is refused while the import goes on.
    for (let place = 1; place <= 501; place += 1)
      leftOut.add({ place, code: "session-invalid", message: "not a session" });
    await leftOut.end();
    assert.equal(process.exitCode, 1);
    const lines = said.mock.calls.map(({ arguments: [text] }) => String(text)).join("");
    assert.match(lines, /gatehook: the report .*report is not complete: EISDIR/);
  } finally {
    process.exitCode = exitCode;
    await rm(folder, { recursive: true });
  }
});
