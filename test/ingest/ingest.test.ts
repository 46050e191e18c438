import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { AppError } from "../../lib/errors.ts";
import { MESSAGE_BYTES } from "../../lib/events/event.ts";
import { createTokenCheck } from "../../lib/ingest/token.ts";
import { createLiveReleaseCache } from "../../lib/releases/live-release-cache.ts";
import { releaseOf, setUpIngest } from "../helpers/ingest.ts";

const EVENT = { Type: "KeyExpired", Meta: { Key: "k1" }, TimeStamp: "t" };

describe("an event that is posted", () => {
  it("is on the queue, complete, once it is accepted", async () => {
    const { post, queued } = setUpIngest();
    const answer = await post("demo", JSON.stringify({ id: "e1", org_id: "o1", event: EVENT }));
    assert.deepEqual(answer, {
      status: 202,
      body: { id: "e1", api_id: "demo", type: "KeyExpired", form: "plain" },
    });
    assert.deepEqual(queued(), [{ id: "e1", api_id: "demo", org_id: "o1", event: EVENT }]);
  });

  it("may be the bare event of a webhook, and gets an id", async () => {
    const { post, queued } = setUpIngest();
    for (const body of [EVENT, { event: EVENT }]) await post("demo", JSON.stringify(body));
    assert.deepEqual(queued(), [
      { id: "new-1", api_id: "demo", event: EVENT },
      { id: "new-2", api_id: "demo", event: EVENT },
    ]);
  });

  it("may be what the gateway makes of the template for a whole event", async () => {
    const { post, queued } = setUpIngest();
    const rendered = JSON.stringify(EVENT).replaceAll("<", "\\u003c").replaceAll("/", "\\/");
    for (const body of [`<script>${rendered}</script>`, `\n <script>${rendered}</script>\r\n`])
      assert.equal((await post("demo", body)).status, 202);
    for (const { event } of queued()) assert.deepEqual(event, EVENT);
    for (const body of ["<script></script>", "<script>", "</script>", `<script>${rendered}`])
      await assert.rejects(post("demo", body), { code: "event-invalid", field: "body" });
  });

  it("is told with what its form leaves out", async () => {
    const { post, queued } = setUpIngest();
    const { body } = await post(
      "demo",
      '{"event":"QuotaExceeded","message":"m","path":"/","origin":"o","key":"k"}',
    );
    const partial = ["TimeStamp", "Meta.OriginatingRequest"];
    assert.deepEqual(body, { id: "new-1", api_id: "demo", type: "QuotaExceeded", form: "default", partial });
    assert.deepEqual(queued()[0]?.event.Partial, partial);
  });

  it("has no credentials of the gateway's client on the queue", async () => {
    const { post, queue, lines } = setUpIngest();
    const OriginatingRequest = Buffer.from(
      "GET / HTTP/1.1\r\nAuthorization: secret-key-text\r\n\r\n",
    ).toString("base64");
    const Key = `Basic ${Buffer.from("ann:secret-key-text").toString("base64")}`;
    await post("demo", JSON.stringify({ ...EVENT, Meta: { Key, OriginatingRequest } }));
    const [body = ""] = queue;
    const { Meta } = (JSON.parse(body) as { event: { Meta: Record<string, string> } }).event;
    const texts = [
      body,
      ...Object.values(Meta).map((text) => Buffer.from(text.replace("Basic ", ""), "base64").toString()),
    ];
    assert.equal(texts.length, 3);
    assert.ok(!texts.some((text) => text.includes("secret-key-text")), String(texts));
    assert.ok(!JSON.stringify(lines).includes("secret-key-text"));
  });

  it("is not accepted when the queue did not take it", async () => {
    const { post, tally } = setUpIngest({
      send: async (messages) => new Map(messages.map((message) => [message, "queue away"])),
    });
    await assert.rejects(post("demo", JSON.stringify(EVENT)), {
      code: "queue-failed",
      message: "queue away",
    });
    await assert.rejects(
      setUpIngest({ send: () => Promise.reject(new Error("away")) }).post("demo", JSON.stringify(EVENT)),
      /away/,
    );
    assert.equal(tally.EventsAccepted, undefined);
  });

  const REFUSED: [what: string, apiId: string, body: string, code: string, field: string][] = [
    ["is not JSON", "demo", "Key expired!", "event-invalid", "body"],
    ["is empty", "demo", "", "event-invalid", "body"],
    ["has no type", "demo", '{"event":{"Meta":{}}}', "event-invalid", "event.Type"],
    [
      "names another API than the path",
      "demo",
      '{"api_id":"other","event":{"Type":"t"}}',
      "event-invalid",
      "api_id",
    ],
    ["is for an API that no release names", "nobody", '{"Type":"t"}', "api-unknown", "api_id"],
    [
      "is for an API that is named like a member of every object",
      "toString",
      '{"Type":"t"}',
      "api-unknown",
      "api_id",
    ],
    [
      "is too large for the queue",
      "demo",
      JSON.stringify({ ...EVENT, Meta: { Path: "x".repeat(MESSAGE_BYTES) } }),
      "event-too-large",
      "body",
    ],
  ];
  for (const [what, apiId, body, code, field] of REFUSED) {
    it(`is refused with the field at fault when it ${what}, and nothing is queued`, async () => {
      const { post, queue, lines } = setUpIngest();
      await assert.rejects(post(apiId, body), { name: "AppError", code, field });
      assert.deepEqual(queue, []);
      const told = lines.map(({ level, message, fields }) => [level, message, fields.code, fields.api_id]);
      assert.deepEqual(told, [["warn", "event refused", code, apiId]]);
    });
  }

  it("is refused with the template to use, and with the API that is meant", async () => {
    const { post } = setUpIngest();
    await assert.rejects(
      post("demo", "Key expired!"),
      /^AppError: body is not JSON.*<script>\{\{\.\}\}<\/script>/,
    );
    await assert.rejects(post("Demo", JSON.stringify(EVENT)), /did you mean "demo"\?$/);
    await assert.rejects(post("orders", JSON.stringify(EVENT)), /no definition of the live release$/);
    await assert.rejects(post("gateway", JSON.stringify(EVENT)), /gateway\.json/);
  });

  it("is measured in bytes, as the queue does, with its id and API", async () => {
    const { post, queue } = setUpIngest();
    const of = (length: number) =>
      JSON.stringify({ id: "e1", event: { ...EVENT, Meta: { a: "é".repeat(length) } } });
    await post("demo", of(0));
    const room = Math.floor((MESSAGE_BYTES - Buffer.byteLength(queue[0] ?? "")) / 2);
    await post("demo", of(room));
    assert.ok(Buffer.byteLength(queue[1] ?? "") > MESSAGE_BYTES - 2);
    await assert.rejects(post("demo", of(room + 1)), { code: "event-too-large" });
  });

  it("loses its originating request when it is too large with it, unless that is not wanted", async () => {
    const body = JSON.stringify({
      ...EVENT,
      Meta: { Key: "k1", OriginatingRequest: "x".repeat(MESSAGE_BYTES) },
    });
    const { post, queued, lines, tally } = setUpIngest();
    const answer = await post("demo", body);
    assert.deepEqual(
      [answer.status, (answer.body as { partial: unknown }).partial],
      [202, ["Meta.OriginatingRequest"]],
    );
    assert.deepEqual(queued()[0]?.event.Meta, { Key: "k1", OriginatingRequest: "" });
    assert.equal(tally.EventsTrimmed, 1);
    assert.ok(lines.some(({ level, message }) => level === "warn" && message.startsWith("event trimmed")));
    await assert.rejects(setUpIngest({ oversize: "refuse" }).post("demo", body), { code: "event-too-large" });
  });

  it("has only characters on the queue that the queue takes", async () => {
    const { post, queue } = setUpIngest();
    // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html, and older queues.
    const allowed = /^[\t\n\r\x20-\ud7ff\ue000-\ufffd]*$/;
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("\ufffe", "a\uffffb", "\0", "\u0007", "\ud800", "\u{1f600}"),
    );
    await fc.assert(
      fc.asyncProperty(text, text, async (path, name) => {
        const event = { ...EVENT, Meta: { Path: path, [`m${name}`]: name } };
        await post("demo", JSON.stringify({ event }));
        const body = queue.at(-1) ?? "";
        assert.match(body, allowed);
        assert.deepEqual((JSON.parse(body) as { event: unknown }).event, event);
      }),
    );
  });

  it("is either queued or refused with a code, whatever its body is", async () => {
    const { post, queue } = setUpIngest();
    const json = fc.dictionary(fc.constantFrom("id", "api_id", "event", "Type", "Meta"), fc.jsonValue());
    const body = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      json.map((value) => JSON.stringify(value)),
      fc.array(json).map((value) => JSON.stringify(value)),
    );
    await fc.assert(
      fc.asyncProperty(body, async (given) => {
        const before = queue.length;
        try {
          assert.equal((await post("demo", given)).status, 202);
          assert.ok(queue.length > before);
        } catch (error) {
          assert.ok(error instanceof AppError, String(error));
          assert.equal(queue.length, before);
        }
      }),
    );
  });
});

