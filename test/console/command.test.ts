// gatehook console: the link of a dev that runs, the page of a file, and what it refuses; and the texts of the page.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { fromNow, moved, quoted, shown, shownLines } from "../../console/text.ts";
import { runCli } from "../helpers/cli.ts";
import { type Dev, definition, handler, newFolder, startDev } from "../helpers/dev.ts";

const CLI = fileURLToPath(new URL("../../cli/gatehook.ts", import.meta.url));

describe("gatehook console", () => {
  let folder = "";
  let dev: Dev;
  let link = "";
  let url = "";
  before(async () => {
    folder = await newFolder({
      "apis/shop.json": definition("shop", { KeyExpired: "say" }),
      "handlers/say.js": handler("say", 'log("said");'),
    });
    dev = startDev(folder);
    url = (await dev.says(/ready at (http:\S+)/))[1] ?? "";
    link = (await dev.says(/in a browser: (\S+)/))[1] ?? "";
  });
  after(async () => {
    await dev.end();
    await rm(folder, { recursive: true });
  });

  it("prints the link that dev has printed, whose token its user alone can read", async () => {
    const { code, stdout, stderr } = await runCli(["console"], { cwd: join(folder, "handlers") });
    assert.deepEqual([code, stdout, stderr], [0, `${link}\n`, ""]);
    const file = join(folder, ".gatehook/token");
    assert.equal(link.split("#token=")[1], readFileSync(file, "utf8").trim());
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.match(link, /#token=[\w-]{43}$/);
  });

  it("answers over dev's port, to its own names and with the token only", async () => {
    const [, token = ""] = link.split("#token=");
    const state = (headers: Record<string, string>) => fetch(`${url}/console/api/v1/state`, { headers });
    assert.equal((await state({})).status, 401);
    const answer = await state({ authorization: `Bearer ${token}` });
    assert.deepEqual([answer.status, ((await answer.json()) as { mode: string }).mode], [200, "dev"]);
    assert.equal(
      (await state({ authorization: `Bearer ${token}`, origin: "http://evil.example" })).status,
      403,
    );
    assert.match(await (await fetch(`${url}/console/page.js`)).text(), /preact|createElement/);
  });

  for (const written of ["raw", "saved"])
    it(`shows the events of a file without a stack: ${written}`, async () => {
      const file = join(folder, `${written}.json`);
      const args = written === "raw" ? ["events", "show", "last", "--raw"] : ["events", "save", "last", "-"];
      writeFileSync(file, (await runCli(args, { cwd: folder })).stdout);
      const child = spawn(process.execPath, [CLI, "console", "--open", file], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      try {
        const printed = await new Promise<string>((resolve) =>
          child.stdout.once("data", (chunk) => resolve(String(chunk).split("\n", 1)[0] ?? "")),
        );
        const [page = "", token = ""] = printed.split("/console/events/last#token=");
        const headers = { authorization: `Bearer ${token}` };
        const get = async (path: string) =>
          (await fetch(`${page}/console/api/v1${path}`, { headers })).json();
        const whole = (await get("/events/last")) as {
          row: { type: string };
          attempts: { runs: { logs: { text: string }[] }[] }[];
        };
        assert.equal(whole.row.type, "KeyExpired");
        assert.ok(whole.attempts[0]?.runs[0]?.logs.some(({ text }) => text === "said"));
        const { mode, write, has } = (await get("/state")) as {
          mode: string;
          write: boolean;
          has: { sessions: boolean };
        };
        assert.deepEqual([mode, write, has.sessions], ["file", false, false]);
      } finally {
        const ended = new Promise((resolve) => child.once("close", resolve));
        child.kill("SIGINT");
        assert.equal(await ended, 0);
      }
    });

  const WRONG: Record<string, [args: string[], says: RegExp]> = {
    "a file that is not there": [
      ["--open", "nothing.json"],
      /the file of events nothing\.json cannot be read/,
    ],
    "a file without events": [["--open", "apis/shop.json"], /shop\.json has no recorded event/],
    "two consoles": [["--open", "x", "--stage", "prod"], /leave one of them out/],
    "write without a stage": [["--write"], /--write goes with --stage/],
    "no port": [["--port", "x"], /whole number/],
  };
  for (const [what, [args, says]] of Object.entries(WRONG))
    it(`refuses ${what}`, async () => {
      const { code, stderr } = await runCli(["console", ...args], { cwd: folder });
      assert.equal(code, 2);
      assert.match(stderr, says);
    });

  it("without a dev it says how to start one", async () => {
    const empty = await newFolder({});
    const { code, stderr } = await runCli(["console", "--dir", empty]);
    assert.equal(code, 1);
    assert.match(stderr.replaceAll(/\s+/g, " "), /start it in another terminal: npx gatehook dev/);
    await rm(empty, { recursive: true });
  });
});

describe("the page's texts", () => {
  it("a copied word comes to a shell's command as it is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (word) => {
        const text = word.replaceAll("\0", "");
        const heard = execFileSync("/bin/sh", ["-c", `printf %s ${quoted(text)}`], { encoding: "utf8" });
        assert.equal(heard, text);
      }),
      { numRuns: 60, examples: [["'; touch /tmp/x; '"], ['$(id) `id` \\ " ! *'], ["-n"], [""]] },
    );
  });

  it("what is shown has nothing in it that cannot be seen, but the ends of its lines", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        assert.doesNotMatch(shown(text), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        assert.doesNotMatch(shownLines(text).replaceAll(/[\n\t]/g, ""), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      }),
    );
  });

  it("tells how far a number moved, and how far away a time is", () => {
    const now = Math.floor(Date.now() / 1_000);
    assert.equal(moved("rate", 10, 7), "-3");
    assert.match(moved("expires", now, now + 1_000), /^\+1,000 s, now in 17 min$/);
    assert.equal(moved("alias", "a", "b"), "");
    assert.deepEqual([fromNow(59), fromNow(-3_600), fromNow(200_000)], ["in 59 s", "1 h ago", "in 2 d"]);
  });
});
