import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { AppError } from "../../lib/errors.ts";
import {
  any,
  boolean,
  type Decoder,
  decodeJson,
  decodeValue,
  float,
  integer,
  lean,
  list,
  map,
  pointer,
  string,
  struct,
} from "../../lib/go/decode.ts";

const thing = struct({
  name: string,
  count: integer,
  ratio: float,
  on: boolean,
  tags: list(string),
  by_name: map(struct({ rate: float })),
  extra: any,
  maybe: pointer(struct({ step: integer })),
});

const ZERO = { name: "", count: 0, ratio: 0, on: false, tags: null, by_name: null, extra: null, maybe: null };

function refused(text: string, decoder: Decoder<unknown>, field: string, message = /./) {
  assert.throws(
    () => decodeJson(text, decoder),
    (error) => {
      assert(error instanceof AppError);
      assert.equal(error.code, "json-invalid");
      assert.equal(error.field, field);
      assert.match(error.message, message);
      return true;
    },
    text,
  );
}

describe("a struct", () => {
  it("is of zero values where the text has nothing or null", () => {
    assert.deepEqual(decodeJson("{}", thing), ZERO);
    assert.deepEqual(decodeJson("null", thing), ZERO);
    const nulls = Object.fromEntries(Object.keys(ZERO).map((name) => [name, null]));
    assert.deepEqual(decodeJson(JSON.stringify(nulls), thing), ZERO);
  });

  it("takes every kind of member and drops the unknown ones", () => {
    const text =
      '{"name":"a","count":3,"ratio":0.5,"on":true,"tags":["x",null],"by_name":{"k":{"rate":1},"n":null},' +
      '"extra":[1.0,{"a":null}],"maybe":{},"other":{"name":1}}';
    assert.deepEqual(decodeJson(text, thing), {
      name: "a",
      count: 3,
      ratio: 0.5,
      on: true,
      tags: ["x", ""],
      by_name: { k: { rate: 1 }, n: { rate: 0 } },
      extra: [1, { a: null }],
      maybe: { step: 0 },
    });
  });

  it("matches names in any case, but an exact name goes to its own field", () => {
    assert.equal(decodeJson('{"NAME":"a"}', thing).name, "a");
    assert.deepEqual(decodeJson('{"CODE":1,"code":2,"Code":3}', struct({ Code: integer, code: integer })), {
      Code: 3,
      code: 2,
    });
    assert.deepEqual(
      decodeJson('{"ta\u0067\u017f":["x"],"ma\u212a":1}', struct({ tags: list(string), mak: float })),
      {
        tags: ["x"],
        mak: 1,
      },
    );
    assert.equal(decodeJson('{"acceßs":"a"}', struct({ accesss: string })).accesss, "");
  });

  it("keeps the later of two members for one field, where null empties only what can be null", () => {
    assert.equal(decodeJson('{"Count":1,"COUNT":2}', thing).count, 2);
    assert.equal(decodeJson('{"Count":1,"COUNT":null}', thing).count, 1);
    assert.equal(decodeJson('{"Tags":["a"],"TAGS":null}', thing).tags, null);
    refused('{"Count":"1","COUNT":2}', thing, "count");
  });

  it("takes the last of two members of one name where that stands", () => {
    assert.equal(decodeJson('{"Count":1,"count":2,"Count":3}', thing).count, 3);
    assert.equal(decodeJson('{"count":2,"Count":3,"count":4 }', thing).count, 4);
    assert.deepEqual(decodeJson('{"extra":{"b":1,"a":2,"b":3}}', thing).extra, { a: 2, b: 3 });
  });

  it("merges two objects for one field, as Go does, and takes the last of two lists", () => {
    const merged = decodeJson(
      '{"by_name":{"a":{"rate":1},"b":{"rate":2}},"By_Name":{"b":{},"c":{"rate":3}},"maybe":{"step":1},"maybe":{}}',
      thing,
    );
    assert.deepEqual(merged.by_name, { a: { rate: 1 }, b: { rate: 0 }, c: { rate: 3 } });
    assert.deepEqual(merged.maybe, { step: 1 });
    const nested = struct({ inner: struct({ a: integer, b: list(string) }), free: any });
    assert.deepEqual(
      decodeJson(
        '{"inner":{"a":1,"b":["x","y"]},"inner":{"b":["z"]},"inner":null,"free":{"a":1},"free":{"b":1}}',
        nested,
      ),
      { inner: { a: 1, b: ["z"] }, free: { b: 1 } },
    );
    assert.deepEqual(decodeJson('{"by_name":{"a":{}},"by_name":null,"by_name":{"b":{}}}', thing).by_name, {
      b: { rate: 0 },
    });
    assert.deepEqual(decodeJson('{"m":{"a":1},"m":{"b":2}}', lean({ m: map(integer) })), {
      m: { a: 1, b: 2 },
    });
    refused('{"by_name":{"a":1},"by_name":{}}', thing, 'by_name["a"]');
  });

  it("takes no longer for an object that is repeated many times", () => {
    const many = Array.from({ length: 5_000 }, (_, nth) => `"k${nth}":{}`).join();
    const text = `{"by_name":{${many}}${',"by_name":{}'.repeat(50_000)}}`;
    assert.equal(Object.keys(decodeJson(text, thing).by_name ?? {}).length, 5_000);
  });

  it("is not confused by the names of Object's own members", () => {
    const text = '{"__proto__":{"name":"x"},"constructor":1,"toString":2,"name":"a"}';
    assert.deepEqual(decodeJson(text, thing), { ...ZERO, name: "a" });
  });
});

