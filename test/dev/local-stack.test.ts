// How commands in another terminal find the stack of `gatehook dev`.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { connectLocal, liveStackIn, writeLocalStack } from "../../cli/dev/local-stack.ts";
import { type CliResult, runCli } from "../helpers/cli.ts";
import { type Dev, definition, handler, newFolder, startDev } from "../helpers/dev.ts";

/** Nothing that names services, whatever the environment of the tests has. */
const BARE = Object.fromEntries(
  ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL", "STATE_TABLE", "FILES_BUCKET"].map(
    (name) => [name, ""],
  ),
);
const REMOTE = [
  "push",
  "releases",
  "rollback",
  "diff",
  "dlq ls",
  "dlq show",
  "dlq redrive",
  "dlq rm",
  "sessions diff",
  "sessions hash",
  "sessions reconcile",
];

describe("a command beside gatehook dev", () => {
  let folder = "";
  let dev: Dev;
  let [url, version] = ["", ""];
  before(async () => {
    folder = await newFolder({
      "apis/orders.json": definition("orders", { KeyExpired: "h" }),
      "handlers/h.js": handler("h", ""),
    });
    dev = startDev(folder, "--no-demo");
    version = (await dev.says(/release (\w+) is live/))[1] ?? "";
    url = (await dev.says(/ready at (\S+)/))[1] ?? "";
    await dev.says(/Ctrl\+C/);
  });
  after(async () => {
    await dev.end();
    await rm(folder, { recursive: true });
  });

  function found({ code, stdout, stderr }: CliResult, expected: RegExp): void {
    assert.equal(stderr, `local stack at ${url}\n`);
    assert.equal(code, 0);
    assert.match(stdout, expected);
  }

  it("finds its stack by itself, in its folder and below it", async () => {
    for (const cwd of [folder, join(folder, "handlers")])
      found(await runCli(["releases"], { cwd, env: BARE }), new RegExp(`^${version} +live`, "m"));
    found(await runCli(["dlq", "ls"], { cwd: folder, env: BARE }), /^there is no dead letter$/m);
  });

  it("finds the stack of the folder that it is told", async () => {
    found(
      await runCli(["push", "--dir", folder], { env: BARE }),
      new RegExp(`release ${version} is live already`),
    );
  });

  it("uses it by --local, whatever the environment says", async () => {
    const env = { ...BARE, AWS_REGION: "eu-west-1", AWS_PROFILE: "of-my-own", STATE_TABLE: "another" };
    found(await runCli(["releases", "--local"], { cwd: folder, env }), new RegExp(`^${version} +live`, "m"));
  });

  it("uses another when the environment names one", async () => {
    const env = { ...BARE, AWS_REGION: "eu-west-1" };
    const { code, stderr } = await runCli(["releases"], { cwd: folder, env });
    assert.equal(code, 1);
    assert.doesNotMatch(stderr, /local stack at/);
  });

  it("does not use what another user wrote", async (t) => {
    const getuid = process.getuid?.() ?? 0;
    t.mock.method(process as { getuid(): number }, "getuid", () => getuid + 1);
    await assert.rejects(connectLocal({ local: true, dir: folder }), /there is no local stack of/);
  });

  for (const command of REMOTE)
    it(`takes --local (${command})`, async () => {
      const { stdout } = await runCli([...command.split(" "), "--help"]);
      assert.match(stdout, /--local/);
    });
});

