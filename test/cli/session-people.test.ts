// What people do with sessions at a terminal, each command as a process of its own.
import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Session } from "../../lib/sessions/session.ts";
import { runCli } from "../helpers/cli.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";

const NOW = Math.floor(Date.now() / 1000);
const DAY = 86_400;
const RIGHTS = { demo: { api_id: "demo", api_name: "demo", versions: ["Default"] } };

interface Listed {
  sessions: { key: string; changed_by: unknown; session?: Session }[];
  cursor: string | null;
  rows_read: number;
  read_units: number;
}

describe("gatehook sessions", () => {
  let stack: TestStack;
  let folder = "";
  before(async () => {
    stack = await startTestStack();
    folder = await mkdtemp(join(tmpdir(), "gatehook-"));
    const one = (key: string, more: Partial<Session>) =>
      stack.storeSession(key, { org_id: "shop", access_rights: RIGHTS, ...more } as Session);
    await one("this week", { expires: NOW + 2 * DAY, tags: ["trial", "eu"], alias: "anna" });
    await one("next year", { expires: NOW + 365 * DAY, tags: ["trial"], is_inactive: true });
    await one("never", { alias: "bert" });
    await one("other org", { org_id: "bank", alias: "anna", expires: NOW + DAY });
    const body = JSON.stringify({ id: "e1", event: { Type: "KeyExpired", Meta: { Key: "this week" } } });
    assert.equal((await stack.post("demo", body)).status, 202);
    await stack.fact(({ message, fields }) => message === "event done" && fields.event_id === "e1");
  });
  after(async () => {
    await stack.close();
    await rm(folder, { recursive: true });
  });

  const sessions = (args: string[], env: Record<string, string> = {}, input?: string) =>
    runCli(["sessions", ...args], { env: { ...stack.env, ...env }, ...(input !== undefined && { input }) });
  async function found(...args: string[]): Promise<Listed> {
    const { code, stdout, stderr } = await sessions([...args, "--json"]);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as Listed;
  }
  const keys = async (...args: string[]) => (await found(...args)).sessions.map(({ key }) => key);
  const file = (name: string) => join(folder, name);
  /** An editor is a script that changes the file it is given. */
  async function editor(name: string, script: string): Promise<string> {
    await writeFile(file(name), `#!/bin/sh\n${script}\n`);
    await chmod(file(name), 0o755);
    return file(name);
  }

  it("finds them by each condition, and by all of several", async () => {
    const cases: [string[], string[]][] = [
      [["--org", "shop", "--expires-from", "now", "--expires-to", "+7d"], ["this week"]],
      [["--org", "shop", "--never-expires"], ["never"]],
      [
        ["--org", "shop", "--tag", "trial"],
        ["this week", "next year"],
      ],
      [["--org", "shop", "--tag", "trial", "--active"], ["this week"]],
      [["--org", "shop", "--inactive"], ["next year"]],
      [["--org", "shop", "--handler", "sessionEditor"], ["this week"]],
      [["--org", "shop", "--event", "KeyExpired", "--tag", "eu"], ["this week"]],
      [["--org", "shop", "--event", "QuotaExceeded"], []],
      [
        ["--alias", "anna"],
        ["other org", "this week"],
      ],
      [["--alias", "anna", "--org", "bank"], ["other org"]],
      // Values are values, whatever they look like.
      [["--org", "shop' OR org_id = 'bank"], []],
      [["--alias", "begins_with(alias, :a)"], []],
    ];
    for (const [args, expected] of cases) {
      const got = await keys("query", ...args);
      // An index by alias has no order.
      assert.deepEqual(args[0] === "--alias" ? got.sort() : got, expected, args.join(" "));
    }
  });

  it("reads the whole table only when it is told to, and says first what that costs", async () => {
    const { code, stdout, stderr } = await sessions(["query", "--tag", "trial"]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /would read the whole table, about \d+ items and \d+ read units?; .*--scan/);
    const scan = await sessions(["query", "--tag", "trial", "--scan", "--json"]);
    assert.match(scan.stderr, /reading the whole table: about \d+ items/);
    assert.deepEqual((JSON.parse(scan.stdout) as Listed).sessions.map(({ key }) => key).sort(), [
      "next year",
      "this week",
    ]);
  });

  it("lists page by page, each session once, and takes no cursor of another query", async () => {
    const all: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Listed = await found("ls", "--limit", "1", ...(cursor ? ["--cursor", cursor] : []));
      assert.ok(page.sessions.length <= 1);
      all.push(...page.sessions.map(({ key }) => key));
      cursor = page.cursor;
    } while (cursor);
    assert.deepEqual(all.sort(), ["never", "next year", "other org", "this week"]);
    const { cursor: ofShop } = await found("ls", "--org", "shop", "--limit", "1");
    for (const other of [
      ["ls", "--org", "bank", "--cursor", ofShop ?? ""],
      ["ls", "--cursor", ofShop ?? ""],
      ["ls", "--org", "shop", "--cursor", "bm8"],
    ]) {
      const { code, stderr } = await sessions(other);
      assert.equal(code, 2, other.join(" "));
      assert.match(stderr, /--cursor is not from this query/);
    }
  });

  it("shows them as a table of 80 columns, and says what was read", async () => {
    const { stdout } = await sessions(["query", "--org", "shop", "--tag", "trial"], { COLUMNS: "80" });
    const lines = stdout.trimEnd().split("\n");
    assert.match(lines[0] ?? "", /^KEY +EXPIRES +ALIAS +CHANGED BY$/);
    assert.match(stdout, /this week +\d{4}-\d\d-\d\d +anna +sessionEditor\n/);
    assert.match(stdout, /2 sessions; 3 rows read, \d/);
    for (const line of lines) assert.ok(line.length <= 80, line);
  });

  it("tells which handler changed one last, for which event", async () => {
    const { stdout } = await sessions(["get", "this week", "--json"]);
    const { changed_by, session } = JSON.parse(stdout);
    assert.deepEqual(changed_by, { handler: "sessionEditor", event: "KeyExpired", event_id: "e1" });
    assert.equal(session.alias, "anna");
    assert.equal((await sessions(["get", "nobody"])).code, 1);
  });

  it("puts one, also by standard input, and over one version alone", async () => {
    const session = { org_id: "put", rate: 5, access_rights: RIGHTS };
    const added = await sessions(["put", "k1", "-", "--json"], {}, JSON.stringify(session));
    const { action, version } = JSON.parse(added.stdout);
    assert.deepEqual([added.code, action], [0, "added"]);
    await writeFile(file("s.json"), JSON.stringify({ ...session, rate: 6 }));
    const stale = await sessions(["put", "k1", file("s.json"), "--if-version", String(version - 1)]);
    assert.equal(stale.code, 1);
    assert.match(stale.stderr, /not at the version/);
    const right = await sessions(["put", "k1", file("s.json"), "--if-version", String(version)]);
    assert.match(right.stdout, /^modified, version \d+\n$/);
    assert.equal((await stack.session("k1"))?.rate, 6);

    await writeFile(file("bad.json"), '{"rate": "fast"}');
    const bad = await sessions(["put", "k1", file("bad.json")]);
    assert.equal(bad.code, 1);
    assert.match(bad.stderr, /rate: expected a number, found a string/);
    assert.equal((await stack.session("k1"))?.rate, 6);
  });

  it("edits one in $EDITOR, in a file that only its user can read", async () => {
    await stack.storeSession("e", {
      org_id: "edit",
      quota_max: 10,
      quota_remaining: 3,
      access_rights: RIGHTS,
    } as Session);
    const EDITOR = await editor(
      "raise",
      `stat -c %a "$1" > ${file("rights")}; sed -i 's/"org_id": "edit"/"org_id": "edit", "rate": 9/' "$1"`,
    );
    const { code, stdout, stderr } = await sessions(["edit", "e"], { EDITOR });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^modified, version \d+\n$/);
    const { rate, quota_remaining } = (await stack.session("e")) ?? {};
    assert.deepEqual([rate, quota_remaining], [9, 3], "the quota goes on");
    assert.equal((await readFile(file("rights"), "utf8")).trim(), "600");
    assert.equal((await sessions(["edit", "e"], { EDITOR: "true" })).stdout, "nothing was changed\n");
    const failed = await sessions(["edit", "e"], { EDITOR: "false" });
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /the editor false ended with 1: nothing was changed/);
  });

  it("tells what is wrong with an edit by its line or its member, and changes nothing", async () => {
    for (const [script, said] of [
      [`sed -i 's/"rate": 9,/"rate": 9/' "$1"`, /line \d+, column \d+: a comma is missing/],
      [`sed -i 's/"rate": 9/"rate": "fast"/' "$1"`, /rate: expected a number, found a string/],
    ] as const) {
      const { code, stderr } = await sessions(["edit", "e"], { EDITOR: await editor("spoil", script) });
      assert.equal(code, 1);
      assert.match(stderr, said);
    }
    assert.equal((await stack.session("e"))?.rate, 9);
  });

  it("shows all three sides when somebody was first", async () => {
    const other = { org_id: "edit", rate: 7, per: 2, access_rights: RIGHTS };
    await writeFile(file("other.json"), JSON.stringify(other));
    const cli = new URL("../../cli/gatehook.ts", import.meta.url).pathname;
    const EDITOR = await editor(
      "slow",
      `${process.execPath} ${cli} sessions put e ${file("other.json")} > /dev/null 2>&1; sed -i 's/"rate": 9/"rate": 8/' "$1"`,
    );
    const { code, stdout, stderr } = await sessions(["edit", "e"], { EDITOR });
    assert.equal(code, 1);
    assert.match(stderr, /somebody has changed this session since you read it/);
    assert.match(stdout, /MEMBER +WAS +YOURS +THEIRS\n/);
    assert.match(stdout, /! rate +9 +8 +7\n/);
    assert.match(stdout, / {2}per +- +- +2\n/);
    assert.equal((await stack.session("e"))?.rate, 7, "nothing was written over it");
  });

  it("deletes only after a yes", async () => {
    const asked = await sessions(["rm", "e"]);
    assert.equal(asked.code, 2);
    assert.match(asked.stderr, /there is no terminal to confirm it: add --yes/);
    assert.ok(await stack.session("e"));
    const { code, stdout, stderr } = await sessions(["rm", "e", "nobody", "--yes"]);
    assert.deepEqual([code, stdout], [1, "1 session deleted\n"]);
    assert.equal(stderr, "there is no session of key 2\n");
    assert.equal(await stack.session("e"), undefined);
  });

  it("loses nothing from an export over handlers' runs to an import and an export again", async () => {
    const lines = async (name: string) => (await readFile(file(name), "utf8")).trim().split("\n").sort();
    assert.equal((await sessions(["export", file("one.jsonl")])).code, 0);
    assert.equal((await stat(file("one.jsonl"))).mode & 0o777, 0o600);
    const again = await sessions(["export", file("one.jsonl")]);
    assert.equal(again.code, 2);
    assert.match(again.stderr, /is there already: name another, or add --force/);

    const other = await startTestStack();
    try {
      const env = other.env;
      const imported = await sessions(["import", file("one.jsonl"), "--json"], env);
      assert.deepEqual(
        [imported.code, JSON.parse(imported.stdout).added],
        [0, (await lines("one.jsonl")).length],
        imported.stderr,
      );
      assert.equal((await sessions(["export", file("two.jsonl")], env)).code, 0);
      // Who changed one is what its line says, or else the import.
      const moved = (line: string) =>
        line.includes('"changed_by"') ? line : line.replace(/\}$/, ',"changed_by":{"by":"import"}}');
      const one = await lines("one.jsonl");
      assert.deepEqual(await lines("two.jsonl"), one.map(moved).sort());
      assert.ok(one.some((line) => line !== moved(line)) && one.some((line) => line === moved(line)));

      const body = JSON.stringify({ id: "e2", event: { Type: "KeyExpired", Meta: { Key: "never" } } });
      await other.post("demo", body);
      await other.fact(({ message, fields }) => message === "event done" && fields.event_id === "e2");
      assert.equal((await sessions(["export", file("three.jsonl")], env)).code, 0);
      // Redis knows no handlers, and says when by the session itself.
      assert.equal((await sessions(["export", file("redis.jsonl"), "--format", "redis"], env)).code, 0);
      for (const name of ["three.jsonl", "redis.jsonl"]) {
        const { code, stdout } = await sessions(["import", file(name), "--json"], env);
        const { unchanged, added, replaced, refused } = JSON.parse(stdout);
        assert.deepEqual([code, added, replaced, refused], [0, 0, 0, 0]);
        assert.equal(unchanged, (await lines(name)).length);
      }
      const changed = (await lines("three.jsonl")).filter((line) => line.includes('"event_id":"e2"'));
      assert.equal(changed.length, 1);
    } finally {
      await other.close();
    }
  });

  it("goes on with the good lines of a file with bad ones, and says which those are", async () => {
    const good = (key: string) =>
      JSON.stringify({ key, session: { org_id: "lines", access_rights: RIGHTS } });
    const text = [good("l1"), '{"key":"l2","session":{"rate":"fast"}}', good("l3"), '{"key":"l4","se'].join(
      "\n",
    );
    const { code, stdout, stderr } = await sessions(
      ["import", "-", "--json", "--report", file("report.jsonl")],
      {},
      text,
    );
    assert.equal(code, 1);
    const { added, refused, read, complete } = JSON.parse(stdout);
    assert.deepEqual([added, refused, read, complete], [2, 2, 4, true]);
    assert.match(stderr, /line 2: session\.rate: expected a number, found a string\n/);
    assert.match(stderr, /line 4: the file was cut off in the middle of this line\n/);
    const report = (await readFile(file("report.jsonl"), "utf8")).trim().split("\n");
    assert.deepEqual(
      report.map((line) => JSON.parse(line).line),
      [2, 4],
    );
    const rest = await sessions(["import", "-", "--from-line", "3", "--dry-run", "--json"], {}, text);
    assert.equal(JSON.parse(rest.stdout).unchanged, 1);
  });

  it("is told what is wrong with a command", async () => {
    for (const [args, said] of [
      [["query"], /name a condition/],
      [["query", "--org", "o", "--active", "--inactive"], /exclude each other/],
      [["query", "--org", "o", "--never-expires", "--expires-to", "now"], /--never-expires excludes/],
      [["query", "--org", "o", "--expires-from", "soon"], /It must be a time: now, \+7d/],
      [["query", "--org", "o", "--expires-from", "+2d", "--expires-to", "+1d"], /is later than/],
      [["put", "-", "-"], /cannot both come from standard input/],
      [["put", "k", "none.json"], /the session none\.json cannot be read/],
      [["edit", "-"], /name the key/],
      [["import"], /name a file, - for standard input, or a gateway/],
      [["import", "f", "--gateway", "http://localhost:1"], /from a file or from a gateway/],
      [["export", "/none/f"], /the file \/none\/f cannot be written/],
    ] as const) {
      const { code, stderr } = await sessions([...args]);
      assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
      assert.match(stderr, said);
    }
  });
});
