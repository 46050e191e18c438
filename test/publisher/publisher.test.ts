// The publisher in process: what it answers, and what becomes of an event that the queue does not take.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { regionIn } from "../../cli/open-publisher.ts";
import type { AppError } from "../../lib/errors.ts";
import type { Message } from "../../lib/events/message.ts";
import { createRedact } from "../../lib/events/redact.ts";
import type { Rejection } from "../../lib/events/send.ts";
import { appErrorReply } from "../../lib/http-reply.ts";
import {
  openPublisher,
  type Publisher,
  type PublisherDeps,
  type Status,
} from "../../lib/publisher/publisher.ts";
import { BODY_BYTES, type PublisherServer, startServer } from "../../lib/publisher/server.ts";
import { openPublisher as openLibrary } from "../../public/publisher.ts";
import { setUpIngest } from "../helpers/ingest.ts";
import { NO_LOG } from "../helpers/no-log.ts";
import { startTestQueues } from "../helpers/queues.ts";

const eventOf = (id: string, Meta: Record<string, unknown> = { Key: "k" }) =>
  JSON.stringify({ id, event: { Type: "KeyExpired", Meta, TimeStamp: "" } });
let folder: string;
const ends: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gatehook-publisher-"));
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  rmSync(folder, { recursive: true });
});

/** A queue in memory that answers as it is told. */
function queueWith(answer: (messages: Message[], call: number) => Map<Message, Rejection>) {
  const got: string[] = [];
  const calls: string[][] = [];
  return {
    got,
    calls,
    async call(messages: Message[]) {
      calls.push(messages.map(({ envelope }) => envelope.id));
      const refusals = answer(messages, calls.length);
      got.push(...messages.filter((each) => !refusals.has(each)).map(({ envelope }) => envelope.id));
      return refusals;
    },
  };
}
const aborted = (signal: AbortSignal | undefined) =>
  new Promise<void>((resolve) => {
    if (signal?.aborted) resolve();
    else signal?.addEventListener("abort", () => resolve());
  });
const NONE = new Map<Message, Rejection>();

async function opened(deps: Partial<PublisherDeps> & Pick<PublisherDeps, "call">): Promise<Publisher> {
  let ids = 0;
  const publisher = await openPublisher({
    folder: join(folder, "spool"),
    maxBytes: 1_000_000,
    queueUrl: "https://sqs.eu-west-1.amazonaws.com/1/q",
    newId() {
      ids += 1;
      return `new-${ids}`;
    },
    redact: createRedact([]),
    oversize: "trim",
    now: () => 0,
    random: () => 1,
    // A wait is a turn of the event loop; the time for the end never runs out.
    delay: (ms, signal) => (ms < 60_000 ? new Promise((resolve) => setImmediate(resolve)) : aborted(signal)),
    log: NO_LOG,
    ...deps,
  });
  return publisher;
}

const take = (publisher: Publisher, body: string) =>
  publisher.take({ method: "POST", path: "/events/demo", apiId: "demo", headers: {} }, async () => body);