describe("a command without gatehook dev", () => {
  let folder = "";
  const file = () => join(folder, ".gatehook/local.json");
  before(async () => {
    folder = await newFolder({});
  });
  after(() => rm(folder, { recursive: true }));

  it("says what it could reach, where nothing names a stack", async () => {
    const { code, stderr } = await runCli(["releases"], { cwd: folder, env: BARE });
    assert.equal(code, 2);
    assert.match(stderr, /^gatehook: no stack to reach: start one with gatehook dev in .*--stage; or set/);
  });

  const local = () => runCli(["releases", "--local"], { cwd: folder, env: BARE });

  it("says how to start it", async () => {
    const { code, stderr } = await local();
    assert.equal(code, 1);
    assert.equal(
      stderr,
      `gatehook: there is no local stack of ${folder} or of a folder above it: start it in another terminal: npx gatehook dev\n`,
    );
  });

  it("says when it has ended", async () => {
    await mkdir(join(folder, ".gatehook"));
    const { pid } = spawnSync(process.execPath, ["--version"]);
    await writeFile(file(), JSON.stringify({ url: "http://127.0.0.1:9", pid, env: { STATE_TABLE: "t" } }));
    const { code, stderr } = await local();
    assert.equal(code, 1);
    assert.equal(
      stderr,
      `gatehook: the local stack of ${folder} has ended: start it in another terminal: npx gatehook dev --dir ${folder}\n`,
    );
    const byItself = await runCli(["releases"], { cwd: folder, env: BARE });
    assert.doesNotMatch(byItself.stderr, /local stack at/);
  });

  it("takes nothing of a file but what connects a command, and writes no secret", async () => {
    const own = { STATE_TABLE: "t", AWS_ENDPOINT_URL_S3: "http://127.0.0.1:9" };
    const others = {
      EDITOR: "touch planted;",
      PATH: "/planted",
      NODE_OPTIONS: "--require=/planted.js",
      AWS_CONFIG_FILE: "/planted",
      GATEWAY_SECRET: "a-secret",
      CONFIG_DATA_STRIPE: "a-secret",
      toString: "x",
    };
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const stack = { url: `http://127.0.0.1:${port}`, pid: process.pid, env: { ...own, ...others } };
    const written = await newFolder({});
    await writeLocalStack(written, stack);
    await writeFile(file(), JSON.stringify({ ...stack, env: { ...own, ...others, toString: undefined } }));
    const text = await readFile(join(written, ".gatehook/local.json"), "utf8");
    assert.deepEqual(JSON.parse(text).env, own);
    for (const dir of [written, folder]) assert.deepEqual((await liveStackIn(dir))?.env, own);
    server.close();
    await rm(written, { recursive: true });
  });

  const LOCAL = Object.fromEntries(
    ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_S3", "EVENTS_QUEUE_URL"].map(
      (name) => [name, "http://127.0.0.1:9/0/events"],
    ),
  );
  const STRANGE: Record<string, [file: Record<string, string>, own?: Record<string, string>]> = {
    AWS_ENDPOINT_URL_DYNAMODB: [{ AWS_ENDPOINT_URL_DYNAMODB: "http://evil.example" }],
    AWS_ENDPOINT_URL_S3: [{ AWS_ENDPOINT_URL_S3: "http://127.0.0.1.evil.example" }],
    AWS_ENDPOINT_URL_SQS: [{ AWS_ENDPOINT_URL_SQS: "" }],
    EVENTS_QUEUE_URL: [{ EVENTS_QUEUE_URL: "https://sqs.eu-west-1.amazonaws.com/1/theirs" }],
    GATEWAY_SECRET: [{ GATEWAY_URL: "http://evil.example" }, { GATEWAY_SECRET: "a-secret" }],
  };
  const connected = async (file: Record<string, string>, own: Record<string, string> = {}) => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const dir = await newFolder({});
    const env = { ...LOCAL, ...file };
    await writeLocalStack(dir, { url: `http://127.0.0.1:${port}`, pid: process.pid, env });
    const before = process.env;
    process.env = { ...before, ...own };
    try {
      await connectLocal({ local: true, dir });
      return process.env.EVENTS_QUEUE_URL;
    } finally {
      process.env = before;
      server.close();
      await rm(dir, { recursive: true });
    }
  };

  for (const [name, [given, own]] of Object.entries(STRANGE))
    it(`sends nothing to an address that a file names and that is not on this machine (${name})`, async () => {
      await assert.rejects(
        connected(given, own),
        new RegExp(`local\\.json: ${name} .*in this terminal too$`),
      );
    });

  it("uses addresses of this machine, and those that its own environment names too", async () => {
    for (const host of ["127.0.0.1", "127.4.5.6", "localhost", "[::1]", "sqs.localhost.localstack.cloud"])
      assert.match((await connected({ EVENTS_QUEUE_URL: `http://${host}:9/0/q` })) ?? "", /q$/);
    const own = { AWS_ENDPOINT_URL: "http://emulator:4566", GATEWAY_URL: "http://gw", GATEWAY_SECRET: "s" };
    const service = {
      AWS_ENDPOINT_URL_S3: own.AWS_ENDPOINT_URL,
      EVENTS_QUEUE_URL: `${own.AWS_ENDPOINT_URL}/0/q`,
    };
    const file = { ...service, GATEWAY_URL: own.GATEWAY_URL };
    assert.ok(await connected(file, own));
  });

  const BROKEN = {
    "no JSON": "{",
    "another host": JSON.stringify({ url: "http://evil.example:80", pid: process.pid, env: {} }),
    "what is no setting": JSON.stringify({
      url: "http://127.0.0.1:9",
      pid: process.pid,
      env: { "a b": "c" },
    }),
  };
  for (const [what, text] of Object.entries(BROKEN))
    it(`does not use a file with ${what}`, async () => {
      await writeFile(file(), text);
      const { code, stderr } = await local();
      assert.equal(code, 1);
      assert.ok(stderr.startsWith(`gatehook: ${file()}: `), stderr);
      assert.match(stderr, /: remove it, and start the stack again\n$/);
    });
});
