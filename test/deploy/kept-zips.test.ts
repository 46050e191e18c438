// The zips of a clone are built again whenever what they are made of differs.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { sourcesDigest } from "../../deploy/kept-zips.ts";

it("the digest of the zips' sources differs with each name and content, and with nothing else", (t) => {
  const root = mkdtempSync(join(tmpdir(), "gatehook-sources-"));
  t.after(() => rmSync(root, { recursive: true }));
  const write = (file: string, text: string) => {
    mkdirSync(join(root, file, ".."), { recursive: true });
    writeFileSync(join(root, file), text);
  };
  for (const file of ["functions/a.ts", "lib/x/b.ts", "deploy/c.ts", "package-lock.json"]) write(file, file);
  const seen = [sourcesDigest(root)];
  write("README.md", "not a source");
  write("lib/x/b.ts", "lib/x/b.ts");
  assert.equal(sourcesDigest(root), seen[0]);

  const changes = [
    () => write("functions/a.ts", "changed"),
    () => write("lib/x/b.ts", "changed"),
    () => write("deploy/c.ts", "changed"),
    () => write("package-lock.json", "changed"),
    () => write("lib/x/new.ts", ""),
    () => renameSync(join(root, "lib/x/new.ts"), join(root, "lib/new.ts")),
  ];
  for (const change of changes) {
    change();
    seen.push(sourcesDigest(root));
  }
  assert.equal(new Set(seen).size, changes.length + 1, "each is another one");
});
