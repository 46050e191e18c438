import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { EVENT_TYPES } from "../../lib/apis/event-types.ts";
import { AppError } from "../../lib/errors.ts";
import { parseEvent } from "../../lib/events/event.ts";
import { isGatewayType } from "../../lib/events/forms/families.ts";
import { FORMS } from "../../lib/events/forms/form.ts";
import { readBodies, readBody } from "../../lib/events/forms/read.ts";
import { missingOf, WEBHOOK_BODIES, wholeEvent, without } from "../helpers/webhook-bodies.ts";

const AROUND = { apiId: "real1", fallbackId: "made-1" };
const eventOf = (body: string) => parseEvent(body, AROUND).event;

function refused(body: string, field: string, message: RegExp = /./) {
  assert.throws(
    () => parseEvent(body, AROUND),
    (error) => {
      assert.ok(error instanceof AppError, String(error));
      assert.deepEqual([error.code, error.field], ["event-invalid", field], body);
      assert.match(error.message, message);
      return true;
    },
  );
}

describe("each body that a running gateway sent", () => {
  const NAMES: Record<string, string> = { A: "script", B: "backquote", C: "members", D: "form" };

  for (const sample of WEBHOOK_BODIES) {
    const { form, type, body } = sample;
    it(`is the event, as far as its form has it: ${form}, ${type}`, () => {
      assert.deepEqual(eventOf(body), without(wholeEvent(type), missingOf(sample)));
      const shipped = type === "HostDown" ? "host-check" : type.startsWith("Breaker") ? "breaker" : "default";
      assert.equal(readBody(body).form, NAMES[form] ?? shipped);
    });
  }
});