const close = (publisher: Publisher) => publisher.close(60_000);
const refusedLines = () =>
  readFileSync(join(folder, "spool", "refused.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("an event in the spool", () => {
  it("that the queue refuses for its own sake is kept with the reason, and the others go", async () => {
    const queue = queueWith((messages) => {
      const bad = messages.filter(({ envelope }) => envelope.id.startsWith("bad"));
      return new Map(bad.map((each) => [each, { error: "InvalidMessageContents: no", own: true }]));
    });
    const publisher = await opened(queue);
    for (const id of ["a", "bad-1", "b", "bad-2", "c"]) await take(publisher, eventOf(id));
    const { sent, refused, spooled, accepted } = await close(publisher);
    assert.deepEqual({ sent, refused, spooled, accepted }, { sent: 3, refused: 2, spooled: 0, accepted: 5 });
    assert.deepEqual(queue.got, ["a", "b", "c"]);
    const kept = refusedLines().map(({ id, reason, body }) => [id, reason, JSON.parse(body).event.Type]);
    const reason = "InvalidMessageContents: no";
    assert.deepEqual(kept, [
      ["bad-1", reason, "KeyExpired"],
      ["bad-2", reason, "KeyExpired"],
    ]);
  });

  it("waits when the queue itself is at fault, whoever SQS says is", async () => {
    for (const error of ["KmsAccessDenied: key", "AccessDenied: no", "RequestThrottled: slow down"]) {
      const queue = queueWith((messages, call) =>
        call <= 3 ? new Map(messages.map((each) => [each, { error, own: true }])) : NONE,
      );
      const publisher = await opened(queue);
      await take(publisher, eventOf("a"));
      const { sent, refused } = await close(publisher);
      assert.deepEqual([sent, refused, queue.calls.length], [1, 0, 4]);
    }
  });

  it("that makes a whole call invalid is found out, and the others go", async () => {
    const fault = (name: string) => Object.assign(new Error("of the call"), { name });
    for (const name of ["InvalidMessageContents", "BatchRequestTooLong", "InvalidParameterValue"]) {
      rmSync(join(folder, "spool"), { recursive: true, force: true });
      // The first call fails, so that all are in the next.
      const queue = queueWith((messages, call) => {
        if (call === 1) throw new Error("away");
        if (messages.some(({ envelope }) => envelope.id === "bad")) throw fault(name);
        return NONE;
      });
      const publisher = await opened(queue);
      await take(publisher, `[${["a", "bad", "b"].map((id) => eventOf(id)).join()}]`);
      const { sent, refused } = await close(publisher);
      assert.deepEqual([sent, refused, queue.got], [2, 1, ["a", "b"]]);
      assert.equal(refusedLines()[0]?.reason, "of the call");
    }
  });

  it("is tried again after ever longer waits, of which no two publishers have the same", async () => {
    const waits: number[] = [];
    const away = (_: Message[], call: number) => {
      if (call < 10) throw new Error(`away ${Math.floor(call / 5)}`);
      return NONE;
    };
    const warned: unknown[] = [];
    const publisher = await opened({
      ...queueWith(away),
      random: () => (waits.length % 2 === 0 ? 1 : 0),
      delay: (ms, signal) => {
        if (ms !== 60_000) waits.push(ms);
        return ms === 60_000 ? aborted(signal) : Promise.resolve();
      },
      log: { ...NO_LOG, warn: (_, fields) => warned.push(fields.error) },
    });
    await take(publisher, eventOf("a"));
    const { queue_error } = await close(publisher);
    assert.deepEqual(waits, [200, 200, 800, 800, 3_200, 3_200, 10_000, 5_000, 10_000]);
    assert.deepEqual(warned, ["away 0", "away 1"], "an error is told once");
    assert.equal(queue_error, null);
  });

  it("is sent with others, in calls of ten and one mebibyte", async () => {
    const sizes: number[] = [];
    const queue = queueWith((messages, call) => {
      if (call === 1) throw new Error("away");
      assert.ok(messages.reduce((sum, { body }) => sum + Buffer.byteLength(body), 0) <= 1024 * 1024);
      sizes.push(messages.length);
      return NONE;
    });
    const publisher = await opened({ ...queue, maxBytes: 20_000_000 });
    const large = { Key: "k", Path: "x".repeat(200_000) };
    await Promise.all(Array.from({ length: 25 }, (_, at) => take(publisher, eventOf(`e${at}`))));
    await Promise.all(Array.from({ length: 10 }, (_, at) => take(publisher, eventOf(`l${at}`, large))));
    const { sent } = await close(publisher);
    assert.equal(sent, 35);
    assert.ok(Math.max(...sizes) === 10, String(sizes));
    assert.equal(new Set(queue.got).size, 35);
  });

  it("stays there when the time to send it is over, though a call is under way", async () => {
    const publisher = await opened({
      async call(_, cut) {
        await aborted(cut);
        throw new Error("cut");
      },
      delay: async () => {},
    });
    await take(publisher, eventOf("a"));
    const { spooled, sent } = await publisher.close(0);
    assert.deepEqual([spooled, sent], [1, 0]);
    const queue = queueWith(() => NONE);
    const { sent: later } = await close(await opened(queue));
    assert.deepEqual([later, queue.got], [1, ["a"]]);
  });
});

