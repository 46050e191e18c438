// gatehook events and gatehook send, beside a gatehook dev that runs.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { sampleMeta } from "../../cli/dev/sample-meta.ts";
import { EVENT_TYPES, OF_THE_GATEWAY } from "../../lib/apis/event-types.ts";
import type { AttemptRecord } from "../../lib/history/records.ts";
import { longerThan, runCli } from "../helpers/cli.ts";
import { type Dev, definition, handler, newFolder, startDev, writeFiles } from "../helpers/dev.ts";

const OWN_TYPES = EVENT_TYPES.filter(
  (type) => !OF_THE_GATEWAY.includes(type) && !["KeyExpired", "HostDown"].includes(type),
);
const MOVE = `var session = JSON.parse(TykGetKeyData(event.Meta.Key, context.APIID));
session.expires += 10; log("moved " + event.Meta.Key);
TykSetKeyData(event.Meta.Key, JSON.stringify(session), 1);`;

const SESSION = { rate: 1, per: 1, expires: 100, access_rights: { shop: { api_id: "shop" } } };

describe("gatehook events and send, beside gatehook dev", () => {
  let folder = "";
  let dev: Dev;
  let url = "";
  before(async () => {
    const gateway = JSON.parse(
      definition("", Object.fromEntries(OF_THE_GATEWAY.map((type) => [type, "say"]))),
    );
    folder = await newFolder({
      "apis/shop.json": definition("shop", {
        KeyExpired: "move",
        HostDown: "fails",
        ...Object.fromEntries(OWN_TYPES.map((type) => [type, "say"])),
      }),
      "handlers/move.js": handler("move", MOVE),
      "handlers/fails.js": handler("fails", 'throw new TypeError("no plan");'),
      "handlers/say.js": handler("say", "log(JSON.stringify(event));"),
      "gateway.json": JSON.stringify({ event_handlers: gateway.event_handlers }),
    });
    dev = startDev(folder, "--no-demo");
    url = (await dev.says(/ready at (http:\S+)/))[1] ?? "";
  });
  after(async () => {
    await dev.end();
    await rm(folder, { recursive: true });
  });

  const cli = (args: string[], options: Parameters<typeof runCli>[1] = {}) =>
    runCli(args, { cwd: folder, ...options });
  async function json(...args: string[]) {
    const { code, stdout, stderr } = await cli([...args, "--json"]);
    assert.equal(stderr, "");
    return { code, ...JSON.parse(stdout) };
  }
  async function sent(...args: string[]): Promise<{ id: string; outcome: string } & Record<string, unknown>> {
    const { events } = await json("send", ...args, "--wait");
    return events[0];
  }
  const putSession = (key: string) =>
    fetch(`${url}/sessions/${key}`, { method: "PUT", body: JSON.stringify(SESSION) });

  it("sends each of the gateway's types as the gateway makes it, to an API that has a handler", async () => {
    for (const type of EVENT_TYPES.filter((each) => each !== "KeyExpired" && each !== "HostDown")) {
      const { id, outcome, api_id } = await sent(type, "--key", "k");
      const isGateway = OF_THE_GATEWAY.includes(type);
      assert.deepEqual([outcome, api_id], ["done", isGateway ? "gateway" : "shop"], type);
      const { records } = await json("events", "show", id);
      const { event, runs } = records[0] as AttemptRecord;
      const [said] = runs[0]?.logs.filter(({ text }) => text.startsWith("{")) ?? [];
      assert.deepEqual(JSON.parse(said?.text ?? ""), event);
      const apiId = isGateway ? "gateway" : "shop";
      const meta = sampleMeta(type, { apiId, orgId: isGateway ? "" : "shop", key: "k" });
      assert.deepEqual([event.Type, Object.keys(event.Meta)], [type, Object.keys(meta)]);
    }
  });

  it("names the command that shows what it sent, whatever is sent after it", async () => {
    const { stdout } = await cli(["send", "QuotaExceeded", "--key", "k"]);
    const [, id = "", shown = ""] = /sent as event (\S+):\s+gatehook events show (\S+)/.exec(stdout) ?? [];
    assert.ok(shown.length > 0 && id.startsWith(shown), stdout);
  });

  it("tells an event whole: what was read, set, logged and changed", async () => {
    assert.equal((await putSession("k-1")).status, 201);
    const { id, outcome } = await sent(
      "KeyExpired",
      "--key",
      "k-1",
      "--set",
      "Meta.Path=/x",
      "--set",
      "Meta.New.n=3",
    );
    assert.equal(outcome, "done");
    const { stdout, code } = await cli(["events", "show", id.slice(0, 12)]);
    assert.equal(code, 0);
    for (const line of [
      /^KeyExpired · shop · k-1$/m,
      /outcome {3}✓ done/,
      /move \(move\.js\): done/,
      /read +k-1/,
      /log info +moved k-1/,
      /expires 100 → 110/,
      /"Path": "\/x"/,
      /"n": 3/,
    ])
      assert.match(stdout, line);
    const { records } = await json("events", "show", "last");
    assert.equal(records[0].id, id);
    const raw = await cli(["events", "show", id, "--raw"]);
    assert.deepEqual(
      raw.stdout
        .trim()
        .split("\n")
        .map((line) => Object.keys(JSON.parse(line))[1]),
      ["received", "attempt"],
    );
  });

  it("tells a failure with its place, and --wait ends with 1", async () => {
    const { code, stdout } = await cli(["send", "HostDown", "--wait"]);
    assert.equal(code, 1);
    assert.match(stdout, /✗ failed/);
    assert.match(stdout, /handler-threw: TypeError: no plan\n.*fails\.js:3/);
    assert.doesNotMatch(stdout, /prelude\.js/);
    const { events } = await json("events", "ls", "--query", 'took:<1h "No Plan" -outcome:done');
    assert.deepEqual(
      events.map(({ type }: { type: string }) => type),
      ["HostDown"],
    );
  });

  it("lists by each condition, the newest first, two lines an event where there is little room", async () => {
    for (const key of ["l-1", "l-2", "l-3"]) await sent("QuotaExceeded", "--key", key);
    const keys = async (...args: string[]) =>
      (await json("events", "ls", ...args)).events.map(({ key }: { key: string }) => key);
    assert.deepEqual((await keys("--type", "QuotaExceeded")).slice(0, 3), ["l-3", "l-2", "l-1"]);
    assert.deepEqual(
      await keys("--key", "l-2", "--api", "shop", "--handler", "say", "--outcome", "done", "--since", "1h"),
      ["l-2"],
    );
    assert.deepEqual(await keys("--key", "l-2", "--until", "1h"), []);
    const { events, more } = await json("events", "ls", "--limit", "2");
    assert.deepEqual([events.length, more > 0], [2, true]);
    const narrow = await cli(["events", "ls", "--key", "l-2"], { env: { COLUMNS: "40" } });
    assert.deepEqual(longerThan(40, narrow), []);
    assert.match(narrow.stdout, /^✓ QuotaExceeded {2}[\d:.]+\n {2}shop · l-2 · [\w-]{12}\n$/);
  });

  it("has what ingest refused, with the field at fault", async () => {
    await fetch(`${url}/events/shop`, { method: "POST", body: '{"event":{"Type":7}}' });
    const { events } = await json("events", "ls", "--outcome", "refused");
    assert.deepEqual([events[0].reason, events[0].api_id, events[0].attempts], ["event-invalid", "shop", 0]);
    assert.match(events[0].error, /^event\.Type must be a string/);
    const { stdout } = await cli(["events", "show", events[0].id]);
    assert.match(stdout, /⊘ refused/);
  });

  it("follows what happens, until so many have", async () => {
    const following = cli(["events", "tail", "--key", "t-1", "--limit", "2", "--json"]);
    // It tells nothing of what was before it began, so one is sent until it tells one.
    let isOver = false;
    void following.then(() => {
      isOver = true;
    });
    while (!isOver) await sent("QuotaExceeded", "--key", "t-1");
    const { code, stdout } = await following;
    const rows = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      [code, rows.map(({ key, outcome }) => `${key} ${outcome}`)],
      [0, ["t-1 done", "t-1 done"]],
    );
  });

  it("compares two events: 0 when their handlers did the same, else 1 with the lines", async () => {
    const same = await cli([
      "send",
      "OrgQuotaExceeded",
      "--wait",
      "--json",
      "--repeat",
      "2",
      "--rate",
      "100/s",
    ]);
    const [a, b] = JSON.parse(same.stdout).events;
    const meant = await json("events", "diff", a.id, b.id);
    assert.deepEqual([meant.code, meant.same, meant.diff], [0, true, []]);
    const c = await sent("--from", a.id, "--set", "Meta.Path=/other");
    const { code, stdout } = await cli(["events", "diff", a.id, c.id]);
    assert.equal(code, 1);
    assert.match(stdout, /^ {2}\+ .*"Path": "\/other"/m);
  });

  it("saves an event as a test, never over a file, and sends it from there", async () => {
    assert.equal((await putSession("s-1")).status, 201);
    const { id } = await sent("KeyExpired", "--key", "s-1");
    const { code, stdout } = await cli(["events", "save", id, "tests/move/one.json"]);
    assert.equal(code, 0);
    assert.match(stdout, /1 key and 1 session as they are/);
    const file = join(folder, "tests/move/one.json");
    const test = JSON.parse(readFileSync(file, "utf8"));
    assert.deepEqual(
      [test.api_id, test.event.Meta.Key, test.sessions["s-1"].expires, test.expect.sessions["s-1"].expires],
      ["shop", "s-1", 100, 110],
    );
    assert.deepEqual(test.expect.logs, [{ handler: "move", level: "info", text: "moved s-1" }]);
    assert.equal((await cli(["events", "save", id, file])).code, 2);
    const other = await cli(["events", "save", id, "-", "--attempt", "9"]);
    assert.equal(other.code, 1);
    assert.match(other.stderr, /there is no attempt 9/);
    const shown = await cli(["events", "save", id, "-", "--redact"]);
    assert.equal(shown.code, 0);
    assert.match(shown.stderr, /keys, secrets and bodies were taken out of this event:/);
    assert.ok(
      JSON.parse(shown.stdout).event.Type === "KeyExpired" && !shown.stdout.includes("s-1"),
      shown.stdout,
    );
    const again = await sent("--file", file);
    assert.deepEqual([again.outcome, again.key, again.id === id], ["done", "s-1", false]);
  });

  it("sends what a file has: one event, an array, one a line, in a gateway's forms", async () => {
    const event = (key: string) => JSON.stringify({ Type: "QuotaExceeded", Meta: { Key: key } });
    await writeFiles(folder, {
      "in/one.json": event("f-1"),
      "in/array.json": `[${event("f-1")}, ${event("f-2")}]`,
      "in/lines.jsonl": `${event("f-1")}\n\n${event("f-2")}\n`,
      "in/odd.json": '{"nothing": 1}',
      "in/empty.json": "[]",
    });
    for (const [file, keys] of [
      ["in/one.json", ["f-1"]],
      ["in/array.json", ["f-1", "f-2"]],
      ["in/lines.jsonl", ["f-1", "f-2"]],
    ] as const) {
      const { events } = await json("send", "--file", file, "--api", "shop", "--wait");
      assert.deepEqual(
        events.map(({ key }: { key: string }) => key),
        keys,
        file,
      );
    }
    const piped = await cli(["send", "--file", "-", "--api", "shop", "--wait", "--json"], {
      input: event("f-3"),
    });
    assert.equal(JSON.parse(piped.stdout).events[0].key, "f-3");
    for (const [file, says] of [
      ["in/odd.json", /odd\.json: /],
      ["in/empty.json", /no event in it/],
      ["in/none.json", /cannot be read/],
    ] as const) {
      const { code, stderr } = await cli(["send", "--file", file, "--api", "shop"]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, says);
    }
    const { stderr } = await cli(["send", "--file", "in/one.json"]);
    assert.match(stderr, /add --api/);
  });

  for (const [args, code, says] of [
    [["send"], 2, /one of three ways/],
    [["send", "KeyExpired", "--from", "last"], 2, /one of three ways/],
    [["send", "KeyExpird"], 2, /did you mean KeyExpired/],
    [["send", "PluginEvent"], 2, /no API here has a handler/],
    [["send", "KeyExpired", "--api", "shopp"], 1, /did you mean "shop"/],
    [["send", "KeyExpired", "--set", "Key=1"], 2, /Meta\.Path=\/x/],
    [["send", "KeyExpired", "--rate", "fast"], 2, /number per second/],
    [["events", "show", "nothing"], 1, /no event nothing is recorded/],
    [["events", "show", "last", "--attempt", "9"], 1, /there is no attempt 9/],
    [["events", "ls", "--query", "colour:red"], 2, /no word colour/],
    [["events", "ls", "--since", "never"], 2, /time such as/],
    [["events", "ls", "--outcome", "good"], 2, /not one of queued, done/],
    [["events", "ls", "--dir", "/"], 1, /no events are recorded/],
    [["events", "tail", "--dir", "/"], 1, /start gatehook dev/],
    [["send", "KeyExpired", "--dir", "/"], 1, /start it in another terminal/],
  ] as const)
    it(`${args.join(" ")} ends with ${code} and a word for it`, async () => {
      const ran = await cli([...args]);
      assert.equal(ran.code, code, ran.stderr);
      assert.match(ran.stderr, says);
      assert.equal(ran.stdout, "");
    });

  it("has no event of another API with the same id without --api", async () => {
    const body = (id: string) => JSON.stringify({ id, event: { Type: "TokenCreated", Meta: { Key: "k" } } });
    for (const api of ["shop", "gateway"])
      await fetch(`${url}/events/${api}`, { method: "POST", body: body("twin") });
    const ids = async () => (await json("events", "ls", "--query", '"twin" outcome:done')).events.length;
    while ((await ids()) < 2);
    const { code, stderr } = await cli(["events", "show", "twin"]);
    assert.deepEqual([code, /add --api/.test(stderr)], [2, true]);
    assert.match(
      (await cli(["events", "show", "twin", "--api", "gateway"])).stdout,
      /^TokenCreated · gateway · k$/m,
    );
  });

  it("has it after dev's end and start, and nothing where dev is told to record nothing", async () => {
    const before = (await json("events", "ls", "--limit", "1000")).events.length;
    await dev.end();
    assert.equal((await json("events", "ls", "--limit", "1000")).events.length, before);
    const files = () => readdirSync(join(folder, ".gatehook/history")).length;
    dev = startDev(folder, "--no-demo", "--history", "0");
    await dev.says(/ready at/);
    const kept = files();
    await cli(["send", "QuotaExceeded"]);
    await dev.says(/say ran for/);
    assert.deepEqual(
      [files(), (await json("events", "ls", "--limit", "1000")).events.length],
      [kept, before],
    );
  });
});
