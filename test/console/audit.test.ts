// What is done by the console of a stage is written down first: each action, and what cannot be written down is not done.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import type { AttributeValue, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { createAudit } from "../../cli/stage/audit.ts";
import { fromAttributes } from "../../lib/dynamo/attributes.ts";
import { type AuditRecord, auditedChanges } from "../../lib/history/audit.ts";
import { askApp, startTestConsole, type TestConsole } from "../helpers/console.ts";
import { definition, handler, newFolder } from "../helpers/dev.ts";

const WHO = "arn:aws:iam::123456789012:user/anna";
const SESSION = { rate: 1, per: 1, org_id: "shop", access_rights: { shop: { api_id: "shop" } } };

describe("the audit of a console", () => {
  let own: TestConsole;
  let app: TestConsole["app"];
  let history: Parameters<typeof createAudit>[0]["history"];
  const items = new Map<string, AuditRecord>();
  /** Each result that was written, in order. */
  const results: string[] = [];
  let failsFrom = Number.POSITIVE_INFINITY;
  before(async () => {
    own = await startTestConsole(
      await newFolder({
        "apis/shop.json": definition("shop", { HostDown: "fails" }),
        "handlers/fails.js": handler("fails", 'throw new TypeError("no plan");'),
      }),
    );
    const dynamo = {
      async send({ input }: PutItemCommand) {
        if (results.length >= failsFrom) throw new Error("not authorized to perform: dynamodb:PutItem");
        const { sk = "", audit = "" } = fromAttributes(
          (input as { Item: Record<string, AttributeValue> }).Item,
        ) as Record<string, string>;
        const record = JSON.parse(audit) as AuditRecord;
        items.set(sk, record);
        results.push(record.result);
      },
    };
    history = {
      dynamo: dynamo as never,
      table: "history",
      ttlDays: 1,
      keyRef: async (key: string) => `ref of ${key.length}`,
    };
    app = await own.with({ audit: createAudit({ who: WHO, history, now: Date.now }) });
  });
  after(() => own.close());
  beforeEach(() => {
    items.clear();
    results.length = 0;
    failsFrom = Number.POSITIVE_INFINITY;
  });

  const ask: TestConsole["ask"] = (...args) => askApp(app, ...args);
  function written(): Omit<AuditRecord, "at" | "who" | "from"> {
    const [record, ...others] = items.values();
    assert.ok(record);
    assert.equal(others.length, 0);
    const { at, who, from, ...rest } = record;
    assert.deepEqual([who, from], [WHO, "console"]);
    assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000);
    return rest;
  }
  const put = (key: string) => own.stack.storeSession(key, SESSION as never);

  it("has a session that is saved, with the version that was seen, and one that is deleted", async () => {
    await put("kept");
    const path = "/sessions/kept";
    const save = { ...SESSION, rate: 2, alias: "whose it is" };
    assert.equal((await ask("PUT", `${path}?suppress_reset=1`, save, { "if-match": '"1"' })).status, 200);
    assert.deepEqual(written(), {
      what: "save session",
      target: "ref of 4",
      before: "1",
      changes: [{ name: "rate", before: 1, after: 2 }, { name: "alias" }],
      result: "done",
    });
    assert.deepEqual(results, ["asked", "done"]);
    items.clear();
    assert.equal((await ask("DELETE", path, undefined, { "if-match": '"2"' })).status, 200);
    assert.deepEqual(written(), {
      what: "delete session",
      target: "ref of 4",
      before: "2",
      result: "done",
    });
  });

  it("has what was refused, and nothing of who only looks", async () => {
    await put("stale");
    assert.equal((await ask("GET", "/sessions/stale")).status, 200);
    assert.equal(items.size, 0);
    assert.equal((await ask("PUT", "/sessions/stale", SESSION, { "if-match": '"9"' })).status, 412);
    assert.equal(written().result, "refused");
  });

  it("has a release that was rolled back, and the one that was seen live", async () => {
    const version = (await own.stack.releases.liveVersion()) ?? "";
    const answer = await ask("POST", `/releases/${version}/rollback`, { expect_live: "another" });
    assert.equal(answer.status, 409);
    assert.deepEqual(written(), { what: "roll back", target: version, before: "another", result: "refused" });
  });

  it("has the group and the number of dead letters that are sent again or deleted", async () => {
    const QueueUrl = own.stack.resources.DEAD_LETTERS_QUEUE_URL;
    const event = { Type: "HostDown", Meta: {} };
    const MessageBody = JSON.stringify({ id: "dead", api_id: "shop", event });
    await own.stack.clients.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody }));
    const sweep = await over((await ask("POST", "/dead-letters/sweep")).json);
    const [{ group }] = sweep.groups;
    for (const [path, what] of [
      ["redrive", "redrive dead letters"],
      ["delete", "delete dead letters"],
    ] as const) {
      items.clear();
      const { selection } = (await ask("POST", "/selections", { group })).json;
      const { status, json: job } = await ask("POST", `/dead-letters/${path}`, { selection, rate: 5 });
      assert.equal(status, 202, JSON.stringify(job));
      assert.deepEqual(written(), { what, target: group, count: 1, result: "done" });
      await ask("DELETE", `/jobs/${job.id}`);
      await over(job);
    }
  });
  /** A job at its end. */
  async function over(job: { id: string }) {
    for (;;) {
      const { json } = await ask("GET", `/jobs/${job.id}`);
      if (json.state !== "running") return json;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  it("comes first: what cannot be written down is not done", async () => {
    await put("safe");
    failsFrom = 0;
    const { status, json } = await ask("DELETE", "/sessions/safe", undefined, { "if-match": '"1"' });
    assert.deepEqual([status, json.error.code], [503, "audit-failed"]);
    assert.match(json.error.message, /nothing was changed.*dynamodb:PutItem/);
    assert.ok(await own.stack.session("safe"));
  });

  const lost = Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
  for (const [name, end, expected] of [
    ["is lost", () => Promise.reject(lost), 500],
    ["is an answer of an outage", async () => ({ status: 503, headers: {}, body: "{}" }), 503],
  ] as const)
    it(`says asked of what may have been done, where the answer of the table ${name}`, async () => {
      const broken = await own.with({
        audit: createAudit({ who: WHO, history, now: Date.now }),
        async sessions(request) {
          const answer = await own.backend.sessions?.(request);
          return !request.route.startsWith("DELETE") && answer ? answer : end();
        },
      });
      await put("unknown");
      const matched = { "if-match": '"1"' };
      const { status } = await askApp(broken, "DELETE", "/sessions/unknown", undefined, matched);
      assert.equal(status, expected);
      assert.equal(written().result, "asked");
      assert.equal(await own.stack.session("unknown"), undefined);
    });

  it("says asked of what was done, where only the end could not be written", async () => {
    await put("half");
    failsFrom = 1;
    assert.equal((await ask("DELETE", "/sessions/half", undefined, { "if-match": '"1"' })).status, 200);
    assert.equal(written().result, "asked");
    assert.equal(await own.stack.session("half"), undefined);
  });
});