describe("several events that are posted as one", () => {
  const item = (id: string, Type = "KeyExpired") => ({ id, event: { ...EVENT, Type } });

  it("are all on the queue once they are accepted, in their order", async () => {
    const { post, queued, tally } = setUpIngest();
    const answer = await post("demo", JSON.stringify([item("a"), EVENT, item("c", "HostUp")]));
    const facts = { api_id: "demo", form: "plain" };
    assert.deepEqual(answer, {
      status: 202,
      body: {
        events: [
          { ...facts, id: "a", type: "KeyExpired" },
          { ...facts, id: "new-2", type: "KeyExpired" },
          { ...facts, id: "c", type: "HostUp" },
        ],
      },
    });
    assert.deepEqual(
      queued().map(({ id }) => id),
      ["a", "new-2", "c"],
    );
    assert.equal(tally.EventsAccepted, 3);
  });

  it("are refused as a whole for one of them, with its place", async () => {
    for (const [wrong, field, message] of [
      [{ event: {} }, "[1].event.Type", /^\[1\]\.event\.Type is missing/],
      [{ api_id: "other", event: EVENT }, "[1].api_id", /^\[1\]\.api_id is "other"/],
      [{ id: 7, event: EVENT }, "[1].id", /^\[1\]\.id must/],
      [
        { event: { ...EVENT, Meta: { Path: "x".repeat(MESSAGE_BYTES) } } },
        "[1].body",
        /^\[1\]: the event has/,
      ],
    ] as const) {
      const { post, queue } = setUpIngest();
      await assert.rejects(post("demo", JSON.stringify([item("a"), wrong])), { field, message });
      assert.deepEqual(queue, []);
    }
  });

  it("are told one by one when the queue did not take them all, so that those can be sent again", async () => {
    const { post, tally, lines } = setUpIngest({
      send: async ([, second]) => new Map(second ? [[second, "InternalError: no"]] : []),
    });
    const { status, body } = await post("demo", JSON.stringify([item("a"), item("b"), EVENT]));
    const { error, events } = body as {
      error: { code: string; message: string };
      events: Record<string, unknown>[];
    };
    assert.equal(status, 502);
    assert.equal(error.code, "queue-failed");
    assert.match(error.message, /1 of 3 events: send those again, each with its id/);
    assert.deepEqual(
      events.map(({ id, queued }) => [id, queued]),
      [
        ["a", true],
        ["b", false],
        ["new-3", true],
      ],
    );
    assert.deepEqual([tally.EventsAccepted, tally["EventsRefused queue-failed"]], [2, 1]);
    assert.ok(lines.some(({ level, fields }) => level === "error" && fields.error === "InternalError: no"));
  });
});

