// Every query of docs/sessions.md, on the embedded engine: as a command, with the AWS CLI's options, in PartiQL, in code.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { QueryCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { ExecuteStatementCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import { changedByOf, sessionItem } from "../../lib/sessions/item.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { runCli } from "../helpers/cli.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DOCS = readFileSync(join(ROOT, "docs/sessions.md"), "utf8");
const TABLE = /gatehook-prod-sessions/g;

const blocks = (language: string) =>
  [...DOCS.matchAll(new RegExp(`\`\`\`${language}\\n([^\`]+)\`\`\``, "g"))].map(([, text = ""]) => text);
/** Lines that end with a backslash go on. */
const commands = blocks("sh").flatMap((text) => text.replaceAll("\\\n", " ").split("\n"));
/** As a shell takes them: what is in single quotes is one word, and the rest of the line after # is none. */
const wordsOf = (command: string) =>
  [...command.replace(/ # .*/, "").matchAll(/'([^']*)'|[^\s']+/g)].map(([word, quoted]) => quoted ?? word);

const NOW = Math.floor(Date.now() / 1000);
const FOUND = {
  org_id: "demo-org",
  alias: "anna",
  expires: NOW + 2 * 86_400,
  tags: ["trial"],
  is_inactive: true,
  meta_data: { plan: "gold" },
  access_rights: { demo: { api_id: "demo" } },
} as unknown as Session;

describe("docs/sessions.md has queries that find their session", () => {
  let stack: TestStack;
  before(async () => {
    stack = await startTestStack({ consumers: [] });
    const put = (key: string, session: Session, version: number) => {
      const changedBy = changedByOf("sessionEditor", "KeyExpired", "e1");
      const Item = sessionItem(key, session, version, NOW, undefined, undefined, changedBy);
      return stack.clients.dynamo.send(new PutCommand({ TableName: table(), Item }));
    };
    await put("demo-key", FOUND, 3657847036349197);
    const { alias: _, ...other } = FOUND;
    await put("other", { ...other, org_id: "other", tags: [], is_inactive: false } as Session, 1);
  });
  after(() => stack.close());
  const table = () => stack.resources.SESSIONS_TABLE;

  const queries = commands.filter((line) => /^npx gatehook sessions (query|ls)/.test(line));
  for (const line of queries)
    it(line.replace(/ +# .*/, ""), async () => {
      const [, , ...args] = wordsOf(line);
      const { code, stdout, stderr } = await runCli([...args.filter((arg) => arg !== "--json"), "--json"], {
        env: stack.env,
      });
      assert.equal(code, 0, stderr);
      const { sessions } = JSON.parse(stdout) as { sessions: { key: string }[] };
      assert.deepEqual(
        sessions.map(({ key }) => key),
        ["demo-key"],
      );
    });

  for (const statement of blocks("sql").join("").trim().split("\n"))
    it(statement, async () => {
      const Statement = statement.replace(TABLE, table());
      const { Items } = await stack.clients.dynamo.send(new ExecuteStatementCommand({ Statement }));
      assert.deepEqual(
        Items?.map(({ key }) => key),
        ["demo-key"],
      );
    });

  /** The CLI's options are the members of the request, by other letters. */
  function requestOf(command: string) {
    const words = wordsOf(command.replace(TABLE, table())).slice(3);
    const members = Array.from({ length: words.length / 2 }, (_, at) => {
      const [option = "", value = ""] = words.slice(at * 2);
      const name = option.slice(1).replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
      return [name, value.startsWith("{") ? JSON.parse(value) : value];
    });
    return Object.fromEntries(members);
  }
  const withCli = (operation: string) =>
    commands.filter((line) => line.startsWith(`aws dynamodb ${operation}`));

  it("aws dynamodb query", async () => {
    const [command = "", ...more] = withCli("query");
    assert.deepEqual(more, []);
    const { Items } = await stack.clients.dynamoClient.send(new QueryCommand(requestOf(command)));
    assert.deepEqual(
      Items?.map(({ key }) => key?.S),
      ["demo-key"],
    );
  });

  it("aws dynamodb update-item, over the version that was read", async () => {
    const [command = "", ...more] = withCli("update-item");
    assert.deepEqual(more, []);
    await stack.clients.dynamoClient.send(new UpdateItemCommand(requestOf(command)));
    assert.equal((await stack.session("demo-key"))?.alias, "vip");
  });

  it("in code", async () => {
    const [code = "", ...more] = blocks("js");
    assert.deepEqual(more, []);
    // Where its packages are found.
    const folder = await mkdtemp(join(ROOT, "node_modules/.docs-"));
    try {
      await writeFile(join(folder, "query.mjs"), code.replace(TABLE, table()));
      const { stdout } = await promisify(execFile)(process.execPath, [join(folder, "query.mjs")], {
        env: { ...process.env, ...stack.env },
      });
      assert.equal(stdout, "demo-key vip\n");
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
