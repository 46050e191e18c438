// Sessions from a gateway's key API into the table: one that owns none of them here, and the one that owns them all.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { plainConfig } from "../gateway/config.ts";
import { type RunningGateway, startGateway } from "../gateway/server.ts";
import { runCli } from "../helpers/cli.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";

const ORG = "5e9d9544a1dcd60001d0ed20";
const SECRET = "a-secret-of-tests";
const RIGHTS = { api1: { api_id: "api1", api_name: "", versions: ["Default"] } };
const keyOf = (nth: number) => `${ORG}${String(nth).padStart(32, "0")}`;

/** The raw keys, as the gateway made them of those that it was given. */
function fill({ gateway }: RunningGateway, count: number): string[] {
  return Array.from({ length: count }, (_, at) => {
    const nth = at + 1;
    const { status, body } = gateway.request({
      method: "POST",
      path: `/tyk/keys/${keyOf(nth)}`,
      headers: { "X-Tyk-Authorization": SECRET },
      body: JSON.stringify({ org_id: ORG, rate: nth, per: 60, quota_max: -1, access_rights: RIGHTS }),
    });
    assert.equal(status, 200);
    return (JSON.parse(body) as { key: string }).key;
  });
}

describe("gatehook sessions import --gateway", () => {
  let plain: RunningGateway;
  let hashing: RunningGateway;
  let stack: TestStack;
  let raw: string[] = [];
  let folder = "";
  before(async () => {
    plain = await startGateway({ now: Date.now, config: plainConfig(ORG) });
    const hashed = { hash_keys: true, hash_key_function: "murmur64" };
    hashing = await startGateway({ now: Date.now, config: plainConfig(ORG, hashed) });
    fill(plain, 30);
    raw = fill(hashing, 30);
    stack = await startTestStack({ consumers: [] });
    folder = await mkdtemp(join(tmpdir(), "gatehook-"));
  });
  after(async () => {
    await stack.close();
    await plain.close();
    await hashing.close();
    await rm(folder, { recursive: true });
  });

  const load = (args: string[], env: Record<string, string> = {}) =>
    runCli(["sessions", "import", ...args, "--json"], {
      env: { ...stack.env, GATEWAY_SECRET: SECRET, ...env },
    });

  it("has every key that the gateway lists, once", async () => {
    const first = await load(["--gateway", plain.url]);
    assert.equal(first.code, 0, first.stderr);
    assert.deepEqual([JSON.parse(first.stdout).added, (await stack.session(keyOf(7)))?.rate], [30, 7]);
    const again = JSON.parse((await load(["--gateway", plain.url])).stdout);
    assert.deepEqual([again.added, again.unchanged], [0, 30]);
  });

  it("needs the raw keys of a gateway that lists hashes, and says so", async () => {
    const listed = await load(["--gateway", hashing.url]);
    assert.equal(listed.code, 2);
    assert.match(listed.stderr, /lists hashes, since its hash_keys is on: .*--keys FILE/);
    const keys = join(folder, "keys.txt");
    await writeFile(keys, [raw[0], "not there", raw[1]].join("\n"));
    const { code, stdout, stderr } = await load(["--gateway", hashing.url, "--keys", keys]);
    const { added, refused } = JSON.parse(stdout);
    assert.deepEqual([code, added, refused], [1, 2, 1]);
    assert.equal((await stack.session(raw[1] ?? ""))?.rate, 2);
    assert.match(stderr, /line 2: the gateway does not have this key\n/);
    assert.ok(!stderr.includes(raw[0] ?? ""), "a key is told by its line");
  });

  it("fills the table with copies of what the gateway has that owns the sessions", async () => {
    const settings = { GATEWAY_URL: plain.url, GATEWAY_SECRET: SECRET };
    const owned = await startTestStack({ consumers: [], settings });
    try {
      const { code, stdout, stderr } = await load(["--gateway"], { ...owned.env, ...settings });
      assert.equal(code, 0, stderr);
      assert.equal(JSON.parse(stdout).added, 30);
      assert.equal((await owned.session(keyOf(3)))?.rate, 3);
    } finally {
      await owned.close();
    }
  });

  it("says what is wrong with the secret or the address, and shows neither key nor secret", async () => {
    for (const [args, env, said] of [
      [["--gateway", plain.url], { GATEWAY_SECRET: "wrong" }, /403|secret/i],
      [["--gateway", "ftp://x"], {}, /--gateway must be an http or https URL|must/],
      [["--gateway"], {}, /GATEWAY_URL is not set/],
    ] as [string[], Record<string, string>, RegExp][]) {
      const { code, stdout, stderr } = await load(args, env);
      assert.ok(code, args.join(" "));
      assert.match(stderr, said);
      assert.ok(!(stdout + stderr).includes("wrong"));
    }
  });
});