describe("the publisher's address", () => {
  let server: PublisherServer;
  let publisher: Publisher;

  async function serve(deps: Partial<PublisherDeps> = {}, anyHost = false): Promise<void> {
    publisher = await opened({ ...queueWith(() => NONE), ...deps });
    ends.push(() => publisher.close(0));
    server = await startServer({ publisher, at: { host: "127.0.0.1", port: 0 }, anyHost, log: NO_LOG });
    ends.push(() => server.close(AbortSignal.abort()));
  }

  const away = () => Promise.reject(new Error("away"));
  const post = (path: string, body: string, headers: Record<string, string> = {}, method = "POST") =>
    fetch(server.url + path, { method, headers, ...(method !== "GET" && { body }) });
  const health = async () => {
    const answer = await fetch(`${server.url}/healthz`);
    return { code: answer.status, ...((await answer.json()) as Status) };
  };

  it("answers what ingest does", async () => {
    await serve();
    const ingest = setUpIngest();
    for (const [path, body, headers, method] of [
      ["/events/demo", eventOf("a"), {}, "PUT"],
      ["/events/demo", `[${eventOf("a")},${eventOf("b")}]`, {}, "POST"],
      ["/events/demo", '{"Type":"T","Meta":{"Key":"Basic YTpi"}}', { "idempotency-key": '"i 1"' }, "PATCH"],
      ["/events/demo", '{"Key":"k"}', CLOUD_EVENT, "POST"],
      ["/events/demo", "Type=AuthFailure&Key=k", {}, "POST"],
      ["/events/demo", "no event", {}, "POST"],
      ["/events/demo", "", {}, "POST"],
      ["/events/demo", '{"event":{"Meta":{}}}', {}, "POST"],
      ["/events/demo", `[${eventOf("a")},{"event":5}]`, {}, "POST"],
      ["/events/demo", '{"id":"","Type":"T"}', { "idempotency-key": "a\tb" }, "POST"],
      ["/events/demo", '{"api_id":"other","event":{"Type":"T"}}', {}, "POST"],
      ["/events/demo", eventOf("large", { Path: "x".repeat(1_100_000) }), {}, "POST"],
      ["/events/demo", "", {}, "GET"],
      ["/events/demo", eventOf("a"), {}, "DELETE"],
      ["/events/demo/", eventOf("a"), {}, "POST"],
      ["/events", eventOf("a"), {}, "POST"],
      ["/other", eventOf("a"), {}, "POST"],
    ] as [string, string, Record<string, string>, string][]) {
      const apiId = path === "/events/demo" ? "demo" : undefined;
      const type = { "content-type": "text/plain;charset=UTF-8" };
      const expected = await ingest
        .post("demo", body, { path, method, apiId, headers: { ...type, ...headers } })
        .catch((thrown: AppError) => {
          const { status, body: text, headers: answered } = appErrorReply(thrown);
          return { status, body: JSON.parse(text), allow: answered.allow };
        });
      const answer = await post(path, body, headers, method);
      const { allow, ...rest } = { allow: undefined, ...expected };
      const got = { status: answer.status, body: await answer.json() };
      assert.deepEqual(unnamed(got), unnamed(rest), `${method} ${path} ${body.slice(0, 50)}`);
      assert.equal(answer.headers.get("allow") ?? undefined, allow);
    }
    const { rejected } = await health();
    const some = { "event-invalid": 6, "event-too-large": 1, "method-invalid": 2, "path-unknown": 3 };
    assert.deepEqual(rejected, some);
  });

  const CLOUD_EVENT = { "ce-specversion": "1.0", "ce-id": "c1", "ce-source": "/g", "ce-type": "KeyExpired" };
  /** Without the ids that were made. */
  const unnamed = (value: unknown) => JSON.parse(JSON.stringify(value).replaceAll(/"new-\d+"/g, '"new"'));

  it("keeps out what a web page sends", async () => {
    await serve();
    const { port } = new URL(server.url);
    for (const [headers, code] of [
      [{ host: "evil.example" }, 403],
      [{ origin: "https://evil.example" }, 403],
      [{ origin: "null" }, 403],
      [{ "sec-fetch-site": "cross-site" }, 403],
      [{ host: `localhost:${port}`, origin: "http://localhost:3000", "sec-fetch-site": "same-site" }, 403],
      [{ host: `localhost:${port}`, origin: "http://localhost:3000" }, 202],
    ] as const) {
      const asked = request({ port, path: "/events/demo", method: "POST", headers });
      asked.end(eventOf("a"));
      const [answer] = await once(asked, "response");
      answer.resume();
      assert.equal(answer.statusCode, code, JSON.stringify(headers));
    }
  });

  it("has any name where the network may reach it, and still no web page", async () => {
    await serve({}, true);
    const { port } = new URL(server.url);
    for (const [headers, code] of [
      [{ host: "publisher:9180" }, 202],
      [{ host: "publisher:9180", origin: "https://evil.example" }, 403],
      [{ host: "publisher:9180", "sec-fetch-site": "cross-site" }, 403],
    ] as const) {
      const asked = request({ port, path: "/events/demo", method: "POST", headers });
      asked.end(eventOf("a"));
      const [answer] = await once(asked, "response");
      answer.resume();
      assert.equal(answer.statusCode, code);
    }
  });

  it("takes bodies up to a limit, said or not", async () => {
    await serve({ maxBytes: 50_000_000 });
    const OriginatingRequest = Buffer.alloc(9_000_000, "GET / HTTP/1.1\r\n").toString("latin1");
    const whole = await post("/events/demo", eventOf("a", { OriginatingRequest }));
    assert.deepEqual(
      [whole.status, ((await whole.json()) as { partial: unknown }).partial],
      [202, ["Meta.OriginatingRequest"]],
    );
    assert.equal((await health()).trimmed, 1);
    const more = Buffer.alloc(BODY_BYTES + 1, "x");
    const chunks = new ReadableStream({
      start(controller) {
        controller.enqueue(more);
        controller.close();
      },
    });
    for (const body of [more, chunks]) {
      const answer = await fetch(`${server.url}/events/demo`, {
        method: "POST",
        body,
        duplex: "half",
      } as RequestInit);
      assert.equal(answer.status, 413);
      assert.match(await answer.text(), /more than 10485760 bytes/);
    }
    assert.equal((await post("/events/demo", eventOf("b"))).status, 202);
  });

  it("takes nothing of a body that breaks off, and goes on", async () => {
    await serve();
    const { port } = new URL(server.url);
    const headers = { "content-length": 1_000 };
    const broken = request({ port, path: "/events/demo", method: "POST", headers, agent: false });
    const { promise, resolve } = Promise.withResolvers<unknown>();
    broken.on("error", resolve).on("close", () => resolve("closed"));
    broken.write(eventOf("a"), () => broken.destroy());
    await promise;
    let status: Status;
    do status = await health();
    while (Object.keys(status.rejected).length === 0);
    assert.deepEqual([status.rejected, status.accepted], [{ "event-invalid": 1 }, 0]);
    assert.equal((await post("/events/demo", eventOf("b"))).status, 202);
  });

  it("answers a path that cannot be read", async () => {
    await serve();
    const asked = request({ port: new URL(server.url).port, path: "//", method: "POST" });
    asked.end(eventOf("a"));
    const [answer] = await once(asked, "response");
    answer.resume();
    assert.equal(answer.statusCode, 404);
    assert.equal((await post("/events/%ff", eventOf("a"))).status, 400);
  });

  it("reads no more at the same time than it has room for", async () => {
    await serve();
    const { port } = new URL(server.url);
    const slow = Array.from({ length: 8 }, () => {
      const headers = { "content-length": BODY_BYTES };
      const asked = request({ port, path: "/events/demo", method: "POST", headers, agent: false });
      asked.on("error", () => {});
      asked.write(Buffer.alloc(BODY_BYTES - 1, "x"));
      return asked;
    });
    const body = eventOf("a", { Path: "x".repeat(100_000) });
    let answer: Response;
    do {
      answer = await post("/events/demo", body);
      await answer.arrayBuffer();
    } while (answer.status === 202);
    assert.deepEqual([answer.status, answer.headers.get("retry-after")], [503, "10"]);
    for (const asked of slow) asked.destroy();
    while ((await (await post("/events/demo", body)).status) !== 202);
  });

  it("says 503 with Retry-After while the spool is full, and takes events as soon as it is not", async () => {
    let isAway = true;
    const queue = queueWith(() => {
      if (isAway) throw new Error("away");
      return NONE;
    });
    await serve({ ...queue, maxBytes: 20_000 });
    const body = (at: number) => eventOf(`e${at}`, { Path: "x".repeat(900) });
    let at = 0;
    let answer = await post("/events/demo", body(at));
    while (answer.status === 202) {
      await answer.arrayBuffer();
      at += 1;
      answer = await post("/events/demo", body(at));
    }
    const { error } = (await answer.json()) as { error: { code: string; message: string } };
    assert.deepEqual(
      [answer.status, answer.headers.get("retry-after"), error.code],
      [503, "10", "spool-full"],
    );
    assert.match(error.message, new RegExp(`${at} events wait for the queue`));
    const { code, status, accepted, spooled, rejected, queue_error } = await health();
    assert.deepEqual(
      { code, status, accepted, spooled, rejected, queue_error },
      {
        code: 503,
        status: "full",
        accepted: at,
        spooled: at,
        rejected: { "spool-full": 1 },
        queue_error: "away",
      },
    );
    isAway = false;
    while ((await health()).spooled !== 0);
    assert.equal((await post("/events/demo", body(at))).status, 202);
    assert.equal((await health()).code, 200);
  });

  it("tells how old the oldest event is", async () => {
    let now = 0;
    await serve({ call: away, now: () => now });
    assert.equal((await health()).oldest_seconds, null);
    await post("/events/demo", eventOf("a"));
    now = 90_000;
    await post("/events/demo", eventOf("b"));
    const { code, oldest_seconds, bytes, spooled } = await health();
    assert.deepEqual([code, oldest_seconds, spooled], [200, 90, 2]);
    assert.ok(Number(bytes) > 200);
  });
});

