// What docs/typescript.md shows works as it says.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { runCli } from "../helpers/cli.ts";
import { writeFiles } from "../helpers/dev.ts";
import { asInstalled } from "../helpers/folder.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TSC = `${ROOT}node_modules/typescript/bin/tsc`;

describe("docs/typescript.md", () => {
  let root = "";
  let folder = "";
  let page = "";
  before(async () => {
    page = await readFile(`${ROOT}docs/typescript.md`, "utf8");
    root = await mkdtemp(join(tmpdir(), "gatehook-"));
    folder = join(root, "my-handlers");
    assert.equal((await runCli(["init", "my-handlers", "--ts"], { cwd: root })).code, 0);
    await asInstalled(folder);
    const files = [...page.matchAll(/^```ts\n\/\/ (\S+)\n(.*?)^```$/gms)];
    assert.equal(files.length, 2);
    await writeFiles(folder, {
      ...Object.fromEntries(files.map(([, file = "", text = ""]) => [file, `// ${file}\n${text}`])),
      "node_modules/ms/package.json": `{"name":"ms","version":"2.1.3"}`,
      "node_modules/ms/index.js": "module.exports = (text) => (text === '1d' ? 86400000 : NaN);",
    });
  });
  after(() => rm(root, { recursive: true }));

  it("shows files that pass gatehook check, and fit the declarations", async () => {
    const { code, stdout, stderr } = await runCli(["check"], { cwd: folder });
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /1 API, 1 script, 0 warnings/);
    execFileSync(process.execPath, [TSC], { cwd: folder, stdio: ["ignore", 2, 2] });
  });

  it("shows what a run of them prints", async () => {
    const [, command = "", shown = ""] = /^\$ npx gatehook ([^\n]*)\n(.*?)^```$/ms.exec(page) ?? [];
    const { stdout, stderr } = await runCli(command.split(" "), { cwd: folder });
    const untimed = (text: string) => text.replace(/in [\d.]+ ms/, "in MS ms");
    assert.equal(untimed(stdout + stderr), untimed(shown));
  });

  it("shows a handler that changes a session", async () => {
    await writeFiles(folder, {
      "session.json": `{"expires":1000,"access_rights":{"orders":{"api_id":"orders"}}}`,
    });
    const { code, stdout } = await runCli(
      ["run", "--handler", "gracePeriod", "--session", "k=session.json", "--json"],
      { cwd: folder },
    );
    const { sessions } = JSON.parse(stdout);
    assert.deepEqual([code, sessions.k.expires > Date.now() / 1000 + 86_000], [0, true]);
  });
});
