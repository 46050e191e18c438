// `gatehook publish` as a process, over the protocol of SQS, with a queue that goes away and a process that dies.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { DeleteMessageCommand, ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import type { EventEnvelope } from "../../lib/events/event.ts";
import { type DynamoProxy, type Step, startProxy } from "../chaos/proxy.ts";
import { runCli } from "../helpers/cli.ts";
import { setUpIngest } from "../helpers/ingest.ts";
import { type PublishProcess, startPublish } from "../helpers/publish.ts";
import { startTestQueues, type TestQueues } from "../helpers/queues.ts";
import { WEBHOOK_BODIES } from "../helpers/webhook-bodies.ts";

describe("gatehook publish", () => {
  let queues: TestQueues;
  let proxy: DynamoProxy;
  let env: Record<string, string>;
  let folder: string;
  let running: PublishProcess[] = [];
  let away = false;
  let onCall: Step = (_, forward) => forward();

  before(async () => {
    queues = await startTestQueues();
    const upstream = queues.env.AWS_ENDPOINT_URL_SQS ?? "";
    proxy = await startProxy(upstream, async (call, forward) => (away ? "cut" : onCall(call, forward)));
    env = { ...queues.env, AWS_ENDPOINT_URL_SQS: proxy.url };
  });
  after(async () => {
    await proxy.close();
    await queues.close();
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "gatehook-publish-"));
    away = false;
    onCall = (_, forward) => forward();
  });
  afterEach(async () => {
    await Promise.all(running.map((each) => each.end("SIGKILL")));
    running = [];
    rmSync(folder, { recursive: true });
  });

  interface World {
    /** As the test reads it, and as the process sees it. */
    queueUrl: string;
    start(args?: string[], through?: (command: string[]) => string[]): Promise<PublishProcess>;
  }

  async function world({ fifo = false } = {}): Promise<World> {
    const queueUrl = await queues.create({ fifo });
    const seen = queueUrl.replace(new URL(queueUrl).origin, proxy.url);
    return {
      queueUrl,
      async start(args = [], through) {
        const options = { queueUrl: seen, spool: join(folder, "spool"), env, args };
        const started = await startPublish({ ...options, ...(through && { through }) });
        running.push(started);
        return started;
      },
    };
  }

  /** Takes events off a queue until all of these have come; answers all, in the order of their arrival. */
  async function arrivals(queueUrl: string, ids: Iterable<string>): Promise<EventEnvelope[]> {
    const missing = new Set(ids);
    const all: EventEnvelope[] = [];
    while (missing.size > 0) {
      const { Messages = [] } = await queues.sqs.send(
        new ReceiveMessageCommand({ QueueUrl: queueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20 }),
      );
      for (const { Body = "", ReceiptHandle } of Messages) {
        await queues.sqs.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle }));
        const envelope = JSON.parse(Body) as EventEnvelope;
        all.push(envelope);
        missing.delete(envelope.id);
      }
    }
    return all;
  }

  const eventOf = (id: string | undefined, Key: string) =>
    JSON.stringify({ id, event: { Type: "KeyExpired", Meta: { Key }, TimeStamp: "" } });

  /** The id that an event was accepted under; undefined where the process died first. */
  async function accepted(process: PublishProcess, api: string, body: string): Promise<string | undefined> {
    try {
      const answer = await process.post(`/events/${api}`, body);
      const text = await answer.text();
      assert.equal(answer.status, 202, text);
      return (JSON.parse(text) as { id: string }).id;
    } catch (thrown) {
      if (thrown instanceof assert.AssertionError) throw thrown;
      return undefined;
    }
  }

  it("loses none of 500 events while the queue is away and the process is killed twice", async () => {
    const { queueUrl, start } = await world();
    away = true;
    const taken = new Set<string>();
    let process = await start();
    let restarting: Promise<void> | undefined;
    const killsAt = [150, 350];

    async function killWhenDue(): Promise<void> {
      const [due] = killsAt;
      if (due === undefined || taken.size < due) return;
      killsAt.shift();
      await process.end("SIGKILL");
      process = await start();
    }

    let next = 0;
    /** Half of the events have an id of their own, and are sent again when they got no answer. */
    async function client(): Promise<void> {
      while (next < 500) {
        next += 1;
        const own = next % 2 === 0 ? `own-${next}` : undefined;
        const body = eventOf(own, `key-${next % 7}`);
        for (let id: string | undefined; id === undefined; ) {
          await restarting;
          id = await accepted(process, "demo", body);
          if (id !== undefined) taken.add(id);
          restarting ??= killWhenDue().finally(() => {
            restarting = undefined;
          });
        }
      }
    }
    await Promise.all(Array.from({ length: 20 }, client));
    await restarting;
    assert.deepEqual([taken.size, killsAt], [500, []]);
    const health = (await (await fetch(`${process.url}/healthz`)).json()) as Record<string, unknown>;
    assert.ok(Number(health.spooled) >= 500, "all of them wait");
    away = false;
    const seen = new Set((await arrivals(queueUrl, taken)).map(({ id }) => id));
    assert.deepEqual(
      [...taken].filter((id) => !seen.has(id)),
      [],
    );
  });

  it("sends the same event again after a crash behind a call, and no other", async () => {
    const { queueUrl, start } = await world();
    const called = Promise.withResolvers<void>();
    const never = new Promise<never>(() => {});
    // The queue has the events, and the answer does not arrive.
    onCall = async (_, forward) => {
      await forward();
      called.resolve();
      return never;
    };
    const first = await start();
    const id = (await accepted(first, "demo", eventOf(undefined, "k"))) ?? "";
    await called.promise;
    await first.end("SIGKILL");
    onCall = (_, forward) => forward();
    const second = await start(["--json"]);
    assert.equal(JSON.parse((await second.end("SIGTERM")).stdout).sent, 1);
    const bodies = (await queues.drain(queueUrl)).map(({ Body = "" }) => JSON.parse(Body));
    assert.deepEqual([bodies.length, bodies[0].id, bodies[1]], [2, id, bodies[0]]);
  });

  it("keeps the order of each API and key in a FIFO queue, whatever happens between", async () => {
    const { queueUrl, start } = await world({ fifo: true });
    away = true;
    let process = await start();
    const sent: Record<string, string[]> = { one: [], two: [] };
    for (let at = 0; at < 40; at += 1) {
      if (at === 20) {
        await process.end("SIGKILL");
        process = await start();
      }
      for (const [api, ids] of Object.entries(sent)) {
        const id = await accepted(process, api, eventOf(`${api}-${at}`, `key-${at % 3}`));
        if (id !== undefined) ids.push(id);
      }
    }
    const order: string[] = [];
    let calls = 0;
    // Of every third call the first event fails for a reason that passes.
    onCall = async ({ body }, forward) => {
      const call = JSON.parse(body) as { Entries: { Id: string; MessageBody: string }[] };
      calls += 1;
      const failing = calls % 3 === 0 ? call.Entries.slice(0, 1) : [];
      const Entries = call.Entries.filter((entry) => !failing.includes(entry));
      order.push(...Entries.map(({ MessageBody }) => (JSON.parse(MessageBody) as EventEnvelope).id));
      const Failed = failing.map(({ Id }) => ({ Id, Code: "InternalError", SenderFault: false }));
      const headers = { "content-type": "application/x-amz-json-1.0" };
      if (Entries.length === 0)
        return { status: 200, headers, body: JSON.stringify({ Successful: [], Failed }) };
      const answer = await forward({ body: JSON.stringify({ ...call, Entries }) });
      if (answer === "cut") return answer;
      return { status: 200, headers, body: JSON.stringify({ ...JSON.parse(answer.body), Failed }) };
    };
    away = false;
    const all = await arrivals(queueUrl, Object.values(sent).flat());
    for (const [api, ids] of Object.entries(sent)) {
      assert.equal(ids.length, 40);
      for (const key of ["key-0", "key-1", "key-2"]) {
        const ofKey = ids.filter((_, at) => `key-${at % 3}` === key);
        const came = all.filter(({ api_id, event }) => api_id === api && event.Meta.Key === key);
        assert.deepEqual(
          came.map(({ id }) => id),
          ofKey,
        );
        assert.deepEqual(
          order.filter((id) => ofKey.includes(id)),
          ofKey,
        );
      }
    }
  });

  it("sends to a FIFO queue in the order of the spool", async () => {
    const { queueUrl, start } = await world({ fifo: true });
    away = true;
    const process = await start();
    const ids: string[] = [];
    for (let at = 0; at < 40; at += 1)
      ids.push((await accepted(process, "demo", eventOf(`e${at}`, `key-${at % 4}`))) ?? "");
    const order: string[] = [];
    onCall = ({ body }, forward) => {
      const { Entries } = JSON.parse(body) as { Entries: { MessageBody: string }[] };
      order.push(...Entries.map(({ MessageBody }) => (JSON.parse(MessageBody) as EventEnvelope).id));
      return forward();
    };
    away = false;
    await arrivals(queueUrl, ids);
    assert.deepEqual(order, ids);
  });

  it("takes each body that a gateway sent, and queues what ingest would", async () => {
    const { queueUrl, start } = await world();
    const process = await start();
    const release = { api: () => ({}), nearestApi: () => undefined } as never;
    const ingest = setUpIngest({ release: async () => release });
    const ids: string[] = [];
    for (const { api, body, form, type } of WEBHOOK_BODIES) {
      const answer = await process.post(`/events/${api}`, body, { "content-type": "application/json" });
      const { id, ...facts } = (await answer.json()) as { id: string };
      const { body: expected } = await ingest.post(api, body);
      const { id: _, ...rest } = expected as { id: string };
      assert.deepEqual([answer.status, facts], [202, rest], `${form} ${type}`);
      ids.push(id);
    }
    const all = new Map((await arrivals(queueUrl, ids)).map((each) => [each.id, each]));
    for (const [at, id] of ids.entries())
      assert.deepEqual({ ...all.get(id), id: "" }, { ...ingest.queued()[at], id: "" });
  });

  it("ends by SIGTERM with what it could send, and says what is left", async () => {
    const { start } = await world();
    away = true;
    const process = await start(["--drain-seconds", "0"]);
    for (const id of ["a", "b", "c"]) await accepted(process, "demo", eventOf(id, "k"));
    const { code, stdout } = await process.end("SIGTERM");
    assert.deepEqual(
      [code, stdout.trim().split("\n").at(-1)],
      [0, `0 events sent, 3 left in ${join(folder, "spool")}`],
    );
    away = false;
    const again = await start(["--json"]);
    const end = await again.end("SIGTERM");
    const { sent, spooled } = JSON.parse(end.stdout) as Record<string, unknown>;
    assert.deepEqual([end.code, sent, spooled], [0, 3, 0]);
  });

  it("has its spool and its address for itself", async () => {
    const { queueUrl, start } = await world();
    const { host } = new URL((await start()).url);
    for (const [spool, listen, message] of [
      ["spool", "127.0.0.1:0", /is the spool of another publisher that is running: end that one/],
      ["other", host, /cannot be listened on: it is in use: stop what listens there/],
    ] as const) {
      const args = ["publish", "--listen", listen, "--queue", queueUrl, "--spool", join(folder, spool)];
      const { code, stderr } = await runCli(args, { env });
      assert.equal(code, 1);
      assert.match(stderr.replaceAll(/\s+/g, " "), message);
    }
  });

  it("answers 503 while its disk takes no more, and loses nothing that it accepted", async () => {
    const { queueUrl, start } = await world();
    away = true;
    // No file may have more than 64 blocks: then a write ends in the middle, and the next one fails.
    const limited = (command: string[]) => ["sh", "-c", 'ulimit -f 64; exec "$@"', "sh", ...command];
    const process = await start([], limited);
    const taken: string[] = [];
    const refused: (string | null)[] = [];
    for (let at = 0; at < 60; at += 1) {
      const answer = await process.post("/events/demo", eventOf(`e${at}`, "k".repeat(3_000)));
      await answer.arrayBuffer();
      if (answer.status === 202) taken.push(`e${at}`);
      else refused.push(`${answer.status} ${answer.headers.get("retry-after")}`);
    }
    assert.ok(refused.length > 0 && taken.length > 40, `${refused.length} refused, ${taken.length} taken`);
    assert.deepEqual([...new Set(refused)], ["503 10"]);
    assert.ok(process.lines.some(({ message }) => message === "the spool can be written to again"));
    const health = (await (await fetch(`${process.url}/healthz`)).json()) as Record<string, unknown>;
    assert.deepEqual([health.accepted, health.rejected], [taken.length, { "spool-failed": refused.length }]);
    away = false;
    const came = (await arrivals(queueUrl, taken)).map(({ id }) => id);
    assert.deepEqual([...new Set(came)].sort(), [...taken].sort());
  });

  /** As systemd starts a program: with a socket, and whose it is. */
  const WITH_SOCKET = `LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"`;

  async function socketAt(host: string) {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    const { port } = server.address() as AddressInfo;
    const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
    return { server, port, fd };
  }

  it("listens at the socket that it is given, where events wait while it restarts", async () => {
    const { queueUrl } = await world();
    const { server, port, fd } = await socketAt("127.0.0.1");
    // Holds the socket, and starts the publisher again.
    const through = (command: string[]) => {
      const twice = `for time in 1 2; do sh -c '${WITH_SOCKET}' sh "$@"; done`;
      return ["sh", "-c", twice, "sh", ...command];
    };
    const args = ["--listen", "systemd"];
    const both = await startPublish({ queueUrl, spool: join(folder, "spool"), env, args, through, fd });
    running.push(both);
    server.close();
    const starts = () => both.lines.filter(({ message }) => message === "listening");
    try {
      assert.equal(both.url, `http://127.0.0.1:${port}`);
      process.kill(Number(starts()[0]?.pid), "SIGKILL");
      assert.equal(await accepted(both, "demo", eventOf("e1", "k")), "e1");
      assert.equal((await arrivals(queueUrl, ["e1"])).length, 1);
    } finally {
      for (const { pid } of starts().slice(1)) process.kill(Number(pid), "SIGTERM");
    }
    const { code } = await both.ended;
    assert.deepEqual([starts().length, code], [2, 0]);
  });

  it("refuses a socket that the network reaches", async () => {
    const queueUrl = await queues.create();
    const { server, fd } = await socketAt("0.0.0.0");
    const through = (command: string[]) => ["sh", "-c", WITH_SOCKET, "sh", ...command];
    const options = {
      queueUrl,
      spool: join(folder, "spool"),
      env,
      args: ["--listen", "systemd"],
      through,
      fd,
    };
    try {
      await assert.rejects(startPublish(options), /it ended: .*0\.0\.0\.0 may be reached by other machines/s);
    } finally {
      server.close();
    }
  });

  it("finds the queue in the environment", async () => {
    const { queueUrl } = await world();
    const options = { spool: join(folder, "spool"), env: { ...env, EVENTS_QUEUE_URL: queueUrl } };
    const process = await startPublish(options);
    running.push(process);
    const id = (await accepted(process, "demo", eventOf("e1", "k"))) ?? "";
    assert.equal((await arrivals(queueUrl, [id])).length, 1);
  });

  it("is told how it must be called, before anything is made", async () => {
    const queueUrl = await queues.create();
    const call = (...args: string[]) => runCli(["publish", ...args], { cwd: folder, env });
    for (const [args, message] of [
      [
        ["--listen", "0.0.0.0:0", "--queue", queueUrl],
        /no token: listen on 127\.0\.0\.1, or add --allow-network/,
      ],
      [["--listen", "192.168.0.1:1", "--queue", queueUrl], /reached by other machines/],
      [["--listen", "systemd", "--queue", queueUrl], /systemd passed no socket/],
      [["--listen", "here", "--queue", queueUrl], /must be an address and a port/],
      [["--listen", "127.0.0.1:65536", "--queue", queueUrl], /must be an address and a port/],
      [["--queue", queueUrl, "--local"], /leave one of them out/],
      [["--queue", "orders"], /must be the URL of a queue/],
      [["--queue", queueUrl, "--spool-mb", "1"], /whole number from 16/],
    ] as const) {
      const { code, stderr } = await call(...args);
      assert.equal(code, 2, stderr);
      assert.match(stderr.replaceAll(/\s+/g, " "), message);
    }
    assert.deepEqual(readdirSync(folder), []);
  });

  it("needs a region where the queue's URL does not name one", async () => {
    const { queueUrl } = await world();
    const args = ["publish", "--queue", queueUrl, "--listen", "127.0.0.1:0"];
    const none = {
      ...env,
      AWS_REGION: "",
      AWS_DEFAULT_REGION: "",
      AWS_CONFIG_FILE: "/dev/null",
      HOME: folder,
    };
    const { code, stderr } = await runCli(args, { cwd: folder, env: none });
    assert.equal(code, 1);
    assert.match(stderr, /the region of the queue is not known: set AWS_REGION/);
  });
});