describe("gatehook/publisher", () => {
  it("is the publisher in a gateway's own process", async () => {
    const queues = await startTestQueues();
    ends.push(() => queues.close());
    const queueUrl = await queues.create();
    const client = {
      region: "us-east-1",
      endpoint: new URL(queueUrl).origin,
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
    };
    const lines: { message: string }[] = [];
    const options = {
      queueUrl,
      spool: join(folder, "own"),
      client,
      log: (line: { message: string }) => void lines.push(line),
    };
    const publisher = await openLibrary(options);
    const OriginatingRequest = "GET / HTTP/1.1\r\nX-Api-Key: secret\r\n\r\n";
    const event = { Type: "KeyExpired", Meta: { Key: "k", OriginatingRequest } };
    const id = 'an "id" \\ of its own';
    assert.deepEqual(await publisher.publish("demo", event, { id }), {
      id,
      api_id: "demo",
      type: "KeyExpired",
      form: "plain",
    });
    const made = await publisher.publish("demo", `<script>${JSON.stringify(event)}</script>`);
    await assert.rejects(publisher.publish("demo", { Meta: {} }), { code: "event-invalid" });
    await assert.rejects(openLibrary(options), { code: "spool-locked" });
    const { sent, spooled, rejected } = await publisher.close();
    assert.deepEqual([sent, spooled, rejected], [2, 0, { "event-invalid": 1 }]);
    const bodies = (await queues.drain(queueUrl)).map(({ Body = "" }) => JSON.parse(Body));
    assert.deepEqual(bodies.map((each) => each.id).sort(), [id, made.id].sort());
    for (const each of bodies) assert.match(each.event.Meta.OriginatingRequest, /X-Api-Key: \[redacted\]/);
    assert.deepEqual(
      lines.map(({ message }) => message),
      ["event refused"],
    );
    await assert.rejects(publisher.publish("demo", event), { code: "spool-failed" });
    assert.equal((await publisher.close()).sent, 2, "it ends once");
  });

  it("knows the region of a queue of AWS by its URL", () => {
    for (const [url, region] of [
      ["https://sqs.eu-west-1.amazonaws.com/123456789012/q", "eu-west-1"],
      ["https://sqs-fips.us-gov-west-1.amazonaws.com/1/q", "us-gov-west-1"],
      ["https://sqs.cn-north-1.amazonaws.com.cn/1/q", "cn-north-1"],
      ["https://vpce-1a.sqs.eu-central-1.vpce.amazonaws.com/1/q.fifo", "eu-central-1"],
      ["http://127.0.0.1:4566/000000000000/q", undefined],
      ["https://evil.example/sqs.eu-west-1.amazonaws.com", undefined],
    ] as const)
      assert.equal(regionIn(url), region);
  });
});
