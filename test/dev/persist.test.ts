// A stack that keeps its data in a folder: what it has is there at the next start, however it ended.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { ListStreamsCommand } from "@aws-sdk/client-dynamodb-streams";
import { ListBucketsCommand } from "@aws-sdk/client-s3";
import {
  ChangeMessageVisibilityCommand,
  ListQueuesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
} from "@aws-sdk/client-sqs";
import { GetCommand } from "@aws-sdk/lib-dynamodb";
import { openDataFolder } from "../../local/data-folder.ts";
import { createClients, onFailedCalls } from "../../local/resources.ts";
import { groupEnds, groupOf } from "../helpers/cli.ts";
import { EVENT, keepSomething, SESSION } from "../helpers/kept-stack.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";

const KEPT_STACK = fileURLToPath(new URL("../helpers/kept-stack.ts", import.meta.url));

let folder = "";
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "gatehook-")), ".gatehook");
});
afterEach(() => rm(join(folder, ".."), { recursive: true }));

const startAgain = (changes: Parameters<typeof startTestStack>[0] = {}) =>
  startTestStack({ env: {}, prefix: "kept", persist: folder, ...changes });

/** The session is there until the event has its effect, once; and the event's release was the live one already. */
async function seeThatAllIsThere(stack: TestStack, version: string | undefined): Promise<void> {
  assert.equal(await stack.releases.liveVersion(), version);
  await stack.fact(({ message, fields }) => message === "event done" && fields.event_id === EVENT.id);
  assert.deepEqual(await stack.session("k"), { ...SESSION, expires: SESSION.expires + 1_000 });
}

async function runKeptStack(command = [process.execPath, KEPT_STACK]): Promise<ChildProcess> {
  const [file = "", ...args] = [...command, folder];
  return spawn(file, args, { detached: true, stdio: ["ignore", "pipe", "pipe"] });
}

const firstLine = (child: ChildProcess) =>
  new Promise<string>((resolve) => child.stdout?.once("data", (line) => resolve(String(line).trim())));

async function endOf(child: ChildProcess): Promise<{ code: number | null; stderr: string }> {
  let stderr = "";
  child.stderr?.on("data", (chunk) => {
    stderr += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, stderr };
}

describe("a stack that keeps its data", () => {
  it("has session, release and queued event again after an orderly end", async () => {
    const first = await keepSomething(folder);
    const version = await first.releases.liveVersion();
    await first.close();
    assert.equal(await readFile(join(folder, ".gitignore"), "utf8"), "*\n");
    const second = await startAgain();
    try {
      await seeThatAllIsThere(second, version);
    } finally {
      await second.close();
    }
    const third = await startAgain();
    const { expires } = (await third.session("k")) ?? {};
    await third.close();
    assert.equal(expires, SESSION.expires + 1_000, "and the event had its effect once");
  });

  for (const what of ["all of it is", "its own process alone is"])
    it(`has them again after ${what} killed`, async () => {
      const child = await runKeptStack();
      const ended = endOf(child);
      const version = await firstLine(child);
      const pid = child.pid ?? 0;
      assert.ok([...groupOf(pid).values()].some((name) => name.endsWith("dynoxide")));
      process.kill(what.startsWith("all") ? -pid : pid, "SIGKILL");
      await ended;
      assert.equal(await groupEnds(pid), true, "the engine ends with the process that started it");
      const stack = await startAgain();
      try {
        await seeThatAllIsThere(stack, version);
      } finally {
        await stack.close();
      }
    });

  it("has an event again that a consumer had in hand, without its visibility timeout, and in any region", async () => {
    const first = await keepSomething(folder);
    const receive = await receiver(first);
    assert.equal((await receive())?.Attributes?.ApproximateReceiveCount, "1");
    await first.close();
    const second = await startAgain({ env: { AWS_REGION: "eu-west-1" } });
    try {
      await seeThatAllIsThere(second, await second.releases.liveVersion());
    } finally {
      await second.close();
    }
  });

  it("keeps a message that is made visible, with its receive count", async () => {
    const first = await startAgain({ consumers: [] });
    const QueueUrl = first.resources.EVENTS_QUEUE_URL;
    await first.clients.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "{}" }));
    const receive = await receiver(first);
    for (const count of ["1", "2"]) {
      const { ReceiptHandle, Attributes } = (await receive()) ?? {};
      assert.equal(Attributes?.ApproximateReceiveCount, count);
      await first.clients.sqs.send(
        new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }),
      );
    }
    await first.close();
    const second = await startAgain({ consumers: [] });
    const again = await receiver(second);
    assert.equal((await again())?.Attributes?.ApproximateReceiveCount, "3");
    await second.close();
  });

  it("keeps no other stack's data meanwhile", async () => {
    const first = await startAgain();
    await assert.rejects(startAgain(), {
      code: "local-failed",
      message: `another gatehook dev keeps its data in ${folder}: stop that one, or start this one without --persist`,
    });
    const answer = await first.post("demo", JSON.stringify(EVENT));
    await first.close();
    assert.equal(answer.status, 202, "and the first goes on");
    await (await startAgain()).close();
  });
});

