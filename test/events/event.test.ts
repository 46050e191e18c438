import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { AppError } from "../../lib/errors.ts";
import { type EventEnvelope, parseEvent } from "../../lib/events/event.ts";
import { digestOf, eventKey } from "../../lib/events/identity.ts";

const AROUND = { apiId: "demo", fallbackId: "message-1" };
const META = { Message: "Key has expired.", Path: "/orders", Origin: "203.0.113.7", Key: "k1" };
const EVENT = { Type: "KeyExpired", Meta: META, TimeStamp: "2026-08-21 12:39:47.1 +0200 CEST" };

const parse = (value: unknown, around: { apiId: string | undefined; fallbackId: string } = AROUND) =>
  parseEvent(JSON.stringify(value), around);

function refused(body: string, field: string, around?: typeof AROUND) {
  assert.throws(
    () => parseEvent(body, around ?? AROUND),
    (error) => {
      assert.ok(error instanceof AppError, String(error));
      assert.deepEqual([error.code, error.status, error.field], ["event-invalid", 400, field], body);
      assert.ok(error.message.includes(field), error.message);
      return true;
    },
  );
}

describe("the body of a message", () => {
  it("is taken as an envelope, with the publisher's names kept", () => {
    assert.deepEqual(parse({ id: "e1", api_id: "orders", org_id: "o1", event: EVENT }), {
      id: "e1",
      api_id: "orders",
      org_id: "o1",
      event: EVENT,
    });
  });

  it("is taken as a bare event, which the surroundings name", () => {
    assert.deepEqual(parse(EVENT), { id: "message-1", api_id: "demo", event: EVENT });
  });

  it("keeps the publisher's names of a bare event too, beside the event", () => {
    const names = { id: "e1", api_id: "orders", org_id: "o1" };
    assert.deepEqual(parse({ ...names, ...EVENT }), { ...names, event: EVENT });
  });

  it("gets its id and API from the surroundings only where it does not say them itself", () => {
    assert.deepEqual(parse({ event: EVENT }), { id: "message-1", api_id: "demo", event: EVENT });
    assert.equal(parse({ id: "e1", event: EVENT }).id, "e1");
    assert.equal(parse({ api_id: "orders", event: EVENT }).api_id, "orders");
  });

  it("may leave out what an event type does not have", () => {
    for (const event of [{ Type: "HostUp" }, { Type: "HostUp", Meta: null }, { Type: "HostUp", Meta: {} }]) {
      assert.deepEqual(parse({ event }).event, { Type: "HostUp", Meta: {}, TimeStamp: "" });
      assert.deepEqual(parse(event).event, { Type: "HostUp", Meta: {}, TimeStamp: "" });
    }
    assert.equal("org_id" in parse({ org_id: "", event: EVENT }), false);
  });

  it("keeps members of an event that nobody here knows", () => {
    const event = {
      ...EVENT,
      Extra: { deep: [1] },
      Meta: { ...META, constructor: "c", HostInfo: { a: null } },
    };
    assert.deepEqual(parse({ event }).event, event);
    assert.deepEqual(parse(event).event, event);
  });

  it("does not change the prototype of anything", () => {
    const { event } = parseEvent(
      '{"event":{"Type":"t","__proto__":{"polluted":1},"Meta":{"__proto__":{"polluted":1}}},"__proto__":{"id":"x"}}',
      AROUND,
    );
    assert.equal(Object.getPrototypeOf(event), Object.prototype);
    assert.equal(Object.getPrototypeOf(event.Meta), Object.prototype);
    assert.equal("polluted" in {}, false);
  });
});

