import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { readCandidate } from "../../lib/releases/examine.ts";
import { readSourceFiles } from "../../local/files.ts";
import { type Dev, definition, handler, newFolder, startDev, writeFiles } from "../helpers/dev.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SAVES = 20;

describe("gatehook dev", () => {
  it("makes a release of every save; a broken one shows its line once, and the old release goes on", async () => {
    const folder = await newFolder({});
    for (const name of ["apis", "handlers"])
      await cp(join(ROOT, name), join(folder, name), { recursive: true });
    const file = join(folder, "handlers/session-editor.js");
    const source = await readFile(file, "utf8");
    const dev = startDev(folder, "--no-demo");
    try {
      const [, first] = await dev.says(/release (\w+) is live/);
      const [, url] = await dev.says(/ready at (\S+)/);
      await dev.says(/Ctrl\+C/);
      const post = () =>
        fetch(`${url}/events/demo`, {
          method: "POST",
          body: '{"event":{"Type":"KeyExpired","Meta":{"Key":"none"}}}',
        });

      await writeFile(file, `${source}\nvar oops = (;\n`);
      await dev.says(/SyntaxError.*\n.*var oops = \(;\n.*\^/);
      await dev.says(/was refused: the live release stays/);
      await post();
      await dev.says(new RegExp(`loaded .*${first}`));

      await writeFile(file, source.replace("function (event, context) {", '$&\n  log("as it was saved");'));
      const [, second] = await dev.says(/release (\w+) is live/);
      assert.notEqual(second, first);
      await post();
      await dev.says(/as it was saved/);
      assert.equal(dev.said().match(/refused/g)?.length, 1, dev.said());
    } finally {
      assert.equal(await dev.end(), 0);
      await rm(folder, { recursive: true });
    }
  });
});

describe("gatehook dev in a folder under version control", () => {
  let folder = "";
  let dev: Dev;
  const path = (name: string) => join(folder, name);
  const git = (...args: string[]) => execFileSync("git", ["-C", folder, ...args], { stdio: "ignore" });
  const source = (mark: string) => handler("h", `  log("${mark}");`);

  /** Waits until what the folder has now is live. */
  async function live(): Promise<void> {
    const { version } = readCandidate(await readSourceFiles(folder));
    await dev.says(new RegExp(`release ${version} is live`));
  }

  before(async () => {
    folder = await newFolder({
      "apis/orders.json": definition("orders", { KeyExpired: "h" }),
      "handlers/h.js": source("first"),
    });
    git("init", "-q", "-b", "one");
    git("config", "user.email", "dev@example.com");
    git("config", "user.name", "dev");
    git("add", ".");
    git("commit", "-qm", "one");
    git("checkout", "-qb", "two");
    await writeFiles(folder, {
      "apis/more.json": definition("more", { KeyExpired: "deep/more" }),
      "handlers/deep/more.js": handler("more", '  log("more");'),
      "handlers/h.js": source("two"),
    });
    git("add", ".");
    git("commit", "-qm", "two");
    dev = startDev(folder, "--no-demo");
    await dev.says(/Ctrl\+C stops everything/);
  });
  after(async () => {
    await dev.end();
    await rm(folder, { recursive: true });
  });

  const WAYS: Record<string, (mark: string, nth: number) => void> = {
    "in place": (mark) => writeFileSync(path("handlers/h.js"), source(mark)),
    "by rename": (mark) => {
      writeFileSync(path("handlers/h.js.tmp"), source(mark));
      renameSync(path("handlers/h.js.tmp"), path("handlers/h.js"));
    },
    "as vim does, which moves the old file away": (mark) => {
      renameSync(path("handlers/h.js"), path("handlers/h.js~"));
      writeFileSync(path("handlers/h.js"), source(mark));
      rmSync(path("handlers/h.js~"));
    },
    "by sed -i": (mark) =>
      void execFileSync("sed", ["-i", `s/log(".*")/log("${mark}")/`, path("handlers/h.js")]),
    "by git checkout, which makes and removes a folder": (_, nth) =>
      git("checkout", "-qf", nth % 2 ? "two" : "one"),
    "of a file that comes and goes": (mark, nth) =>
      nth % 2 ? rmSync(path("tykjs.js")) : writeFileSync(path("tykjs.js"), `var common = "${mark}";\n`),
  };
  for (const [way, save] of Object.entries(WAYS))
    it(`sees ${SAVES} of ${SAVES} saves ${way}`, async () => {
      for (let nth = 0; nth < SAVES; nth += 1) {
        save(`${way} ${nth}`, nth);
        await live();
      }
    });

  it("goes on when folders are moved away and back", async () => {
    for (const name of ["apis", "handlers"]) {
      for (let nth = 0; nth < 5; nth += 1) {
        renameSync(path(name), path("elsewhere"));
        await dev.says(new RegExp(`waiting +${name}/ not there`));
        writeFileSync(
          path(`${name === "apis" ? "handlers" : "elsewhere"}/h.js`),
          source(`${name} away ${nth}`),
        );
        renameSync(path("elsewhere"), path(name));
        await live();
      }
    }
  });

  it("sees what is saved while it starts", async () => {
    await dev.end();
    dev = startDev(folder, "--no-demo");
    let isReady = false;
    const ready = dev.says(/ready at/).then(() => {
      isReady = true;
    });
    for (let nth = 1; !isReady; nth += 1)
      await writeFile(path("handlers/h.js"), source(`saved while it starts ${nth}`));
    await ready;
    await live();
  });
});