async function receiver(stack: TestStack): Promise<() => Promise<Message | undefined>> {
  const command = new ReceiveMessageCommand({
    QueueUrl: stack.resources.EVENTS_QUEUE_URL,
    WaitTimeSeconds: 5,
    MessageSystemAttributeNames: ["All"],
  });
  return async () => (await stack.clients.sqs.send(command)).Messages?.[0];
}

const unwritable = (why: string) =>
  new RegExp(`^--persist keeps its data in ${folder}, which cannot be written \\(${why}.*\\): `);

describe("a folder that cannot keep data", () => {
  const rejects = (why: string) =>
    assert.rejects(startAgain(), { code: "local-failed", message: unwritable(why) });

  it("is told when it is none, or may not be written", async () => {
    await writeFile(folder, "");
    await rejects("EEXIST");
    await rm(folder);
    await mkdir(folder);
    await chmod(folder, 0o500);
    const isRoot = process.getuid?.() === 0;
    if (isRoot) await chmod(join(folder, ".."), 0o755);
    if (isRoot) process.seteuid?.(65_534);
    try {
      assert.throws(() => openDataFolder(folder, () => {}), { message: unwritable("EACCES") });
    } finally {
      if (isRoot) process.seteuid?.(0);
      await chmod(folder, 0o700);
    }
    assert.deepEqual(await readdir(folder), []);
  });

  it("is told at the start when the disk takes no more", async () => {
    const child = await runKeptStack([
      "sh",
      "-c",
      'ulimit -f 400; exec "$0" "$@"',
      process.execPath,
      KEPT_STACK,
    ]);
    const { code, stderr } = await endOf(child);
    assert.equal(code, 1);
    assert.match(stderr, unwritable("EFBIG"));
    assert.deepEqual(await readdir(folder), [], "and nothing half written stays");
  });

  it("ends the stack when it can be written no more", async () => {
    const stack = await startAgain();
    try {
      await rename(folder, `${folder}-moved`);
      await stack.releases.writeSource({ path: "apis/broken.json", text: "{" });
      assert.equal((await stack.release()).result, "refused"); // an error of the releaser
      await assert.rejects(stack.broken, { code: "local-failed", message: unwritable("ENOENT") });
    } finally {
      await stack.close();
    }
  });

  it("is suspected when a call fails by the service's own fault, and not by what it refuses", async () => {
    let status = 400;
    const server = createServer((_, response) => void response.writeHead(status).end("{}"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const names = ["DYNAMODB", "DYNAMODB_STREAMS", "SQS", "S3"].map((name) => `AWS_ENDPOINT_URL_${name}`);
    const clients = createClients({
      env: { AWS_REGION: "r", ...Object.fromEntries(names.map((name) => [name, endpoint])) },
    });
    let told = 0;
    onFailedCalls(clients, () => {
      told += 1;
    });
    const calls = [
      () => clients.dynamo.send(new GetCommand({ TableName: "table", Key: { pk: "k" } })),
      () => clients.streams.send(new ListStreamsCommand()),
      () => clients.sqs.send(new ListQueuesCommand()),
      () => clients.s3.send(new ListBucketsCommand()),
    ];
    const seen = async () => {
      told = 0;
      for (const call of calls) await assert.rejects(call);
      return told;
    };
    try {
      assert.equal(await seen(), 0);
      status = 500;
      assert.equal(await seen(), 4);
    } finally {
      for (const client of Object.values(clients)) client.destroy();
      server.close();
    }
  });

  it("is told which file is damaged, and what to do", async () => {
    await (await startAgain()).close();
    for (const file of ["fauxqs.db", "dynamodb.db"]) {
      const whole = await readFile(join(folder, file));
      await writeFile(join(folder, file), "x".repeat(8_192));
      await assert.rejects(startAgain(), {
        code: "local-failed",
        message: new RegExp(`${folder}/${file}.*delete ${folder} to start from nothing$`),
      });
      await writeFile(join(folder, file), whole);
    }
    await (await startAgain()).close();
  });
});
