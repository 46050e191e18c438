import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setUpIngest } from "../helpers/ingest.ts";

const EVENT = { Type: "KeyExpired", Meta: { Key: "k1" }, TimeStamp: "t" };
const BODY = JSON.stringify(EVENT);

describe("a request that brings an event", () => {
  it("may be a POST, a PUT or a PATCH", async () => {
    for (const method of ["POST", "PUT", "PATCH"])
      assert.equal((await setUpIngest().post("demo", BODY, { method })).status, 202);
  });

  it("is told what to do when it has another method", async () => {
    for (const method of ["GET", "DELETE", "HEAD", "OPTIONS"])
      await assert.rejects(setUpIngest().post("demo", BODY, { method }), {
        code: "method-invalid",
        status: 405,
        message: /POST, PUT or PATCH.*"method" must be "POST"/,
      });
  });

  it("is told the path when it has another one", async () => {
    for (const [path, message] of [
      ["/events/demo/", /send the event to \/events\/demo, without a slash at the end$/],
      ["/events/demo//", /\/events\/demo,/],
      ["/events", /must name the API/],
      ["/events/", /must name the API/],
      ["/events/demo/more", /events go to POST \/events\/\{api_id\}$/],
      ["/", /events go to POST/],
      ["/event/demo", /events go to POST/],
    ] as const) {
      const { post, queue } = setUpIngest();
      await assert.rejects(post("", BODY, { path, apiId: undefined }), {
        code: "path-unknown",
        status: 404,
        message,
      });
      assert.deepEqual(queue, []);
    }
  });
});

describe("the id of an event", () => {
  const idOf = async (headers: Record<string, string>, body: unknown = { id: "body-1", event: EVENT }) => {
    const { post } = setUpIngest();
    return ((await post("demo", JSON.stringify(body), { headers })).body as { id: string }).id;
  };

  it("is that of a header before that of the body, and else made here", async () => {
    const all = { "idempotency-key": "key-1", "webhook-id": "hook-1", "ce-id": "ce-1" };
    assert.equal(await idOf(all), "key-1");
    assert.equal(await idOf({ "webhook-id": "hook-1", "ce-id": "ce-1" }), "hook-1");
    assert.equal(await idOf({ "ce-id": "ce%2D1" }), "ce-1");
    assert.equal(await idOf({}), "body-1");
    assert.equal(await idOf({}, EVENT), "new-1");
    assert.equal(await idOf({ "idempotency-key": '"8e03978e"' }), "8e03978e");
    assert.equal(await idOf({ "idempotency-key": String.raw`"a\"b\\c"` }), String.raw`a"b\c`);
  });

  it("is refused, by its header's name, when no table could have it", async () => {
    for (const [name, field] of [
      ["idempotency-key", "Idempotency-Key"],
      ["webhook-id", "webhook-id"],
      ["ce-id", "ce-id"],
    ] as const)
      for (const value of ["", '""', "i".repeat(257), "a\u0085b"])
        await assert.rejects(idOf({ [name]: value }), { code: "event-invalid", field }, `${name}: ${value}`);
    assert.equal((await idOf({ "idempotency-key": "i".repeat(256) })).length, 256);
  });

  it("of a header names one event: in an array, each has its own", async () => {
    const { post, queue } = setUpIngest();
    const headers = { "idempotency-key": "key-1" };
    await assert.rejects(post("demo", JSON.stringify([{ id: "a", event: EVENT }, EVENT]), { headers }), {
      code: "event-invalid",
      field: "Idempotency-Key",
    });
    assert.deepEqual(queue, []);
    const { body } = await post("demo", JSON.stringify([{ id: "a", event: EVENT }]), { headers });
    assert.equal((body as { events: { id: string }[] }).events[0]?.id, "a");
  });
});

