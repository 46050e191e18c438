import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { SendMessageCommand } from "@aws-sdk/client-sqs";
import type { Session } from "../../lib/sessions/session.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";

const SESSION: Session = { expires: 1_000, org_id: "demo-org", access_rights: { demo: { api_id: "demo" } } };

describe("over the emulators, from HTTP to the table", () => {
  let stack: TestStack;
  before(async () => {
    stack = await startTestStack();
  });
  after(() => stack.close());

  const gatewayEvent = (Type: string, Key: string) => ({
    Type,
    Meta: { Message: "", Path: "/", Origin: "", Key },
    TimeStamp: "",
  });
  const finished = (id: string) =>
    stack.fact(({ message, fields }) => message === "event done" && fields.event_id === id);
  const send = (body: string, attributes: Record<string, string> = {}) =>
    stack.clients.sqs.send(
      new SendMessageCommand({
        QueueUrl: stack.resources.EVENTS_QUEUE_URL,
        MessageBody: body,
        MessageAttributes: Object.fromEntries(
          Object.entries(attributes).map(([name, value]) => [
            name,
            { DataType: "String", StringValue: value },
          ]),
        ),
      }),
    );

  test("a posted event runs the handler, and its write is in the table", async () => {
    await stack.storeSession("k1", SESSION);
    const id = randomUUID();
    const answer = await stack.post("demo", JSON.stringify({ id, event: gatewayEvent("KeyExpired", "k1") }));
    assert.equal(answer.status, 202);
    assert.deepEqual(await answer.json(), { id, api_id: "demo", type: "KeyExpired", form: "plain" });
    await finished(id);
    assert.equal((await stack.session("k1"))?.expires, 2_000);
  });

  test("a handler with the documentation's older names works on the same event", async () => {
    await stack.storeSession("k2", SESSION);
    const answer = await stack.post("demo", JSON.stringify(gatewayEvent("QuotaExceeded", "k2")));
    const { id } = (await answer.json()) as { id: string };
    await finished(id);
    assert.deepEqual((await stack.session("k2"))?.tags, ["QuotaExceeded"]);
  });

  test("a bare event straight on the queue runs, with api_id as an attribute", async () => {
    await stack.storeSession("k3", SESSION);
    const { MessageId = "" } = await send(JSON.stringify(gatewayEvent("KeyExpired", "k3")), {
      api_id: "demo",
    });
    await finished(MessageId);
    assert.equal((await stack.session("k3"))?.expires, 2_000);
  });

  test("one id sent twice has one effect", async () => {
    await stack.storeSession("k4", SESSION);
    const body = JSON.stringify({ id: "twice", api_id: "demo", event: gatewayEvent("KeyExpired", "k4") });
    await send(body);
    await finished("twice");
    await send(body);
    const marker = randomUUID();
    await send(JSON.stringify({ id: marker, api_id: "demo", event: gatewayEvent("HostUp", "") }));
    await finished(marker);
    assert.equal((await stack.session("k4"))?.expires, 2_000);
  });

  const BAD = [
    {
      what: "a body that is no JSON",
      apiId: "demo",
      body: "Key expired!",
      status: 400,
      field: "body",
      reason: "event-invalid",
    },
    {
      what: "an event without a type",
      apiId: "demo",
      body: '{"event":{"Meta":{"Key":"k"}}}',
      status: 400,
      field: "event.Type",
      reason: "event-invalid",
    },
    {
      what: "an API that no release names",
      apiId: "nobody",
      body: '{"event":{"Type":"KeyExpired"}}',
      status: 404,
      field: "api_id",
      reason: "api-unknown",
    },
  ];
  for (const { what, apiId, body, status, field, reason } of BAD) {
    test(`${what} is refused by ingest with the field at fault`, async () => {
      const answer = await stack.post(apiId, body);
      assert.equal(answer.status, status);
      const { error } = (await answer.json()) as { error: { code: string; field: string } };
      assert.deepEqual([error.code, error.field], [reason, field]);
    });

    test(`${what}, straight on the queue, becomes a dead letter with its reason`, async () => {
      await send(body, { api_id: apiId });
      const letter = await stack.deadLetter();
      assert.equal(letter.Body, body);
      assert.equal(letter.MessageAttributes?.reason?.StringValue, reason);
      assert.ok(letter.MessageAttributes?.error?.StringValue);
      assert.equal(letter.MessageAttributes?.receives?.StringValue, "1");
    });
  }
});
