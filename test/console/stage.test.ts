// gatehook console --stage: the page of a deployment, on the operator's own machine and with their rights.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { runCli } from "../helpers/cli.ts";
import { definition, newFolder } from "../helpers/dev.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";

const CLI = fileURLToPath(new URL("../../cli/gatehook.ts", import.meta.url));
const ACCOUNT = "123456789012";
const SESSION = { rate: 1, per: 1, expires: 4_000_000_000, access_rights: { demo: { api_id: "demo" } } };

/** Of an output of the stack, the setting that the local stack has for it. */
const OUTPUTS = {
  EventsQueueUrl: "EVENTS_QUEUE_URL",
  DeadLettersQueueUrl: "DEAD_LETTERS_QUEUE_URL",
  FilesBucket: "FILES_BUCKET",
  SessionsTable: "SESSIONS_TABLE",
  StateTable: "STATE_TABLE",
};

describe("gatehook console --stage", () => {
  let stack: TestStack;
  let aws: Server;
  let folder = "";
  let env: Record<string, string> = {};
  before(async () => {
    stack = await startTestStack();
    folder = await newFolder({ "apis/demo.json": definition("demo", {}) });
    // Who calls, and what the stage's stack has made; all else is the local stack's.
    aws = createServer(async (request, response) => {
      const action = new URLSearchParams(await text(request)).get("Action") ?? "";
      const resources: Record<string, string> = stack.resources;
      const outputs = Object.entries(OUTPUTS).map(
        ([name, setting]) =>
          `<member><OutputKey>${name}</OutputKey><OutputValue>${resources[setting]}</OutputValue></member>`,
      );
      const answers: Record<string, string> = {
        GetCallerIdentity: `<Account>${ACCOUNT}</Account><Arn>arn:aws:iam::${ACCOUNT}:user/operator</Arn><UserId>u</UserId>`,
        DescribeStacks: `<Stacks><member><StackName>gatehook-dev</StackName><CreationTime>2026-01-01T00:00:00Z</CreationTime><StackStatus>UPDATE_COMPLETE</StackStatus><Outputs>${outputs.join("")}</Outputs></member></Stacks>`,
      };
      response.setHeader("content-type", "text/xml");
      response.end(
        `<${action}Response><${action}Result>${answers[action] ?? ""}</${action}Result></${action}Response>`,
      );
    });
    await new Promise<void>((resolve) => aws.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(aws.address() as AddressInfo).port}`;
    env = {
      ...stack.env,
      AWS_ENDPOINT_URL_STS: url,
      AWS_ENDPOINT_URL_CLOUDFORMATION: url,
      AWS_REGION: "us-east-1",
    };
  });
  after(async () => {
    await stack.close();
    aws.closeAllConnections();
    await new Promise((resolve) => aws.close(resolve));
    await rm(folder, { recursive: true });
  });

  async function withConsole(
    args: string[],
    work: (
      ask: (method: string, path: string, body?: string, headers?: object) => Promise<Response>,
    ) => Promise<void>,
  ): Promise<void> {
    const child = spawn(process.execPath, [CLI, "console", "--stage", "dev", ...args], {
      cwd: folder,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    child.stderr.on("data", (chunk) => {
      said += chunk;
    });
    try {
      const printed = await new Promise<string>((resolve, reject) => {
        child.stdout.once("data", (chunk) => resolve(String(chunk).split("\n", 1)[0] ?? ""));
        child.once("close", () => reject(new Error(said)));
      });
      assert.match(said, /gatehook-dev.*123456789012/);
      const [page = "", token = ""] = printed.split("/console/overview#token=");
      await work((method, path, body, headers) =>
        fetch(`${page}/console/api/v1${path}`, {
          method,
          headers: { authorization: `Bearer ${token}`, ...headers },
          body: body ?? null,
        }),
      );
    } finally {
      const ended = new Promise((resolve) => child.once("close", resolve));
      child.kill("SIGINT");
      await ended;
    }
  }
  const json = async (answer: Promise<Response>) => (await answer).json() as Promise<Record<string, unknown>>;

  it("shows sessions, releases and dead letters, says where, and changes nothing", async () => {
    await stack.storeSession("k", SESSION as never);
    await withConsole([], async (ask) => {
      const { mode, place, write, has, release } = await json(ask("GET", "/state"));
      assert.deepEqual([mode, place, write], ["stage", `dev · ${ACCOUNT} · us-east-1`, false]);
      assert.deepEqual(has, {
        events: false,
        send: false,
        sessions: true,
        releases: true,
        dead_letters: true,
        rerun: false,
        tests: false,
      });
      assert.equal((release as { version: string }).version, await stack.releases.liveVersion());
      assert.equal((await json(ask("GET", "/sessions/k"))).expires, 4_000_000_000);
      assert.ok(((await json(ask("GET", "/releases"))).releases as object[]).length > 0);
      assert.equal((await json(ask("GET", "/dead-letters"))).source, "none");
      assert.equal(
        (await json(ask("GET", "/overview"))).source,
        "the queues alone: no events are recorded here",
      );
      const body = JSON.stringify({ ...SESSION, rate: 9 });
      const put = await ask("PUT", "/sessions/k", body, { "if-match": '"1"' });
      assert.deepEqual(
        [put.status, ((await put.json()) as { error: { code: string } }).error.code],
        [403, "read-only"],
      );
      assert.equal((await stack.session("k"))?.rate, 1);
      assert.equal((await ask("GET", "/sessions/nobody")).status, 404);
    });
  });

  it("with --write it changes a session over the version that was read", async () => {
    await stack.storeSession("w", SESSION as never);
    await withConsole(["--write"], async (ask) => {
      const body = JSON.stringify({ ...SESSION, rate: 9 });
      assert.equal((await ask("PUT", "/sessions/w", body, { "if-match": '"7"' })).status, 412);
      assert.equal((await ask("PUT", "/sessions/w", body, { "if-match": '"1"' })).status, 200);
    });
    assert.equal((await stack.session("w"))?.rate, 9);
  });

  it("asks before it may change a stage that asks, and is refused where nobody can answer", async () => {
    const { code, stderr } = await runCli(["console", "--stage", "prod", "--write"], { cwd: folder, env });
    assert.equal(code, 2);
    assert.match(stderr, /--yes/);
  });
});