describe("a body that is not an event", () => {
  it("is refused as a whole when it is not a JSON object", () => {
    for (const body of ["", "Key expired!", "{", "null", "[]", "1", '"text"', "\ufeff", '[{"Type":"t"}]']) {
      refused(body, "body");
    }
  });

  it("is refused with the field at fault, under the name that the body gives it", () => {
    const wrong: [unknown, string][] = [
      [{}, "event"],
      [{ id: "e1", api_id: "demo" }, "event"],
      [{ event: null }, "event"],
      [{ event: "KeyExpired" }, "event"],
      [{ event: [EVENT] }, "event"],
      [{ event: {} }, "event.Type"],
      [{ event: { ...EVENT, Type: "" } }, "event.Type"],
      [{ event: { ...EVENT, Type: 7 } }, "event.Type"],
      [{ event: { ...EVENT, Type: "t".repeat(257) } }, "event.Type"],
      [{ event: { ...EVENT, Meta: "k1" } }, "event.Meta"],
      [{ event: { ...EVENT, Meta: ["k1"] } }, "event.Meta"],
      [{ event: { ...EVENT, TimeStamp: 1_787_396_400 } }, "event.TimeStamp"],
      [{ Meta: META }, "Type"],
      [{ ...EVENT, Type: "" }, "Type"],
      [{ ...EVENT, Meta: 1 }, "Meta"],
      [{ ...EVENT, TimeStamp: 7 }, "TimeStamp"],
      [{ id: "", event: EVENT }, "id"],
      [{ id: 7, event: EVENT }, "id"],
      [{ id: "i".repeat(257), event: EVENT }, "id"],
      [{ id: "order-7\n", event: EVENT }, "id"],
      [{ id: "a\u0085b", event: EVENT }, "id"],
      [{ api_id: "demo\r", event: EVENT }, "api_id"],
      [{ org_id: "o\0", event: EVENT }, "org_id"],
      [{ event: { ...EVENT, Type: "\u001b[31mKeyExpired" } }, "event.Type"],
      [{ api_id: "", event: EVENT }, "api_id"],
      [{ api_id: {}, event: EVENT }, "api_id"],
      [{ org_id: 1, event: EVENT }, "org_id"],
    ];
    for (const [value, field] of wrong) refused(JSON.stringify(value), field);
  });

  const SAID: [body: string, message: string][] = [
    ['{"type":"X"}', "Type is missing (with a capital T)"],
    ['{"TYPE":"X","Meta":{}}', "Type is missing (with a capital T)"],
    ['{"Type":"X","meta":{"Key":"k"}}', "Meta is missing (with a capital M)"],
    ['{"Type":"X","Timestamp":"now"}', "TimeStamp is missing (with a capital T and S)"],
    ['{"timestamp":"now"}', "TimeStamp is missing (with a capital T and S)"],
    ['{"id":"1","event":{"type":"X"}}', "event.Type is missing (with a capital T)"],
    ['{"event":{"Type":"X","META":{}}}', "event.Meta is missing (with a capital M)"],
    ['{"Event":{"Type":"X"}}', "event is missing (in small letters)"],
    ['{"id":"1"}', "event is missing"],
    ['{"Meta":{}}', "Type is missing"],
    ['{"Type":7}', "Type must be a string"],
    ['{"Type":"X","Meta":"k"}', "Meta must be a JSON object"],
    ['{"Type":"X","TimeStamp":1}', "TimeStamp must be a string"],
    ['{"event":"X"}', "event must be a JSON object"],
    ['[{"Type":"X"}]', "body is a list, but must be one event: send each by itself"],
    ["", "body is empty"],
    [" \n", "body is empty"],
    ["null", "body must be a JSON object"],
    ["Key expired!", "body is not JSON"],
  ];
  for (const [body, message] of SAID) {
    it(`is refused in these words: ${body}`, () => {
      assert.throws(() => parseEvent(body, AROUND), { code: "event-invalid", message });
    });
  }

  it("may have members in other letters beside those that count", () => {
    const event = { ...EVENT, type: "mine", meta: 1 };
    assert.deepEqual(parse(event).event, event);
  });

  it("is refused when neither it nor its surroundings name an API", () => {
    for (const value of [EVENT, { event: EVENT }]) {
      assert.throws(() => parse(value, { apiId: undefined, fallbackId: "m" }), {
        code: "event-invalid",
        field: "api_id",
      });
    }
  });

  it("is refused from the start when it is nested too deeply to be printed again", () => {
    for (const depth of [20_000, 200_000]) {
      const nested = `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
      for (const body of [`{"Type":"t","Meta":${nested}}`, `{"event":{"Type":"t","Meta":${nested}}}`]) {
        assert.throws(
          () => parseEvent(body, AROUND),
          (error) => error instanceof AppError && error.code === "event-invalid",
        );
      }
    }
  });

  it("is refused in a time that grows with its length only", () => {
    const started = performance.now();
    refused(`"${String.raw`\"`.repeat(40_000)}`, "body");
    assert.ok(performance.now() - started < 1_000);
  });

  it("is refused when its id is not Unicode text, which no table could tell from another such id", () => {
    refused(String.raw`{"id":"a\ud800","event":{"Type":"t"}}`, "id");
    assert.equal(parse({ id: "\u{1f600}", event: EVENT }).id, "\u{1f600}");
  });
});

describe("the identity of an event", () => {
  const identity = (api_id: string, id: string) => eventKey({ api_id, id }).identity;

  it("is its id within its API, whatever characters the two have", () => {
    const names = ["a", "a#", "#a", "a#b", "%23", "#", "%", "a%23b"];
    const all = names.flatMap((api) => names.map((id) => identity(api, id)));
    assert.equal(new Set(all).size, all.length);
    assert.equal(identity("demo", "e1"), "demo#e1");
  });

  it("is a key that the table takes, for the longest names", () => {
    for (const character of ["#", "%", "\u{ffff}"])
      assert.ok(
        Buffer.byteLength(`event#${identity(character.repeat(256), "\u{ffff}".repeat(256))}`) <= 2_048,
      );
  });

  it("does not depend on how its content is written, only on what it is", () => {
    const [one, same, other] = [
      { Type: "t", Meta: { a: 1 } },
      JSON.parse('{ "Type": "t", "Meta": { "a": 1.0 } }'),
      { Type: "t", Meta: { a: 2 } },
    ].map((event) => digestOf(parse({ event }).event));
    assert.equal(one, same);
    assert.notEqual(one, other);
  });
});

describe("for whatever body", () => {
  const members = fc.dictionary(
    fc.constantFrom(
      "id",
      "api_id",
      "org_id",
      "event",
      "Type",
      "Meta",
      "TimeStamp",
      "__proto__",
      "constructor",
    ),
    fc.oneof(
      fc.jsonValue(),
      fc.string(),
      fc.dictionary(fc.constantFrom("Type", "Meta", "TimeStamp", "__proto__", "Key"), fc.jsonValue()),
    ),
  );
  const bytes = fc.uint8Array().map((given) => Buffer.from(given).toString("utf8"));
  const body = fc.oneof(
    bytes,
    fc.string({ unit: "binary" }),
    fc.json(),
    members.map((value) => JSON.stringify(value)),
    fc.tuple(members, fc.nat()).map(([value, at]) => JSON.stringify(value).slice(0, at)),
  );
  const tried = (given: string): EventEnvelope | undefined => {
    try {
      return parseEvent(given, AROUND);
    } catch (error) {
      assert.ok(error instanceof AppError && error.code === "event-invalid", String(error));
      assert.ok(error.field, error.message);
      return undefined;
    }
  };

  it("nothing but event-invalid is thrown, and it always names a field", () => {
    fc.assert(
      fc.property(body, (given) => {
        tried(given);
      }),
      { numRuns: 2_000 },
    );
  });

  it("what is taken is taken the same again once it is on the queue", () => {
    const event = fc.record(
      {
        Type: fc.string({ minLength: 1 }),
        Meta: fc.dictionary(fc.string(), fc.jsonValue()),
        TimeStamp: fc.string(),
      },
      { requiredKeys: ["Type"] },
    );
    const envelope = fc.record(
      { id: fc.string({ minLength: 1 }), api_id: fc.string({ minLength: 1 }), org_id: fc.string(), event },
      { requiredKeys: ["event"] },
    );
    fc.assert(
      fc.property(fc.oneof(event, envelope), (given) => {
        const parsed = tried(JSON.stringify(given));
        assert.ok(parsed);
        assert.deepEqual(parseEvent(JSON.stringify(parsed), { apiId: "other", fallbackId: "other" }), parsed);
      }),
    );
  });
});