describe("what the audit tells of a session", () => {
  it("is the names of members that changed, and the values of numbers, flags and rights alone", () => {
    const before = {
      rate: 1,
      is_inactive: false,
      alias: "anna",
      access_rights: { shop: { api_id: "shop" } },
      meta_data: { "anna@shop.example": 7 },
      basic_auth_data: { password: "secret", hash_type: "bcrypt" },
    };
    const after = {
      ...before,
      rate: 2,
      is_inactive: true,
      alias: "bert",
      access_rights: { shop: { api_id: "bank" } },
      meta_data: { "anna@shop.example": 8, "bert@shop.example": 9 },
      basic_auth_data: { password: "other", hash_type: "" },
    };
    assert.deepEqual(auditedChanges(before, after), [
      { name: "rate", before: 1, after: 2 },
      { name: "is_inactive", before: false, after: true },
      { name: "alias" },
      { name: "access_rights.shop.api_id", before: "shop", after: "bank" },
      { name: "meta_data" },
      { name: "basic_auth_data" },
    ]);
  });

  it("has room in an item, however much is changed: then it is the members' names alone", () => {
    const ids = Array.from({ length: 3_000 }, (_, nth) => `api-${nth}`);
    const rights = Object.fromEntries(ids.map((api_id) => [api_id, { api_id, versions: ["Default"] }]));
    const changed = { rate: 2, access_rights: rights, [`${"x".repeat(1_000)}.y`]: 1 };
    assert.deepEqual(auditedChanges({ rate: 1, access_rights: {} }, changed), [
      { name: "rate" },
      { name: "access_rights" },
      { name: "x".repeat(128) },
    ]);
    const others = Object.fromEntries(ids.map((id) => [id.padEnd(1_000, "\u{1f600}"), id]));
    assert.ok(Buffer.byteLength(JSON.stringify(auditedChanges({}, others))) < 64 * 1024);
  });
});