describe("the token", () => {
  it("is asked for before anything of the body is read or logged", async () => {
    const { post, queue, asked, lines } = setUpIngest({
      checkToken: createTokenCheck(["a-token-of-16-characters"]),
    });
    for (const authorization of [undefined, "Bearer secret-key-text", "secret-key-text"])
      await assert.rejects(post("demo", "no event", { headers: { authorization } }), {
        code: "token-invalid",
      });
    // Nor is anything said of paths and methods without it.
    const elsewhere = { path: "/events", apiId: undefined, method: "GET" };
    await assert.rejects(post("", "", elsewhere), { code: "token-invalid" });
    assert.deepEqual([queue, asked, lines], [[], [], []]);
    const headers = { authorization: "Bearer a-token-of-16-characters" };
    await assert.rejects(post("", "", { ...elsewhere, headers }), { code: "path-unknown" });
    assert.equal((await post("demo", JSON.stringify(EVENT), { headers })).status, 202);
  });
});

describe("the live release", () => {
  it("is asked of memory, and of the store only for an API that memory does not know", async () => {
    const { post, asked } = setUpIngest();
    await post("demo", JSON.stringify(EVENT));
    assert.deepEqual(asked, [false]);
    await assert.rejects(post("nobody", JSON.stringify(EVENT)), { code: "api-unknown" });
    assert.deepEqual(asked, [false, false, true]);
  });

  it("is not asked for the gateway's own events where a gateway owns the sessions", async () => {
    const { post, asked } = setUpIngest({ hasGateway: true });
    assert.equal((await post("gateway", JSON.stringify(EVENT))).status, 202);
    assert.deepEqual(asked, []);
  });

  it("knows an API from the moment it is live", async () => {
    const versions = new Map([
      ["v1", releaseOf("demo")],
      ["v2", releaseOf("demo", "new")],
    ]);
    let live: string | undefined;
    const reads: string[] = [];
    const { post } = setUpIngest({
      release: createLiveReleaseCache({
        liveVersion: async () => live,
        async read(version) {
          reads.push(version);
          return versions.get(version) ?? releaseOf();
        },
      }),
    });
    const send = (apiId: string) => post(apiId, JSON.stringify(EVENT));
    await assert.rejects(send("demo"), { code: "api-unknown" });
    live = "v1";
    await send("demo");
    await assert.rejects(send("new"), { code: "api-unknown" });
    live = "v2";
    await send("demo");
    await send("new");
    await send("demo");
    assert.deepEqual(reads, ["v1", "v2"], "each version is read once");
  });
});
