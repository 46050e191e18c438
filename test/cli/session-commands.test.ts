import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { PutCommand } from "@aws-sdk/lib-dynamodb";
import { shortKeyDigest } from "../../lib/gateway/key-digest.ts";
import { asTheirs } from "../../lib/gateway/row.ts";
import { type GatewayState, sessionItem } from "../../lib/sessions/item.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { plainConfig } from "../gateway/config.ts";
import { type RunningGateway, startGateway } from "../gateway/server.ts";
import { longerThan, runCli } from "../helpers/cli.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";

const ORG = "5e9d9544a1dcd60001d0ed20";
const SECRET = "a-secret-of-tests";

describe("gatehook sessions, beside a gateway", () => {
  let running: RunningGateway;
  let stack: TestStack;
  let serial = 0;

  before(async () => {
    running = await startGateway({
      now: Date.now,
      config: plainConfig(ORG),
    });
    stack = await startTestStack({ settings: { ...gatewayEnv(), GATEWAY_CACHE_SECONDS: "0" } });
  });
  after(async () => {
    await stack.close();
    await running.close();
  });

  const gatewayEnv = () => ({ GATEWAY_URL: running.url, GATEWAY_SECRET: SECRET });
  const sessions = (args: string[], env: Record<string, string> = {}) =>
    runCli(["sessions", ...args], { env: { ...stack.env, ...gatewayEnv(), ...env } });

  function newKey(): string {
    serial += 1;
    return `${ORG}${String(serial).padStart(32, "0")}`;
  }
  /** An admin's request, of which no event reaches us. */
  function admin(method: string, key: string, session?: object): Record<string, unknown> | undefined {
    const { status, body } = running.gateway.request({
      method,
      path: `/tyk/keys/${key}${method === "PUT" ? "?suppress_reset=1" : ""}`,
      headers: { "X-Tyk-Authorization": SECRET },
      ...(session && { body: JSON.stringify(session) }),
    });
    return status === 200 ? (JSON.parse(body) as Record<string, unknown>) : undefined;
  }
  function create(key: string, more: object = {}): Record<string, unknown> {
    const rights = { api1: { api_id: "api1", versions: ["Default"] } };
    admin("POST", key, { org_id: ORG, rate: 100, per: 60, quota_max: -1, access_rights: rights, ...more });
    return admin("GET", key) ?? {};
  }
  async function put(key: string, session: Session | undefined, gateway: GatewayState): Promise<void> {
    const Item = sessionItem(key, session, 7, Math.floor(Date.now() / 1000), gateway);
    await stack.clients.dynamo.send(new PutCommand({ TableName: stack.resources.SESSIONS_TABLE, Item }));
  }
  /** A key that both sides have. */
  async function shared(more: object = {}): Promise<{ key: string; session: Record<string, unknown> }> {
    const key = newKey();
    const session = create(key, more);
    const row = asTheirs({ session });
    await put(key, row.session, row.gateway);
    return { key, session };
  }
  /** Does it, and waits until the key's row is settled. */
  async function untilSettled<T>(key: string, work: () => Promise<T>): Promise<T> {
    const settled = new Promise<void>((resolve) => {
      const stop = stack.facts.listen(({ message, fields }) => {
        if (message !== "session settled" || fields.key_hash !== shortKeyDigest(key)) return;
        stop();
        resolve();
      });
    });
    const done = await work();
    await settled;
    return done;
  }

  it("finds what changed at the gateway without an event, by the function, and the table gets it", async () => {
    const { key, session } = await shared();
    assert.equal((await sessions(["diff", key])).code, 0);
    admin("PUT", key, { ...session, rate: 7, tags: ["by-admin"] });
    const before = await sessions(["diff", key]);
    assert.equal(before.code, 1);
    assert.match(before.stdout, /\n! rate +100 +7\n/);
    assert.match(before.stdout, /\n! tags +- +\["by-admin"\]\n/);
    assert.match(before.stdout, /\nthey differ: rate, tags\n$/);
    for (const columns of [80, 40]) {
      const narrow = await sessions(["diff", key], { COLUMNS: String(columns) });
      assert.deepEqual(longerThan(columns, narrow), []);
      assert.match(narrow.stdout, /! rate/);
    }
    await untilSettled(key, async () => stack.reconcile?.());
    assert.equal((await stack.session(key))?.rate, 7);
    const { code, stdout } = await sessions(["diff", key]);
    assert.deepEqual([code, stdout.split("\n").at(-2)], [0, "they agree"]);
  });

  it("finds a key that was deleted there without an event, by the command", async () => {
    const { key } = await shared();
    admin("DELETE", key);
    const { code, stdout } = await sessions(["diff", key]);
    assert.deepEqual(
      [code, stdout.split("\n").at(-2)?.slice(0, 51)],
      [1, "they differ: the gateway does not have the key, but"],
    );
    const told = await untilSettled(key, () => sessions(["reconcile", "--rate", "1000"]));
    assert.equal(told.code, 0, told.stderr);
    assert.match(told.stdout, /compared with the gateway, 1 of them differed\n1 row put in doubt: /);
    assert.equal(await stack.session(key), undefined);
    const json = await sessions(["diff", key, "--json"]);
    const { agree, table, gateway } = JSON.parse(json.stdout);
    assert.deepEqual([json.code, agree, table.tombstone, gateway], [0, true, true, null]);
  });

  it("holds the rows of missing keys beyond the limit, and settles them only when it is told to trust the gateway", async () => {
    const [kept, changed] = [await shared(), await shared()];
    await put(changed.key, { ...changed.session, rate: 8 } as Session, {
      created: String(changed.session.date_created),
      change: { base: changed.session as Session, since: Date.now(), until: Date.now() + 900_000 },
    });
    for (const { key } of [kept, changed]) admin("DELETE", key);
    const NONE = { GATEWAY_MAX_ABSENCES: "0" };
    const held = await sessions(["reconcile", "--rate", "1000"], NONE);
    assert.equal(held.code, 1);
    assert.match(held.stderr, /^1 row held: .*--trust-empty$/m);
    assert.ok(await stack.session(kept.key));
    const trusted = await sessions(["reconcile", "--rate", "1000", "--trust-empty", "--json"], NONE);
    assert.equal(trusted.code, 0);
    assert.match(trusted.stderr, /^change refused: key of hash \w{16}: the gateway has deleted this key\n$/);
    const { complete, settled } = JSON.parse(trusted.stdout);
    assert.deepEqual([complete, settled], [true, 2]);
    for (const { key } of [kept, changed]) assert.equal(await stack.session(key), undefined);
  });

  it("believes no gateway without its canary, and makes that again only after a yes", async () => {
    const { key } = await shared();
    running.gateway.wipe();
    const told = await sessions(["reconcile", "--rate", "1000", "--json"]);
    assert.deepEqual([told.code, JSON.parse(told.stdout).end], [1, "emptied"]);
    assert.match(told.stderr, /its store is unavailable, or was emptied/);
    const unasked = await sessions(["reconcile", "--trust-empty"]);
    assert.equal(unasked.code, 2);
    assert.match(unasked.stderr, /add --yes/);
    assert.ok(await stack.session(key));
    running.gateway.disturb(() => [{ kind: "store-down" }]);
    const away = await sessions(["reconcile", "--trust-empty", "--yes"]);
    assert.equal(away.code, 1);
    assert.match(away.stderr, /did not make the canary/);
    running.gateway.disturb();
    const trusted = await sessions(["reconcile", "--rate", "1000", "--trust-empty", "--yes"]);
    assert.equal(trusted.code, 0, trusted.stderr);
    assert.match(trusted.stdout, /\n\d+ rows? settled: the gateway has deleted their keys\n/);
    assert.equal(await stack.session(key), undefined);
  });

  it("shows no secret, and lets no session steer the terminal", async () => {
    const hostile = "\u009b31mred \u202etxet";
    const { key, session } = await shared({
      alias: hostile,
      hmac_string: "s3cret-of-hmac",
      jwt_data: { secret: "s3cret-of-jwt" },
      meta_data: {
        [hostile]: 1,
        upstream_password: "s3cret-of-meta",
        plan: { name: "gold", secret: "s3cret" },
      },
    });
    admin("PUT", key, { ...session, hmac_string: "another-s3cret", meta_data: {} });
    for (const format of [[], ["--json"]]) {
      const { code, stdout, stderr } = await sessions(["diff", key, ...format]);
      assert.deepEqual([code, stderr], [1, ""]);
      assert.doesNotMatch(stdout.replaceAll("\n", ""), /s3cret|[\p{Cc}\p{Cf}]/u);
      assert.match(stdout, /\(hidden\)/);
      assert.match(stdout, /gold/);
    }
    assert.match(
      (await sessions(["diff", key])).stdout,
      /\nthey differ: hmac_string, meta_data\.plan, .*u009b31m/,
    );
  });

  it("says what is on its way", async () => {
    const { key, session } = await shared();
    const [since, until] = [Date.parse("2026-08-01T10:00:00Z"), Date.parse("2026-08-01T10:00:11Z")];
    const change = { base: session as Session, since, until };
    await put(key, { ...session, rate: 9 } as Session, { created: String(session.date_created), change });
    const { code, stdout } = await sessions(["diff", key]);
    assert.equal(code, 1);
    const line = "a change is on its way since 2026-08-01T10:00:00.000Z, taken; it is looked at again at ";
    assert.ok(stdout.includes(`table    ${line}2026-08-01T10:00:11.000Z\n`), stdout);
    assert.match(stdout, /\nthey differ: rate\n$/);
    const none = await sessions(["diff", newKey(), "--json"]);
    assert.deepEqual([none.code, JSON.parse(none.stdout).table], [0, null]);
  });

  it("ends with 2 when it is called wrongly, and with 1 and what to set when something is not there", async () => {
    const wrong = [["diff"], ["diff", "Basic abc"], ["diff", "a/b"], ["reconcile", "--rate", "0"], ["move"]];
    for (const args of wrong) assert.equal((await sessions(args)).code, 2, args.join(" "));
    const unset = await sessions(["diff", "k"], { GATEWAY_URL: "" });
    assert.equal(unset.code, 1);
    assert.match(unset.stderr, /GATEWAY_URL is not set/);
    const missing = await sessions(["reconcile"], { STATE_TABLE: "none" });
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /STATE_TABLE is none, but there is no such table/);
    const refused = await sessions(["diff", newKey()], { GATEWAY_SECRET: "another" });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /the gateway answered 403/);
  });
});
