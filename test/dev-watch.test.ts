import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** `gatehook dev` in a folder, whose words can be waited for. */
function startDev(folder: string) {
  const child = spawn(process.execPath, [join(ROOT, "cli/gatehook.ts"), "dev", "--port", "0", "--no-demo"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  let read = 0;
  let heard = () => {};
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => {
      said += chunk;
      heard();
    });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));

  return {
    /** What fits, among what was said since the last time. */
    async says(words: RegExp): Promise<RegExpExecArray> {
      for (;;) {
        const found = words.exec(said.slice(read));
        if (found) {
          read += found.index + found[0].length;
          return found;
        }
        await Promise.race([
          new Promise<void>((resolve) => {
            heard = resolve;
          }),
          ended.then(() => assert.fail(`ended without saying ${words}:\n${said}`)),
        ]);
      }
    },
    async end() {
      child.kill("SIGTERM");
      return ended;
    },
  };
}

describe("gatehook dev", () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "gatehook-"));
    for (const name of ["apis", "handlers"])
      await cp(join(ROOT, name), join(folder, name), { recursive: true });
  });
  after(() => rm(folder, { recursive: true }));

  it("makes a release of every save; a broken one shows its line, and the old release goes on", async () => {
    const file = join(folder, "handlers/session-editor.js");
    const source = await readFile(file, "utf8");
    const dev = startDev(folder);
    try {
      const [, first] = await dev.says(/release (\w+) is live/);
      const [, url] = await dev.says(/ready at (\S+)/);
      await dev.says(/export STATE_TABLE=/);
      await dev.says(/Ctrl\+C/);
      const post = () =>
        fetch(`${url}/events/demo`, {
          method: "POST",
          body: '{"event":{"Type":"KeyExpired","Meta":{"Key":"none"}}}',
        });

      await writeFile(file, `${source}\nvar oops = (;\n`);
      await dev.says(/SyntaxError.*\n.*var oops = \(;\n.*\^/);
      await dev.says(/was refused: what was live before goes on/);
      await post();
      await dev.says(new RegExp(`loaded .*${first}`));

      await writeFile(file, source.replace("function (event, context) {", '$&\n  log("as it was saved");'));
      const [, second] = await dev.says(/release (\w+) is live/);
      assert.notEqual(second, first);
      await post();
      await dev.says(/as it was saved/);
    } finally {
      assert.equal(await dev.end(), 0);
    }
  });
});