describe("a map", () => {
  it("holds __proto__ as a member like any other", () => {
    for (const decoder of [map(any), any]) {
      const decoded = decodeJson('{"__proto__":{"polluted":true},"a":1}', decoder) as Record<string, unknown>;
      assert.deepEqual(Object.keys(decoded), ["__proto__", "a"]);
      assert.equal(Object.getPrototypeOf(decoded), Object.prototype);
      assert.equal("polluted" in decoded, false);
    }
  });
});

describe("an integer", () => {
  it("must be written as one", () => {
    for (const literal of ["1700000000.5", "1.7e9", "1e21", "1.0", "1e0", "1E3", "0.0"]) {
      refused(`{"count":${literal}}`, thing, "count", /fraction or an exponent/);
    }
  });

  it("is taken up to 2^53 and refused beyond, since it could not be kept exactly", () => {
    for (const value of [0, 1, -1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]) {
      assert.equal(decodeJson(String(value), integer), value);
    }
    assert.equal(decodeJson("-0", integer), 0);
    for (const literal of ["9007199254740992", "9007199254740993", "-9223372036854775808", "9".repeat(400)]) {
      refused(literal, integer, "", /beyond 2\^53/);
    }
  });
});

describe("a float", () => {
  it("may be written in any way, but not beyond a double", () => {
    assert.deepEqual(decodeJson("[1, 1.5, 1e3, -0, 1e21]", list(float)), [1, 1.5, 1000, 0, 1e21]);
    refused("1e400", float, "", /too large/);
    refused('{"a":[1e400]}', any, '["a"][0]', /too large/);
  });
});

