import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { readSourceFiles } from "../../local/files.ts";
import { runCli } from "../helpers/cli.ts";

describe("the files of a folder", () => {
  let top = "";
  let folder = "";
  beforeEach(async () => {
    top = await mkdtemp(join(tmpdir(), "gatehook-files-"));
    folder = join(top, "project");
    await write("apis/a.json", "{}");
    await write("handlers/a.js", "a");
    await write("../outside/secret.js", "the secret");
    await write("secret.js", "the secret");
  });
  afterEach(() => rm(top, { recursive: true }));

  async function write(path: string, text: string): Promise<void> {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  const link = (path: string, target: string) => symlink(target, join(folder, path));
  const paths = async () => (await readSourceFiles(folder)).map(({ path }) => path);

  it("are the definitions, the scripts at any depth, and the two files beside them", async () => {
    await write("handlers/deep/er/b.js", "b");
    await write("handlers/notes.md", "");
    await write("apis/notes.js", "");
    await write("gateway.json", "{}");
    await write("tykjs.js", "core");
    await mkdir(join(folder, "handlers/folder.js"));
    const files = new Map((await readSourceFiles(folder)).map(({ path, text }) => [path, text]));
    assert.deepEqual(Object.fromEntries(files), {
      "apis/a.json": "{}",
      "gateway.json": "{}",
      "handlers/a.js": "a",
      "handlers/deep/er/b.js": "b",
      "tykjs.js": "core",
    });
  });

  it("are also those that links within them lead to, by the names of the links", async () => {
    await write("handlers/shared/b.js", "b");
    await link("handlers/link.js", "shared/b.js");
    await link("handlers/copy", "shared");
    await link("tykjs.js", "handlers/a.js");
    assert.deepEqual(await paths(), [
      "apis/a.json",
      "handlers/a.js",
      "handlers/copy/b.js",
      "handlers/link.js",
      "handlers/shared/b.js",
      "tykjs.js",
    ]);
  });

  const LEAVING: [what: string, path: string, target: string][] = [
    ["a file outside of the project", "handlers/x.js", "../../outside/secret.js"],
    ["a file beside the folders", "handlers/x.js", "../secret.js"],
    ["a folder outside", "handlers/sub", "../../outside"],
    ["the folder that all are in", "handlers/sub", ".."],
    ["a link that leads out", "handlers/x.js", "y.js"],
    ["an absolute path", "apis/x.json", "/etc/hostname"],
    ["a file beside it, for a core script", "tykjs.js", "secret.js"],
  ];
  for (const [what, path, target] of LEAVING) {
    it(`are refused with a link to ${what}, whose path and remedy are told`, async () => {
      await link("handlers/y.js", "../../outside/secret.js");
      if (target !== "y.js") await rm(join(folder, "handlers/y.js"));
      await link(path, target);
      await assert.rejects(readSourceFiles(folder), (thrown: Error & { code: string }) => {
        assert.equal(thrown.code, "release-invalid");
        assert.match(thrown.message, /symbolic link that leads out of .*put a copy in its place/);
        if (target !== "y.js") assert.ok(thrown.message.startsWith(`${path} `), thrown.message);
        return true;
      });
    });
  }

  it("are refused when handlers/ itself is a link that leads out of the folder", async () => {
    await rm(join(folder, "handlers"), { recursive: true });
    await link("handlers", "../outside");
    await assert.rejects(readSourceFiles(folder), /^AppError: handlers is a symbolic link/);
    await rm(join(folder, "handlers"));
    await write("built/b.js", "b");
    await link("handlers", "built");
    assert.deepEqual(await paths(), ["apis/a.json", "handlers/b.js"]);
  });

  it("come to an end with links that lead round, to themselves or to nothing", async () => {
    await mkdir(join(folder, "handlers/one"));
    await mkdir(join(folder, "handlers/two"));
    await link("handlers/round", ".");
    await link("handlers/one/two", "../two");
    await link("handlers/two/one", "../one");
    await link("handlers/self.js", "self.js");
    await link("handlers/gone.js", "nowhere.js");
    assert.deepEqual(await paths(), ["apis/a.json", "handlers/a.js"]);
  });

  it("come to an end with links that multiply each other's folders", async () => {
    for (let depth = 0; depth < 30; depth += 1) await mkdir(join(folder, `handlers/d${depth}`));
    for (let depth = 0; depth < 29; depth += 1)
      for (const name of ["a", "b", "c"]) await link(`handlers/d${depth}/${name}`, `../d${depth + 1}`);
    await assert.rejects(readSourceFiles(folder), /more than 1000 folders are reached by symbolic links/);
  });

  it("may be more than a process can have open", async () => {
    const names = Array.from({ length: 3_000 }, (_, nth) => `handlers/many/${nth}.js`);
    for (const name of names) await write(name, name);
    const script = `import { readSourceFiles } from ${JSON.stringify(new URL("../../local/files.ts", import.meta.url))};
      console.log((await readSourceFiles(${JSON.stringify(folder)})).filter(({ path, text }) => path === text).length);`;
    const limited = 'ulimit -n 256; exec "$0" --input-type=module --eval "$1"';
    assert.equal(
      execFileSync("sh", ["-c", limited, process.execPath, script], { encoding: "utf8" }),
      "3000\n",
    );
  });

  it("do not wait for a pipe", async () => {
    execFileSync("mkfifo", [join(folder, "handlers/pipe.js")]);
    await link("handlers/link.js", "pipe.js");
    assert.deepEqual(await paths(), ["apis/a.json", "handlers/a.js"]);
  });

  it("are shown by no command when a link leads out", async () => {
    await link("handlers/x.js", "../../outside/secret.js");
    const { code, stdout, stderr } = await runCli(["check", "--dir", folder]);
    assert.equal(code, 1);
    assert.match(stderr, /handlers\/x\.js is a symbolic link/);
    assert.doesNotMatch(stdout + stderr, /the secret/);
  });
});
