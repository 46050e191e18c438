// What a running gateway sent by its webhooks, through the whole of the local stack.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { messageText } from "../../lib/events/message.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";
import {
  missingOf,
  WEBHOOK_BODIES,
  type WholeEvent,
  wholeEvent,
  without,
} from "../helpers/webhook-bodies.ts";

const TOKEN = "a-token-of-16-characters";

/** A handler that logs what it sees, for every type of event that there is a body of. */
function writeFolder(folder: string): void {
  const types = [...new Set(WEBHOOK_BODIES.map(({ type }) => type))];
  const meta = { name: "echo", path: "echo.js" };
  const events = (of: string[]) =>
    Object.fromEntries(
      of.map((type) => [type, [{ handler_name: "eh_dynamic_handler", handler_meta: meta }]]),
    );
  const own = types.filter((type) => /^(Token|Trigger)/.test(type));
  const files = {
    "apis/real1.json": {
      api_id: "real1",
      org_id: "org1",
      event_handlers: { events: events(types.filter((type) => !own.includes(type))) },
    },
    "gateway.json": { event_handlers: { events: events([...own, "Custom"]) } },
  };
  for (const name of ["apis", "handlers"]) mkdirSync(join(folder, name));
  for (const [path, definition] of Object.entries(files))
    writeFileSync(join(folder, path), JSON.stringify(definition));
  const script =
    "var echo = new TykJS.TykEventHandlers.NewEventHandler({});\necho.NewHandler(function (event) { log(JSON.stringify(event)); });\n";
  writeFileSync(join(folder, "handlers/echo.js"), script);
}

