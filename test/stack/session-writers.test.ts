// Who changed a session, for each that writes one; test/cli/session-people.test.ts has a handler's.
import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { GetCommand } from "@aws-sdk/lib-dynamodb";
import { callerOf } from "../../functions/caller.ts";
import { createRows } from "../../lib/gateway/rows.ts";
import { readEntry } from "../../lib/sessions/forms.ts";
import { type ChangedBy, changedByWriter, sessionItem, whoChanged } from "../../lib/sessions/item.ts";
import { runCli } from "../helpers/cli.ts";
import { NO_MARKS } from "../helpers/no-marks.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";

const ARN = "arn:aws:sts::123456789012:assumed-role/Operators/anna";
const SECRET = "the-secret-of-the-key-api";
const SESSION = { org_id: "o1", rate: 1, access_rights: { demo: { api_id: "demo" } } };

describe("who changed a session", () => {
  let stack: TestStack;
  let folder = "";
  before(async () => {
    stack = await startTestStack({ settings: { KEYS_API_SECRET: SECRET } });
    folder = await mkdtemp(join(tmpdir(), "gatehook-"));
  });
  after(async () => {
    await stack?.close();
    await rm(folder, { recursive: true });
  });

  const TableName = () => stack.resources.SESSIONS_TABLE;
  async function changedBy(key: string): Promise<unknown> {
    const { Item } = await stack.clients.dynamo.send(
      new GetCommand({ TableName: TableName(), Key: { key }, ConsistentRead: true }),
    );
    assert.ok(Item, key);
    return Item.changed_by;
  }
  const cli = async (args: string[], input?: string, env: Record<string, string> = {}) => {
    const given = { env: { ...stack.env, ...env }, ...(input !== undefined && { input }) };
    const { code, stdout, stderr } = await runCli(["sessions", ...args], given);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const put = (key: string, session: object = SESSION) =>
    fetch(`${stack.url}/sessions/${key}`, { method: "PUT", body: JSON.stringify(session) });

  it("is the API, over HTTP", async () => {
    assert.equal((await put("by-api")).status, 201);
    assert.deepEqual(await changedBy("by-api"), { by: "api" });
  });

  it("is the API, over the gateway's key API, which has names for nobody", async () => {
    const ask = (method: string, path: string, body: object) =>
      fetch(`${stack.url}/tyk/keys/${path}`, {
        method,
        body: JSON.stringify(body),
        headers: { "X-Tyk-Authorization": SECRET },
      });
    const { key } = (await (await ask("POST", "create", SESSION)).json()) as { key: string };
    assert.deepEqual(await changedBy(key), { by: "api" });
    await cli(["put", key, "-"], JSON.stringify(SESSION));
    assert.deepEqual(await changedBy(key), { by: "cli" });
    assert.equal((await ask("PUT", key, { ...SESSION, rate: 2 })).status, 200);
    assert.deepEqual(await changedBy(key), { by: "api" });
  });

  it("is the command line, for put and edit, and an import for what does not say it", async () => {
    await cli(["put", "by-put", "-"], JSON.stringify(SESSION));
    assert.deepEqual(await changedBy("by-put"), { by: "cli" });

    await put("by-edit");
    const EDITOR = join(folder, "editor");
    await writeFile(EDITOR, `#!/bin/sh\nsed -i 's/"org_id": "o1"/"org_id": "o1", "alias": "e"/' "$1"\n`);
    await chmod(EDITOR, 0o755);
    await cli(["edit", "by-edit"], undefined, { EDITOR });
    assert.deepEqual(await changedBy("by-edit"), { by: "cli" });

    const lines = [
      { key: "silent", session: SESSION },
      { key: "handled", session: SESSION, changed_by: { handler: "h", event: "KeyExpired", event_id: "e" } },
      { key: "named", session: SESSION, changed_by: { by: "api", who: ARN } },
    ];
    const input = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    await cli(["import", "-"], input);
    assert.deepEqual(await changedBy("silent"), { by: "import" });
    assert.deepEqual(await changedBy("handled"), lines[1]?.changed_by);
    assert.deepEqual(await changedBy("named"), lines[2]?.changed_by);
    const exported = await cli(["export", "-"]);
    const found = exported.split("\n").find((line) => line.includes('"named"'));
    assert.deepEqual(JSON.parse(found ?? "").changed_by, lines[2]?.changed_by);
  });

  it("is refused in a file where it is another word, which the error names", () => {
    const text = JSON.stringify({ key: "k", session: SESSION, changed_by: { by: "magic" } });
    assert.throws(() => readEntry({ number: 1, text, isWhole: true } as never, 0), {
      code: "session-invalid",
      field: "changed_by.by",
      message: /"magic".*api, cli, console, gateway, import/,
    });
  });

  it("is the gateway only for what it changed itself", async () => {
    const rows = createRows({
      dynamo: stack.clients.dynamoClient,
      table: TableName(),
      proveMarks: NO_MARKS,
      now: Date.now,
    });
    await rows.keep("read", { session: undefined, version: -1 }, SESSION, { created: "" });
    assert.deepEqual(await changedBy("read"), { by: "gateway" });

    const said: ChangedBy = { by: "cli", who: ARN };
    const start = async (key: string, change: boolean) => {
      const state = { created: "", ...(change && { change: { base: null, since: 0 } }) };
      const item = sessionItem(key, SESSION, 1, 0, state, 0, said);
      const { PutCommand } = await import("@aws-sdk/lib-dynamodb");
      await stack.clients.dynamo.send(new PutCommand({ TableName: TableName(), Item: item }));
      const row = await rows.read(key);
      assert.ok(row);
      return row;
    };
    const other = { ...SESSION, rate: 9 };
    assert.ok(await rows.write(await start("carried", true), other, { created: "" }));
    assert.deepEqual(await changedBy("carried"), said, "what a change became there is still that change");
    assert.ok(await rows.write(await start("looked-at", false), { ...SESSION }, { created: "" }));
    assert.deepEqual(await changedBy("looked-at"), said, "the session is as it was");
    assert.ok(await rows.write(await start("theirs", false), other, { created: "" }));
    assert.deepEqual(await changedBy("theirs"), { by: "gateway" });
  });

  it("is shown by ls and get", async () => {
    await put("shown", { ...SESSION, org_id: "shown" });
    assert.match(await cli(["ls", "--org", "shown"]), /CHANGED BY\nshown +never +api\n/);
    assert.deepEqual(JSON.parse(await cli(["get", "shown", "--json"])).changed_by, { by: "api" });
  });
});

describe("the caller of the sessions API", () => {
  const asked = (authorizer: unknown, headers: Record<string, string> = {}) =>
    callerOf({ headers, requestContext: { authorizer } as never });

  it("is whom the IAM authorizer names, and nobody without one", () => {
    assert.deepEqual(asked({ iam: { userArn: ARN } }), { by: "api", who: ARN });
    for (const none of [undefined, {}, { iam: null }, { iam: { userArn: null } }, { jwt: { claims: {} } }])
      assert.deepEqual(asked(none), { by: "api" });
  });

  it("is over the console where that says so, and over nothing else", () => {
    assert.deepEqual(asked(undefined, { "gatehook-writer": "console" }), { by: "console" });
    assert.deepEqual(asked(undefined, { "gatehook-writer": "gateway" }), { by: "api" });
  });

  it("is shown by a name of one line's length, and stored with no more than IAM gives", () => {
    assert.equal(whoChanged(changedByWriter("api", ARN)), "anna (api)");
    assert.equal(whoChanged(changedByWriter("import")), "import");
    assert.equal(whoChanged({ handler: "h", event: "", event_id: "" }), "h");
    assert.equal(whoChanged(undefined), "");
    assert.equal(changedByWriter("api", "x".repeat(9_000)).who?.length, 2_048);
  });
});
