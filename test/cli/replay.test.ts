// gatehook replay and pinned events, beside a gatehook dev that runs.
import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Rerun } from "../../lib/history/rerun.ts";
import { runCli } from "../helpers/cli.ts";
import { type Dev, definition, handler, newFolder, startDev, writeFiles } from "../helpers/dev.ts";

const SESSION = { rate: 1, per: 1, expires: 100, access_rights: { shop: { api_id: "shop" } } };
const MOVE = `var session = JSON.parse(TykGetKeyData(event.Meta.Key, context.APIID));
session.expires += 10; log("moved at " + Date.now() + " by " + Math.random());
TykSetKeyData(event.Meta.Key, JSON.stringify(session), 1);`;
const ASK = `var answer = TykMakeHttpRequest(JSON.stringify({ Method: "GET", Domain: "URL", Resource: "/a" }));
log("told " + (answer && JSON.parse(answer).Body));`;
const COUNT = `globalThis.counted = (globalThis.counted || 0) + 1; log("count " + counted);`;
const FAILS = `log("first"); if (event.Meta.Key === "bad") throw new TypeError("no plan"); log("after");`;

type Replay = Rerun & { id: string };

describe("gatehook replay, beside gatehook dev", () => {
  let folder = "";
  let dev: Dev;
  let url = "";
  let server: Server;
  let asked: string[] = [];
  let first = "";
  before(async () => {
    server = createServer((request, response) => {
      asked.push(request.url ?? "");
      response.end(`number ${asked.length}`);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address ? address.port : 0;
    folder = await newFolder({
      "apis/shop.json": definition("shop", {
        KeyExpired: "move",
        QuotaExceeded: "ask",
        AuthFailure: "fails",
        HostUp: "count",
      }),
      "handlers/move.js": handler("move", MOVE),
      "handlers/ask.js": handler("ask", ASK.replace("URL", `http://127.0.0.1:${port}`)),
      "handlers/fails.js": handler("fails", FAILS),
      "handlers/count.js": handler("count", COUNT),
      "gatehook.json": JSON.stringify({ settings: { HTTP_ALLOW_HOSTS: "127.0.0.1" } }),
    });
    dev = startDev(folder, "--no-demo");
    first = (await dev.says(/release (\w+) is live/))[1] ?? "";
    url = (await dev.says(/ready at (http:\S+)/))[1] ?? "";
  });
  after(async () => {
    await dev.end();
    server.close();
    await rm(folder, { recursive: true });
  });

  const cli = (...args: string[]) => runCli(args, { cwd: folder });
  async function sent(...args: string[]): Promise<string> {
    const { stdout } = await cli("send", ...args, "--wait", "--json");
    return JSON.parse(stdout).events[0].id;
  }
  async function replayed(...args: string[]): Promise<{ code: number | null; replays: Replay[] }> {
    const { code, stdout, stderr } = await cli("replay", ...args, "--json");
    assert.equal(stderr.replace(/^local stack at .*\n/, ""), "");
    return { code, ...JSON.parse(stdout) };
  }
  const edit = (name: string, from: string, to: string) => {
    const file = join(folder, `handlers/${name}.js`);
    const text = readFileSync(file, "utf8");
    assert.ok(text.includes(from));
    writeFileSync(file, text.replace(from, to));
  };

  it("does the same on the live release and on the same files: clock, random numbers, answers and globals", async () => {
    await fetch(`${url}/sessions/k-1`, { method: "PUT", body: JSON.stringify(SESSION) });
    const counted = [await sent("HostUp", "--key", "a"), await sent("HostUp", "--key", "b")];
    const ids = [
      ...counted,
      await sent("KeyExpired", "--key", "k-1"),
      await sent("QuotaExceeded", "--key", "k-1"),
      await sent("AuthFailure", "--key", "bad"),
    ];
    const before = asked.length;
    for (const release of ["live", "working"]) {
      const { code, replays } = await replayed(...ids, "--release", release);
      assert.deepEqual(
        replays.map(({ id, verdict, exact, diverged_at }) => [id, verdict, exact, diverged_at]),
        ids.map((id) => [id, "same", true, null]),
        release,
      );
      assert.equal(code, 0);
    }
    assert.equal(asked.length, before, "nothing was asked for real");
    const { expires } = (await (await fetch(`${url}/sessions/k-1`)).json()) as { expires: number };
    assert.equal(expires, 110, "nothing was written");
    const said = (await cli("replay", counted[1] ?? "", "--release", "live")).stdout;
    assert.match(said, /HostUp: same as recorded \(exact\)/);
  });

  it("shows what another script does, with the first difference, and ends with 1", async () => {
    const id = await sent("KeyExpired", "--key", "k-1");
    edit("move", "+= 10", "+= 11");
    await dev.says(/is live/);
    const { code, stdout } = await cli("replay", id);
    assert.equal(code, 1);
    assert.match(
      stdout,
      /KeyExpired: differs from the record \(not exact: on another release, its globals start/,
    );
    assert.match(stdout, /- {11}expires 110 → 120\n/);
    assert.match(stdout, /\+ {11}expires 110 → 121\n/);
    const { replays } = await replayed(id);
    const [first] = replays;
    const pair = first?.diff[first.diverged_at ?? -1];
    assert.equal(pair?.then?.what === "call" && pair.then.name, "setKeyData");
    edit("move", "+= 11", "+= 10");
    await dev.says(/is live/);
  });

  it("says that what failed then is done now, with exit code 0", async () => {
    const id = await sent("AuthFailure", "--key", "bad");
    edit("fails", "throw new TypeError", "log");
    await dev.says(/is live/);
    await dev.says(/handler +fails ran/);
    // The queue has delivered it again, to the new release.
    const { code, stdout } = await cli("replay", id, "--attempt", "1");
    assert.equal(code, 0, stdout);
    assert.match(stdout, /AuthFailure: failed before, done now/);
    assert.match(stdout, /- failed {4}handler-threw: TypeError: no plan/);
    assert.match(stdout, /\+ log info {2}no plan/);
  });

  it("fails what is not in the record, unless it may ask for real", async () => {
    const id = await sent("QuotaExceeded", "--key", "k-1");
    edit("ask", '"/a"', '"/b"');
    await dev.says(/is live/);
    asked = [];
    const { code, stdout } = await cli("replay", id);
    assert.equal(code, 1);
    assert.match(
      stdout,
      /fails now[\s\S]*not-recorded: makeHttpRequest with these arguments is not in the record/,
    );
    assert.deepEqual(asked, []);
    const { replays } = await replayed(id, "--http", "live");
    assert.deepEqual([replays[0]?.verdict, asked], ["differs", ["/b"]]);
  });

  it("tries a release on the newest events", async () => {
    const { code, stdout } = await cli("replay", "--last", "50", "--release", first);
    assert.equal(code, 1, stdout);
    assert.match(stdout, /\n\d+ events: \d+ the same, \d+ failing\n$/);
    assert.doesNotMatch(stdout, /same as recorded/);
    assert.match(stdout, /AuthFailure: fails now[\s\S]* 3 \| log\("first"\); if .*\n +\| +\^\n/);
    const some = await replayed("--last", "2", "--query", "type:HostUp");
    // The second met what the first had left in the globals.
    assert.deepEqual([some.code, some.replays.map(({ verdict }) => verdict)], [1, ["differs", "same"]]);
  });

  it("runs pinned events again at each save", async () => {
    const id = await sent("KeyExpired", "--key", "k-1");
    assert.match((await cli("events", "pin", id)).stdout, /pinned/);
    assert.equal(statSync(join(folder, ".gatehook/pins.json")).mode & 0o777, 0o600);
    assert.match(
      (await cli("events", "pin")).stdout,
      new RegExp(`^${id.slice(0, 12)} {2}KeyExpired of API shop\n$`),
    );
    edit("move", "+= 10", "+= 12");
    await dev.says(/pinned +≠ KeyExpired \S+ differs\n[\s\S]*expires \d+ → \d+2\n/);
    edit("move", "session.expires += 12", "session.no.expires += 12");
    await dev.says(/pinned +✗ KeyExpired \S+ fails\n[\s\S]*\+ failed +handler-threw: TypeError/);
    await dev.says(/ 4 \| session\.no\.expires \+= 12;.*\n +\| +\^\n/);
    edit("move", "session.no.expires += 12", "session.expires += 10");
    await dev.says(/pinned +✓ KeyExpired \S+ same\n/);
    assert.equal((await cli("events", "pin", id, "--off")).code, 0);
    assert.equal((await cli("events", "pin", id, "--off")).code, 1);
    assert.deepEqual(JSON.parse((await cli("events", "pin", "--json")).stdout), { pins: [] });
  });

  it("keeps an event as a test that passes", async () => {
    for (const type of ["KeyExpired", "HostUp", "AuthFailure"]) {
      const id = await sent(type, "--key", "k-1");
      assert.equal((await cli("events", "save", id, `tests/saved/${type}.json`)).code, 0);
    }
    const { code, stdout } = await cli("test", "saved");
    assert.match(stdout, /3 tests: 3 passed/);
    assert.equal(code, 0);
  });

  for (const [args, code, says] of [
    [["replay"], 2, /name the events by their ids, or with --last/],
    [["replay", "last", "--last", "3"], 2, /name the events by their ids, or with --last/],
    [["replay", "last", "--query", "type:x"], 2, /--query goes with --last/],
    [["replay", "--last", "3", "--query", "tipe:x"], 2, /there is no word tipe/],
    [["replay", "--last", "0"], 2, /whole number/],
    [["replay", "last", "--release", "0123456789abcdef"], 1, /0123456789abcdef/],
    [["replay", "last", "--http", "loud"], 2, /choices are recorded, live/i],
    [["replay", "nothing"], 1, /no event nothing is recorded/],
    [["replay", "last", "--dir", "/"], 1, /no events are recorded/],
    [["events", "pin", "nothing"], 1, /no event nothing is recorded/],
  ] as [string[], number, RegExp][])
    it(`${args.join(" ")} ends with ${code}`, async () => {
      const told = await cli(...args);
      assert.equal(told.code, code, told.stderr);
      assert.match(told.stderr, says);
    });

  it("says what is wrong with the files of the folder", async () => {
    await writeFiles(folder, { "handlers/count.js": "var count = new (;" });
    const broken = await cli("replay", "--last", "1");
    assert.equal(broken.code, 1, JSON.stringify(broken));
    assert.match(broken.stderr, /count\.js: SyntaxError/);
    await rm(join(folder, "handlers/count.js"));
    const { code, stderr } = await cli("replay", "--last", "1");
    assert.equal(code, 1);
    assert.match(stderr, /apis\/shop\.json: HostUp names handler count in count\.js/);
  });
});