describe("a refusal", () => {
  it("names the member and the kind found there", () => {
    refused('{"name":1}', thing, "name", /^name: expected a string, found a number$/);
    refused('{"count":"1"}', thing, "count", /expected an integer, found a string/);
    refused('{"on":[]}', thing, "on", /expected a boolean, found an array/);
    refused('{"tags":[true]}', thing, "tags[0]", /expected a string, found a boolean/);
    refused(
      '{"by_name":{"a b":{"rate":{}}}}',
      thing,
      'by_name["a b"].rate',
      /expected a number, found an object/,
    );
    refused("[]", thing, "", /^the JSON text: expected an object, found an array$/);
    refused('""', map(any), "", /expected an object/);
    refused("{}", list(any), "", /expected an array/);
  });

  it("never quotes the text, which may hold a secret", () => {
    for (const text of [
      '{"a":hunter2}',
      '"hunter2',
      "hunter2 at position 7",
      '{"name":["hunter2"]}',
      '{"ratio":"hunter2"}',
    ]) {
      assert.throws(
        () => decodeJson(text, thing),
        (error) =>
          error instanceof AppError && !/hunter2/.test(`${error.message} ${error.stack} ${error.cause}`),
      );
    }
  });

  it("says where the text stops being JSON, if that is known", () => {
    refused('{"name" 1}', thing, "", /not JSON at position 8$/);
    refused("", thing, "", /not JSON$/);
  });

  it("is the answer to nesting that no stack could hold later", () => {
    for (const text of [
      "[".repeat(501) + "]".repeat(501),
      "[".repeat(1e5) + "]".repeat(1e5),
      '{"a":'.repeat(1e5) + 1 + "}".repeat(1e5),
    ]) {
      refused(text, any, "", /nested too deeply/);
    }
    assert.doesNotThrow(() => decodeJson("[".repeat(500) + "]".repeat(500), any));
  });
});

describe("a value parsed already", () => {
  it("decodes as its text would", () => {
    assert.deepEqual(decodeValue({ Name: "a", count: 2, gone: undefined }, thing), {
      ...ZERO,
      name: "a",
      count: 2,
    });
    assert.deepEqual(decodeValue(undefined, thing), ZERO);
  });

  it("is refused when it is no JSON", () => {
    const circle: Record<string, unknown> = {};
    circle.circle = circle;
    for (const value of [circle, { big: 1n }]) {
      assert.throws(() => decodeValue(value, any), { code: "json-invalid" });
    }
  });
});

const escaped = (text: string) =>
  `"${[...Array(text.length).keys()].map((at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, "0")}`).join("")}"`;

describe("for whatever text", () => {
  it("any gives what JSON.parse gives", () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const expected = JSON.parse(JSON.stringify(value));
        assert.deepEqual(decodeJson(JSON.stringify(value), any), expected);
      }),
    );
  });

  it("any gives the same however the text is written", () => {
    const blank = fc.constantFrom("", " ", "\n", "\t ", "\r\n");
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), blank, fc.boolean(), (value, space, escapes) => {
        const written = (part: unknown): string => {
          if (Array.isArray(part)) return `[${space}${part.map(written).join(`${space},${space}`)}${space}]`;
          if (typeof part === "string") return escapes ? escaped(part) : JSON.stringify(part);
          if (typeof part === "number")
            return Number.isInteger(part) && Math.abs(part) < 1e15 ? `${part}.0` : `${part}`;
          if (part === null || typeof part !== "object") return JSON.stringify(part);
          const members = Object.entries(part).map(
            ([name, inner]) =>
              `${escapes ? escaped(name) : JSON.stringify(name)}${space}:${space}${written(inner)}`,
          );
          return `{${space}${members.join(`${space},${space}`)}}`;
        };
        const text = written(value);
        assert.deepEqual(decodeJson(text, any), decodeJson(JSON.stringify(JSON.parse(text)), any), text);
      }),
      { numRuns: 1000 },
    );
  });

  it("strings come out well formed", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.constantFrom("\ud800", "\udc00", ""), (text, half) => {
        assert.equal(decodeJson(JSON.stringify(text + half), string), (text + half).toWellFormed());
      }),
    );
    assert.deepEqual(decodeJson('{"\\ud800":"\\udc00"}', any), { "\ufffd": "\ufffd" });
  });

  it("the only error is json-invalid", () => {
    const jsonish = fc.string({ unit: fc.constantFrom(...'{}[]":,0123456789.eE+-truefalsn \\ucdNAME') });
    fc.assert(
      fc.property(fc.oneof(fc.string(), jsonish, fc.json()), (text) => {
        try {
          decodeJson(text, thing);
        } catch (error) {
          assert(error instanceof AppError && error.code === "json-invalid", String(error));
        }
      }),
      { numRuns: 1000 },
    );
  });
});