describe("the gateway's shipped templates", () => {
  /** Go's html/template, in a text: no value has a quote in it then. */
  const ESCAPES: Record<string, string> = {
    "\0": "\ufffd",
    '"': "&#34;",
    "'": "&#39;",
    "&": "&amp;",
    "+": "&#43;",
    "<": "&lt;",
    ">": "&gt;",
  };
  const rendered = (text: string) => text.replace(/[\0"'&+<>]/g, (found) => ESCAPES[found] ?? found);
  const body = (members: Record<string, string>) =>
    `\n{\n${Object.entries(members)
      .map(([name, value]) => `    "${name}": "${rendered(value)}"`)
      .join(",\n")}\n}\n\n\n`;

  it("give back whatever text a value has, and let none of it become another member", () => {
    const hostile = fc.constantFrom(
      "\\",
      "\\n",
      "\\u0022",
      '","key":"admin',
      "&quot;",
      "&#34;",
      "&amp;#34;",
      "}",
      "\n",
      "\u2028",
      "</script>",
      "Type=x&Key=y",
      "\u{1f600}",
    );
    const text = fc
      .array(fc.oneof(hostile, fc.string({ unit: "binary" })), { maxLength: 4 })
      .map((parts) => parts.join("").toWellFormed().replaceAll("\0", "\ufffd"));
    fc.assert(
      fc.property(text, text, text, text, (message, path, origin, key) => {
        const event = eventOf(body({ event: "AuthFailure", message, path, origin, key }));
        assert.deepEqual(event, {
          Type: "AuthFailure",
          Meta: { Message: message, Path: path, Origin: origin, Key: key },
          TimeStamp: "",
          Partial: ["TimeStamp", "Meta.OriginatingRequest"],
        });
      }),
      { numRuns: 2_000 },
    );
  });

  it("may leave a comma after the last member, and have the same types as the gateway's event", () => {
    assert.deepEqual(
      eventOf('{\n"event": "UpstreamOAuthError",\n"message": "no &#34;token&#34;",\n"api_id": "real1",\n}\n')
        .Meta,
      {
        Message: 'no "token"',
        APIID: "real1",
      },
    );
    const monitor =
      '{"event": "TriggerExceeded","message": "Quota trigger reached","org": "o1","key": "k1","trigger_limit": "80"}';
    assert.equal(readBody(monitor).form, "monitor");
    assert.deepEqual(eventOf(monitor), {
      Type: "TriggerExceeded",
      Meta: { Message: "Quota trigger reached", org_id: "o1", key: "k1", trigger_limit: 80 },
      TimeStamp: "",
      Partial: ["TimeStamp", "Meta.OriginatingRequest", "Meta.usage_percentage"],
    });
    const certificate =
      '{"event":"CertificateExpired","message":"m","cert_id":"c","cert_name":"cn","expired_at":"2026-08-18T08:00:00Z","days_since_expiry":3,"cert_role":"client","timestamp":"2026-08-21T12:39:47Z"}';
    assert.deepEqual(eventOf(certificate), {
      Type: "CertificateExpired",
      Meta: {
        Message: "m",
        cert_id: "c",
        cert_name: "cn",
        expired_at: "2026-08-18T08:00:00Z",
        days_since_expiry: 3,
        cert_role: "client",
      },
      TimeStamp: "2026-08-21T12:39:47Z",
      Partial: ["Meta.OriginatingRequest"],
    });
  });

  it("ask events of OAuth2 for members that they do not have: what comes out empty is missing", () => {
    const { Meta, Partial } = eventOf(
      body({ event: "OAuth2ExchangeFailed", message: "", path: "", origin: "", key: "" }),
    );
    assert.deepEqual(Meta, {});
    assert.ok(Partial?.includes("Meta.oauth2_provider"));
  });

  it("are taken from others as JSON too", () => {
    const members = {
      event: "QuotaExceeded",
      message: 'a "quoted" one',
      path: "/a\\b",
      origin: "",
      key: "k",
    };
    assert.deepEqual(eventOf(JSON.stringify(members)).Meta, {
      Message: 'a "quoted" one',
      Path: "/a\\b",
      Origin: "",
      Key: "k",
    });
  });
});

describe("the form of names and values", () => {
  /** url.QueryEscape, whose + for a space html/template writes as HTML has it. */
  const escaped = (text: string) =>
    encodeURIComponent(text)
      .replace(/[!'()*]/g, (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`)
      .replaceAll("%20", "&#43;");

  it("gives back whatever text a value has", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("&#43;", "+", "&", "=", "a b+c", "%", "&amp;"),
    );
    fc.assert(
      fc.property(text, text, (path, key) => {
        const given = [path, key].map((each) => each.toWellFormed());
        const [Path = "", Key = ""] = given;
        const { Meta } = eventOf(`Type=AuthFailure&Path=${escaped(Path)}&Key=${escaped(Key)}\n`);
        assert.deepEqual(Meta, { Path, Key });
      }),
      { numRuns: 1_000 },
    );
  });

  it("may have members of members, by a dot, and the names beside the event", () => {
    const { id, api_id, event } = parseEvent(
      "id=e7&Type=HostDown&HostInfo.ResponseCode=500&HostInfo.IsTCPError=false&HostInfo.MetaData.api_id=real1&a.b=1&__proto__=x",
      AROUND,
    );
    assert.deepEqual([id, api_id], ["e7", "real1"]);
    assert.equal(
      JSON.stringify(event.Meta),
      '{"HostInfo":{"ResponseCode":500,"IsTCPError":false,"MetaData":{"api_id":"real1"}},"a.b":"1","__proto__":"x"}',
    );
    assert.equal(Object.getPrototypeOf(event.Meta), Object.prototype);
  });
});

const WHOLE = wholeEvent("AuthFailure");

describe("an event that something wraps", () => {
  const names = (body: unknown, apiId: string | undefined = undefined) => {
    const { event, ...rest } = parseEvent(JSON.stringify(body), { apiId, fallbackId: "made-1" });
    return { ...rest, event };
  };

  it("is the message that the gateway gives to a plugin's dispatcher, with the plugin's names", () => {
    const spec = { APIID: "real1", OrgID: "o1" };
    const expected = { id: "made-1", api_id: "real1", org_id: "o1", event: WHOLE };
    assert.deepEqual(names({ message: WHOLE, handler_name: "my_handler", spec }), expected);
    assert.deepEqual(names({ message: JSON.stringify(WHOLE), handler_name: "my_handler", spec }), expected);
  });

  it("is the data of a CloudEvent, which gives its id", () => {
    const cloud = { specversion: "1.0", id: "ce-1", source: "/gateway", type: "KeyExpired" };
    const expected = { id: "ce-1", api_id: "real1", event: WHOLE };
    assert.deepEqual(names({ ...cloud, data: WHOLE }, "real1"), expected);
    assert.deepEqual(names({ ...cloud, data: { id: "inner", api_id: "real1", event: WHOLE } }), expected);
    assert.deepEqual(
      names({ ...cloud, apiid: "real1", data: `<script>${JSON.stringify(WHOLE)}</script>` }),
      expected,
    );
    const data_base64 = Buffer.from(JSON.stringify(WHOLE)).toString("base64");
    assert.deepEqual(names({ ...cloud, data_base64 }, "real1"), expected);
  });

  it("is made of a CloudEvent whose data is the event's Meta", () => {
    const cloud = {
      specversion: "1.0",
      id: "ce-1",
      source: "/gateway",
      time: "2026-08-21T12:39:47Z",
      data: { Key: "k" },
    };
    for (const [type, expected] of [
      ["KeyExpired", "KeyExpired"],
      ["com.example.gateway.KeyExpired", "KeyExpired"],
      ["com.example.Custom", "com.example.Custom"],
    ])
      assert.deepEqual(names({ ...cloud, type }, "real1").event, {
        Type: expected,
        Meta: { Key: "k" },
        TimeStamp: "2026-08-21T12:39:47Z",
      });
    const { data, ...bare } = cloud;
    assert.deepEqual(names({ ...bare, type: "HostUp" }, "real1").event.Meta, {});
  });

  it("is refused where the CloudEvent is not valid, with the attribute", () => {
    const cloud = { specversion: "1.0", id: "ce-1", source: "/gateway", type: "KeyExpired", data: WHOLE };
    for (const [change, field] of [
      [{ specversion: "0.3" }, "specversion"],
      [{ specversion: 1 }, "specversion"],
      [{ id: undefined }, "id"],
      [{ id: "" }, "id"],
      [{ source: undefined }, "source"],
      [{ type: undefined }, "type"],
      [{ type: 7 }, "type"],
      [{ data: [1] }, "data"],
      [{ data: "no event" }, "data"],
      [{ data: { Type: 7 } }, "data.Type"],
      [{ data: { event: { Type: "" } } }, "data.event.Type"],
    ] as const)
      refused(JSON.stringify({ ...cloud, ...change }), field);
  });

  const notification = (Message: string, more = {}) => ({
    Type: "Notification",
    MessageId: "sns-1",
    TopicArn: "arn:aws:sns:eu-west-1:123456789012:events",
    Message,
    Timestamp: "2026-08-21T12:39:47.000Z",
    ...more,
  });

  it("is what a topic of SNS passes on, with the topic's attributes", () => {
    const MessageAttributes = { api_id: { Type: "String", Value: "real1" } };
    for (const message of [JSON.stringify(WHOLE), `<script>${JSON.stringify(WHOLE)}</script>`])
      assert.deepEqual(names(notification(message, { MessageAttributes })), {
        id: "sns-1",
        api_id: "real1",
        event: WHOLE,
      });
    const enveloped = JSON.stringify({ id: "e1", api_id: "other", event: WHOLE });
    assert.deepEqual(names(notification(enveloped, { MessageAttributes })), {
      id: "e1",
      api_id: "other",
      event: WHOLE,
    });
  });

  it("is refused where a topic sends something else", () => {
    refused(JSON.stringify(notification("no event")), "Message");
    refused(JSON.stringify(notification("{}")), "Message");
    refused(JSON.stringify(notification('{"Type":7}')), "Message.Type");
    refused(
      JSON.stringify({ ...notification("You have chosen to subscribe"), Type: "SubscriptionConfirmation" }),
      "Type",
    );
  });

  const busEvent = (detail: unknown, type = "KeyExpired") => ({
    version: "0",
    id: "bus-1",
    "detail-type": type,
    source: "my.gateway",
    account: "123456789012",
    time: "2026-08-21T12:39:47Z",
    region: "eu-west-1",
    resources: [],
    detail,
  });

  it("is the detail of an EventBridge event, or made of it", () => {
    assert.deepEqual(names(busEvent({ api_id: "real1", event: WHOLE })), {
      id: "bus-1",
      api_id: "real1",
      event: WHOLE,
    });
    assert.deepEqual(names(busEvent({ api_id: "real1", Key: "k" }, "com.example.QuotaExceeded")), {
      id: "bus-1",
      api_id: "real1",
      event: { Type: "QuotaExceeded", Meta: { Key: "k" }, TimeStamp: "2026-08-21T12:39:47Z" },
    });
    refused(JSON.stringify(busEvent({ event: { Type: 7 } })), "detail.event.Type");
  });

  it("may be wrapped twice, as a bus that feeds a topic does", () => {
    const body = notification(JSON.stringify(busEvent({ api_id: "real1", event: WHOLE })));
    assert.deepEqual(names(body), { id: "bus-1", api_id: "real1", event: WHOLE });
    assert.equal(readBody(JSON.stringify(body)).form, "sns");
  });

  it("is refused when it is wrapped again and again", () => {
    let body = JSON.stringify(WHOLE);
    for (let wraps = 0; wraps < 6; wraps += 1) body = JSON.stringify(notification(body));
    refused(body, "body", /wrapped more than 4 times/);
    let data: unknown = WHOLE;
    for (let wraps = 0; wraps < 100; wraps += 1) data = busEvent(data);
    refused(JSON.stringify(data), "body", /wrapped/);
  });
});

describe("what is on its way to the consumer", () => {
  it("is read there as it was written, whatever its content looks like", () => {
    const traps = {
      specversion: "0.1",
      TopicArn: "a",
      Message: "m",
      handler_name: "h",
      message: {},
      detail: {},
      "detail-type": "t",
      _s: "<script>'",
      _e: "'</script>",
      w: {},
      event: "e",
    };
    const event = { ...traps, Type: "t", Meta: { ...traps }, TimeStamp: "" };
    const envelope = { id: "e1", api_id: "real1", event };
    assert.deepEqual(parseEvent(JSON.stringify(envelope), AROUND), envelope);
    const { event: _, _s, ...beside } = traps;
    const bare = { ...beside, Type: "t", Meta: {}, TimeStamp: "" };
    assert.deepEqual(eventOf(JSON.stringify(bare)), bare);
  });
});

describe("a refusal", () => {
  it("names the place, under the name that the body gives it", () => {
    refused("", "body", /empty/);
    refused("<script></script>", "body", /empty/);
    refused("<script>{}</script>", "Type", /missing/);
    refused('<script>{"Type":7}</script>', "Type");
    refused('{"_s":"<script>\'","Type":"","_e":"\'</script>"}', "Type");
    const backquote = WEBHOOK_BODIES.find(({ form }) => form === "B")?.body ?? "";
    refused(backquote.replace('"Type":"TokenCreated"', '"Type":""'), "w.Type");
    refused('{"event":"","message":"m"}', "event", /missing/);
    refused("Type=&Path=x", "Type", /missing/);
    refused('{"type":"KeyExpired"}', "Type", /capital T/);
    refused('{"message":{"Type":""},"handler_name":"h"}', "message.Type");
    refused('{"event":{"Type":"t"}\n,]', "body", /line 2, column 2$/);
  });

  it("quotes nothing of a body that is not JSON", () => {
    for (const body of ['{"Key": secret-key-text}', "secret-key-text", '{"Key":"secret-key-text'])
      assert.throws(
        () => parseEvent(body, AROUND),
        (error: Error) => !error.message.includes("secret-key-text"),
      );
  });
});

describe("an array of events", () => {
  it("has them in any form, ten at most", () => {
    const { readings, many } = readBodies(
      JSON.stringify([WHOLE, { event: WHOLE }, { event: "KeyExpired", message: "m" }]),
    );
    assert.ok(many);
    assert.deepEqual(
      readings.map(({ form }) => form),
      ["plain", "plain", "default"],
    );
    assert.equal(readBodies(JSON.stringify(Array(10).fill(WHOLE))).readings.length, 10);
  });

  it("is refused with the item at fault", () => {
    for (const [items, field] of [
      [[], "body"],
      [Array(11).fill(WHOLE), "body"],
      [[WHOLE, 7], "[1].event"],
      [[WHOLE, WHOLE, {}], "[2].event"],
      [[{ specversion: "0.3" }], "[0].specversion"],
      [[[WHOLE]], "[0].event"],
    ] as const)
      assert.throws(() => readBodies(JSON.stringify(items)), { code: "event-invalid", field });
  });

  it("is not a message of the queue", () => {
    refused(JSON.stringify([WHOLE]), "body");
  });
});

describe("for whatever bytes", () => {
  const pieces = fc.constantFrom(
    "<script>",
    "</script>",
    '{"event":"a","message":"b"',
    '"',
    "}",
    "{",
    "[",
    "]",
    ",",
    ":",
    "&",
    "Type=",
    "&#43;",
    '{"specversion":"1.0"',
    '{"TopicArn":"t","Message":"',
    '{"detail-type":"t","detail":{',
    '{"_s":"<script>`","w":{"${\\"":',
    '"data_base64":"e30="',
    "\\",
    "\0",
  );
  const json = fc.dictionary(
    fc.constantFrom(
      "specversion",
      "id",
      "source",
      "type",
      "data",
      "data_base64",
      "TopicArn",
      "Message",
      "Type",
      "MessageId",
      "detail",
      "detail-type",
      "message",
      "handler_name",
      "spec",
      "_s",
      "_e",
      "w",
      "event",
      "Meta",
      "TimeStamp",
      "api_id",
      "url",
      "key",
      "timestamp",
      "__proto__",
      "constructor",
    ),
    fc.oneof(fc.jsonValue(), fc.constantFrom("1.0", "Notification", "<script>'", "'</script>"), fc.json()),
  );
  const body = fc.oneof(
    fc
      .array(fc.oneof(pieces, fc.string({ unit: "binary", maxLength: 5 })), { maxLength: 12 })
      .map((all) => all.join("")),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString()),
    json.map((value) => JSON.stringify(value)),
    fc.array(json, { maxLength: 3 }).map((value) => JSON.stringify(value)),
    fc
      .tuple(
        fc.constantFrom(...WEBHOOK_BODIES.map((sample) => sample.body)),
        fc.nat(),
        fc.nat(30),
        fc.string({ maxLength: 3 }),
      )
      .map(([text, at, cut, put]) => {
        const start = at % text.length;
        return text.slice(0, start) + put + text.slice(start + cut);
      }),
  );

  it("the answer is an event in a form that has a name, or event-invalid with a place", () => {
    fc.assert(
      fc.property(body, (given) => {
        try {
          const { event } = parseEvent(given, AROUND);
          assert.ok(FORMS.includes(readBody(given).form));
          assert.equal(typeof event.Type, "string");
          assert.deepEqual(eventOf(JSON.stringify({ event })), event, "it is the same again on the queue");
        } catch (error) {
          assert.ok(error instanceof AppError && error.code === "event-invalid", String(error));
          assert.ok(error.field);
        }
      }),
      { numRuns: 5_000 },
    );
  });

  it("its time grows with its length only", () => {
    const long = 1_000_000;
    const started = performance.now();
    for (const text of [
      `{"event":"${" ".repeat(long)}`,
      `{${'"a":"b",'.repeat(long / 8)}`,
      `{"event":"a","message":"b"}${" ".repeat(long)}x`,
      `Type=${"&".repeat(long)}`,
      `${"a.".repeat(long)}`,
      `<script>${"<script>".repeat(long / 8)}</script>`,
    ])
      assert.throws(() => parseEvent(text, AROUND), { code: "event-invalid" });
    assert.ok(performance.now() - started < 10_000);
  });
});

describe("docs/events.md", () => {
  const docs = readFileSync(new URL("../../docs/events.md", import.meta.url), "utf8");
  for (const form of FORMS)
    it(`has an example of the form ${form}`, () => {
      const [, section = ""] = new RegExp(`^### ${form}$(.*?)^##`, "ims").exec(docs) ?? [];
      const [, example = ""] = /```(?:json)?\n(.*?)\n```/s.exec(section) ?? [];
      assert.equal(readBody(example).form, form);
      assert.ok(docs.includes(`[\`${form}\`](#${form})`));
    });
});

it("every type that a gateway fires is known by its shape", () => {
  for (const type of EVENT_TYPES) assert.ok(isGatewayType(type), type);
});