describe("a CloudEvent in binary mode", () => {
  const ATTRIBUTES = {
    "ce-specversion": "1.0",
    "ce-id": "ce-1",
    "ce-source": "/gateway",
    "ce-type": "com.example.gateway.KeyExpired",
    "content-type": "application/json; charset=utf-8",
  };
  const post = async (headers: Record<string, string | undefined>, body: string) => {
    const ingest = setUpIngest();
    const answer = await ingest.post("demo", body, { headers: { ...ATTRIBUTES, ...headers } });
    return { answer: answer.body as Record<string, unknown>, queued: ingest.queued()[0] };
  };

  it("is the event of its body, in any form, under its own id", async () => {
    for (const body of [BODY, `<script>${BODY}</script>`, JSON.stringify({ id: "body-1", event: EVENT })]) {
      const { answer, queued } = await post({}, body);
      assert.deepEqual(answer, { id: "ce-1", api_id: "demo", type: "KeyExpired", form: "cloudevents" });
      assert.deepEqual(queued?.event, EVENT);
    }
  });

  it("is made of its attributes when the body is the event's Meta, or nothing", async () => {
    const made = await post({ "ce-time": "2026-08-21T12:39:47Z" }, '{"Key":"k1"}');
    assert.deepEqual(made.queued?.event, {
      Type: "KeyExpired",
      Meta: { Key: "k1" },
      TimeStamp: "2026-08-21T12:39:47Z",
    });
    assert.deepEqual((await post({ "ce-type": "HostUp" }, "")).queued?.event.Meta, {});
  });

  it("has attributes that are percent-encoded, or in quotes", async () => {
    const { answer } = await post(
      { "ce-id": "%F0%9F%98%80%201", "ce-type": '"a \\"b\\" Euro%20%E2%82%AC"' },
      '{"Key":"k"}',
    );
    assert.deepEqual([answer.id, answer.type], ["\u{1f600} 1", 'a "b" Euro \u20ac']);
  });

  it("is refused with the attribute at fault", async () => {
    for (const [header, value] of [
      ["ce-specversion", "0.3"],
      ["ce-id", undefined],
      ["ce-source", undefined],
      ["ce-type", undefined],
      ["ce-type", ""],
      ["ce-type", "%C0%A0"],
      ["ce-id", "100%"],
    ] as const)
      await assert.rejects(post({ [header]: value }, BODY), { code: "event-invalid", field: header });
    await assert.rejects(post({}, "no event"), { code: "event-invalid", field: "body" });
    await assert.rejects(post({ "ce-apiid": "other" }, '{"Key":"k"}'), {
      code: "event-invalid",
      field: "api_id",
    });
  });
});

describe("a CloudEvent in structured mode", () => {
  const cloud = { specversion: "1.0", id: "ce-1", source: "/gateway", type: "KeyExpired", data: EVENT };
  const post = (type: string, body: unknown, headers = {}) =>
    setUpIngest().post("demo", JSON.stringify(body), { headers: { "content-type": type, ...headers } });

  it("is known by its content type or its members", async () => {
    for (const type of [
      "application/cloudevents+json",
      "application/cloudevents+json;charset=UTF-8",
      "application/json",
    ])
      assert.deepEqual((await post(type, cloud)).body, {
        id: "ce-1",
        api_id: "demo",
        type: "KeyExpired",
        form: "cloudevents",
      });
    // The attributes may stand in headers too.
    const again = await post("application/cloudevents+json", cloud, {
      "ce-specversion": "1.0",
      "ce-id": "ce-1",
    });
    assert.equal((again.body as { form: string }).form, "cloudevents");
    const batch = await post("application/cloudevents-batch+json", [cloud, { ...cloud, id: "ce-2" }]);
    assert.deepEqual(
      (batch.body as { events: { id: string }[] }).events.map(({ id }) => id),
      ["ce-1", "ce-2"],
    );
  });

  it("is refused when it is not one, whatever else it may be", async () => {
    const field = "specversion";
    await assert.rejects(post("application/cloudevents+json", EVENT), { code: "event-invalid", field });
  });
});