describe("a gateway that is attached by its webhooks", () => {
  const folder = mkdtempSync(join(tmpdir(), "gatehook-webhooks-"));
  const lines: string[] = [];
  let stack: TestStack;
  before(async () => {
    writeFolder(folder);
    stack = await startTestStack({
      folder,
      settings: { INGEST_AUTH: "token", INGEST_TOKEN: TOKEN },
      onLine: (_, line) => void lines.push(line),
    });
  });
  after(async () => {
    await stack.close();
    rmSync(folder, { recursive: true });
  });

  const send = (
    path: string,
    body: string | undefined,
    headers: Record<string, string> = {},
    method = "POST",
  ) =>
    fetch(stack.url + path, {
      method,
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", ...headers },
      ...(body !== undefined && { body }),
    });

  async function taken(
    api: string,
    body: string,
    headers = {},
  ): Promise<Record<string, unknown> & { id: string }> {
    const answer = await send(`/events/${api}`, body, headers);
    const text = await answer.text();
    assert.equal(answer.status, 202, text);
    return JSON.parse(text);
  }

  /** What the handler of an event saw. */
  async function seen(id: string): Promise<WholeEvent> {
    const { fields } = await stack.fact(
      ({ message, fields }) =>
        message === "script" && fields.event_id === id && String(fields.text).startsWith("{"),
    );
    return JSON.parse(String(fields.text)) as WholeEvent;
  }

  /** As it is stored: without the client's credentials. */
  function stored(event: WholeEvent): WholeEvent {
    const { OriginatingRequest } = event.Meta;
    if (typeof OriginatingRequest !== "string") return event;
    const request = Buffer.from(OriginatingRequest, "base64").toString("latin1");
    const redacted = request.replace(/^(Authorization: ).*$/m, "$1[redacted]");
    return {
      ...event,
      Meta: { ...event.Meta, OriginatingRequest: Buffer.from(redacted, "latin1").toString("base64") },
    };
  }

  it("has each of its bodies taken, and its handlers see the event, as far as the body has it", async () => {
    for (const sample of WEBHOOK_BODIES) {
      const { form, type, api, body } = sample;
      const answer = await taken(api, body);
      const missing = missingOf(sample);
      assert.deepEqual([answer.api_id, answer.type], [api, type]);
      assert.deepEqual(answer.partial, missing.length > 0 ? missing : undefined);
      const expected = stored(without(wholeEvent(type), missing));
      assert.deepEqual(await seen(answer.id), expected, `${form} ${type}`);
    }
  });

  it("may send characters of any plane, in path, key and id", async () => {
    const event = {
      Type: "AuthFailure",
      Meta: { Path: "/\u{1f600}/\u{10ffff}", Key: "k\u{1f511}", Origin: "é\ufffe\uffff" },
      TimeStamp: "",
    };
    const { id } = await taken("real1", JSON.stringify({ id: "\u{1f194}", event }));
    assert.equal(id, "\u{1f194}");
    assert.deepEqual(await seen(id), event);
    const body = messageText({ id: "\u{1f194}2", api_id: "\u{1f600}", event });
    await stack.clients.sqs.send(
      new SendMessageCommand({ QueueUrl: stack.resources.EVENTS_QUEUE_URL, MessageBody: body }),
    );
    const { Body, MessageAttributes } = await stack.deadLetter();
    assert.deepEqual([Body, MessageAttributes?.event_id?.StringValue], [body, "\u{1f194}2"]);
  });

  it("has a large request left out of the event, and is told", async () => {
    const whole = wholeEvent("QuotaExceeded");
    for (const megabytes of [1, 5]) {
      const large = Buffer.alloc(megabytes * 1_000_000, "POST / HTTP/1.1\r\n\r\n").toString("base64");
      const event = { ...whole, Meta: { ...whole.Meta, OriginatingRequest: large } };
      const { id, partial } = await taken("real1", `<script>${JSON.stringify(event)}</script>`);
      assert.deepEqual(partial, ["Meta.OriginatingRequest"]);
      const left = { ...event, Meta: { ...event.Meta, OriginatingRequest: "" }, Partial: partial };
      assert.deepEqual(await seen(id), left);
    }
  });

  it("has several events taken as one, and CloudEvents in both modes", async () => {
    const [one, two] = [wholeEvent("KeyExpired"), wholeEvent("AuthFailure")];
    const { events } = (await taken(
      "real1",
      JSON.stringify([one, { id: "many-2", event: two }]),
    )) as unknown as {
      events: { id: string }[];
    };
    assert.deepEqual(await seen(events[0]?.id ?? ""), stored(one));
    assert.deepEqual(await seen("many-2"), stored(two));
    const attributes = { specversion: "1.0", source: "/gateway", type: "KeyExpired" };
    const structured = JSON.stringify({ ...attributes, id: "ce-structured", data: one });
    await taken("real1", structured, { "content-type": "application/cloudevents+json; charset=utf-8" });
    const headers = Object.fromEntries(
      Object.entries(attributes).map(([name, value]) => [`ce-${name}`, value]),
    );
    await taken("real1", JSON.stringify(one), { ...headers, "ce-id": "ce-binary" });
    for (const id of ["ce-structured", "ce-binary"]) assert.deepEqual(await seen(id), stored(one));
  });

  it("sends events of its own, and those of its plugins, to the path /events/gateway", async () => {
    const event = {
      Type: "Custom",
      Meta: { Message: "from a plugin", OriginatingRequest: "" },
      TimeStamp: "t",
    };
    assert.deepEqual(await seen((await taken("gateway", JSON.stringify(event))).id), event);
  });

  it("is answered what to do for another method, path or API, and for what is not an event", async () => {
    const { body } = WEBHOOK_BODIES[0] ?? { body: "" };
    for (const [path, method, given, status, message] of [
      ["/events/real1", "GET", undefined, 405, /POST, PUT or PATCH/],
      ["/events/real1", "DELETE", body, 405, /POST/],
      ["/events/real1/", "POST", body, 404, /\/events\/real1, without a slash/],
      ["/events", "POST", body, 404, /must name the API/],
      ["/", "POST", body, 404, /POST \/events/],
      ["/events/real2", "POST", body, 404, /did you mean "real1"/],
      ["/events/real1", "POST", "Key expired!", 400, /body is not JSON.*<script>\{\{\.\}\}<\/script>/],
      ["/events/real1", "PUT", '{"Meta":{}}', 400, /Type is missing/],
    ] as const) {
      const answer = await send(path, given, {}, method);
      const { error } = (await answer.json()) as { error: { message: string } };
      assert.equal(answer.status, status, `${method} ${path}`);
      assert.match(error.message, message);
      assert.equal(answer.headers.get("allow"), status === 405 ? "POST, PUT, PATCH" : null);
    }
    for (const method of ["PUT", "PATCH"])
      assert.equal(
        (await send("/events/real1", JSON.stringify(wholeEvent("KeyExpired")), {}, method)).status,
        202,
      );
  });

  it("is refused without the token, and nothing of it is logged", async () => {
    const [secret, body] = [
      "never-to-be-logged",
      '{"Type":"AuthFailure","Meta":{"Key":"never-to-be-logged"}}',
    ];
    for (const authorization of [`Bearer ${secret}`, secret, ""])
      assert.equal((await send("/events/real1", body, { authorization })).status, 401);
    assert.equal((await send("/events/real1", "never-to-be-logged")).status, 400);
    // The next event's line comes after all of theirs.
    await seen((await taken("real1", JSON.stringify(wholeEvent("KeyExpired")))).id);
    assert.deepEqual(
      lines.filter((line) => line.includes("never-to-be-logged")),
      [],
    );
  });

  it("may send its events by a topic or a bus, straight to the queue", async () => {
    const event = wholeEvent("KeyExpired");
    const TopicArn = "arn:aws:sns:eu-west-1:123456789012:events";
    const MessageAttributes = { api_id: { Type: "String", Value: "real1" } };
    const Message = `<script>${JSON.stringify(event)}</script>`;
    const bodies = {
      "sns-7": { Type: "Notification", MessageId: "sns-7", TopicArn, Message, MessageAttributes },
      "bus-7": { id: "bus-7", "detail-type": "KeyExpired", detail: { api_id: "real1", event } },
      "ce-7": {
        specversion: "1.0",
        id: "ce-7",
        source: "/g",
        type: "KeyExpired",
        apiid: "real1",
        data: event,
      },
    };
    for (const [id, body] of Object.entries(bodies)) {
      const QueueUrl = stack.resources.EVENTS_QUEUE_URL;
      await stack.clients.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify(body) }));
      assert.deepEqual(await seen(id), event, "what comes without ingest is as its publisher made it");
    }
  });

  it("is refused when it is large beside its request, too", async () => {
    const answer = await send(
      "/events/real1",
      JSON.stringify({ Type: "AuthFailure", Meta: { Path: "x".repeat(10_000_000) } }),
    );
    assert.equal(answer.status, 413);
    assert.match(await answer.text(), /the event has 1000\d{4} bytes; the queue takes 1048576/);
  });

  it("is refused when it breaks off in the middle of a body", async () => {
    const { hostname, port } = new URL(stack.url);
    const headers = { authorization: `Bearer ${TOKEN}`, "content-length": "1000" };
    const broken = request({ hostname, port, path: "/events/real1", method: "POST", headers });
    const { promise, resolve } = Promise.withResolvers<unknown>();
    broken.on("error", resolve).on("close", () => resolve("closed"));
    broken.write('{"Type":"AuthFailure",', () => broken.destroy());
    await promise;
    assert.equal((await send("/events/real1", JSON.stringify(wholeEvent("KeyExpired")))).status, 202);
  });
});
