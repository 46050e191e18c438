import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { loadAssets } from "../../lib/runtime/assets.ts";
import type { FailureCode, ScriptError } from "../../lib/runtime/protocol.ts";
import { type Runtime, startRuntime } from "../../lib/runtime/runtime.ts";

const AMPLE_MS = 60_000;
const SHORT_MS = 100;
const ERROR_CHARS = 8_192;

let runtime: Runtime;
before(async () => {
  // The event brings the handler's body.
  const source = `var thrower = new TykJS.TykEventHandlers.NewEventHandler({});
    thrower.NewHandler(function (event) { return Function(event.Meta.body)(); });`;
  const limits = { graceMs: AMPLE_MS };
  runtime = await startRuntime([{ path: "thrower.js", source }], {
    assets: loadAssets(),
    isolation: "event",
    limits,
  });
});
after(() => runtime.close());

async function errorOf(body: string, timeoutMs = AMPLE_MS): Promise<ScriptError & { code: FailureCode }> {
  const event = JSON.stringify({ Type: "T", Meta: { body }, TimeStamp: "" });
  const host = { call: async () => undefined, log() {} };
  const outcome = await runtime.run({ handler: "thrower", event, context: "{}", timeoutMs }, host);
  assert.ok(!outcome.ok, body);
  return { code: outcome.code, ...outcome.error };
}

describe("what is thrown is told", () => {
  const cases: [thrown: string, name: string, message: string][] = [
    ["new TypeError('no')", "TypeError", "no"],
    ["Object.assign(new Error('no'), { code: 7 })", "Error", "no"],
    ["Object.assign(new Error(), { message: { code: 7 } })", "Error", '{"code":7}'],
    ["'text'", "", "text"],
    ["undefined", "", "undefined"],
    ["null", "", "null"],
    ["7n", "", "7"],
    ["Symbol('s')", "", "Symbol(s)"],
    ["{ code: 1, reason: 'x' }", "", '{"code":1,"reason":"x"}'],
    ["{ message: 'm', code: 1 }", "", '{"message":"m","code":1}'],
    ["{ name: 'Quota', left: 0, at: null, ok: false }", "", '{"name":"Quota","left":0,"at":null,"ok":false}'],
    ["[1, { a: ['b'] }, undefined, function () {}]", "", '[1,{"a":["b"]},null,null]'],
    ["{ a: undefined, f: function () {}, s: Symbol('s'), n: NaN, b: 5n }", "", '{"n":NaN,"b":5}'],
    ["{ deep: { er: { most: [{}] } } }", "", '{"deep":{"er":{"most":[{}]}}}'],
    ["Object.assign(Object.create(null), { bare: true })", "", '{"bare":true}'],
    ["{ at: new Date(0) }", "", '{"at":"1970-01-01T00:00:00.000Z"}'],
    ["{ toJSON: function () { return { shown: 1 }; }, secret: 2 }", "", '{"shown":1}'],
    ["{ toString: function () { return 'own words'; }, a: 1 }", "", "own words"],
    ["{ 'a\\n\"\\u0000': '\\ud800\\u2028' }", "", '{"a\\n\\"\\u0000":"\\ud800\u2028"}'],
    [
      "(function () { var o = { a: [1] }; o.self = o; o.a.push(o.a); return o; })()",
      "",
      '{"a":[1,"[circular]"],"self":"[circular]"}',
    ],
    ["{ fine: 1, get bad() { throw 2; }, after: 3 }", "", '{"fine":1,"after":3}'],
    ["{ get toString() { throw 1; }, a: 1 }", "", '{"a":1}'],
    ["{ toJSON: function () { throw 1; }, toString: null, a: 1 }", "", '{"toString":null,"a":1}'],
    ["new Proxy({ a: 1 }, {})", "", '{"a":1}'],
  ];
  for (const [thrown, name, message] of cases) {
    test(`${thrown} as ${JSON.stringify(message)}`, async () => {
      const body = `throw (${thrown})`;
      for (const error of [await errorOf(body), await errorOf(`return (async () => { ${body} })()`)]) {
        assert.deepEqual([error.code, error.name, error.message], ["threw", name, message]);
      }
    });
  }

  test("in no more characters than an error may have, however large it is", async () => {
    for (const thrown of [
      "var o = {}; for (var i = 0; i < 100000; i += 1) o['k' + i] = { v: i }; throw o;",
      "throw { text: 'x'.repeat(1000000) };",
      "throw { ['x'.repeat(1000000)]: 1 };",
      "throw new Array(1000000000);",
      "throw new Array(100000).fill({ a: 1 });",
      "throw { toJSON: function () { return 'x'.repeat(1000000); } };",
    ]) {
      const { code, message } = await errorOf(thrown);
      assert.equal(code, "threw", thrown);
      assert.ok(message.length > 100 && message.length <= ERROR_CHARS, `${message.length}: ${thrown}`);
    }
  });

  test("as far as it goes down, where it has no end", async () => {
    for (const thrown of [
      "var o = {}; for (var i = 0; i < 100000; i += 1) o = { n: o }; throw o;",
      "throw new Proxy({ n: 1 }, { get: function (target, name, proxy) { return name === 'n' ? Object.create(proxy, { n: { get: function () { return new Proxy(target, this); }, enumerable: true } }) : undefined; } });",
    ]) {
      const { code, message } = await errorOf(thrown);
      assert.equal(code, "threw");
      assert.match(message, /^\{"n":/);
    }
  });

  test("within the time of the run, whatever it does when it is asked", async () => {
    for (const trap of [
      "toJSON: function () { for (;;); }",
      "get a() { for (;;); }",
      "get toString() { for (;;); }",
    ]) {
      assert.equal((await errorOf(`throw { ${trap} };`, SHORT_MS)).code, "timeout", trap);
    }
  });
});

describe("a failure is a limit's", () => {
  const grow = "var a = []; for (;;) a.push({ k: 'v' + a.length });";
  const cases: [body: string, code: FailureCode][] = [
    [grow, "memory"],
    [`return Promise.resolve().then(function () { ${grow} });`, "memory"],
    [`globalThis.a = []; ${grow.slice(12)}`, "memory"],
    ["var a = []; for (;;) a.push('x'.repeat(1 << 20) + a.length);", "memory"],
    ["var a = []; for (;;) a.push(new Array(10000).fill(a));", "memory"],
    ["new ArrayBuffer(200000000);", "memory"],
    ["throw null;", "threw"],
    ["throw new InternalError('out of memory');", "threw"],
    ["throw { name: 'InternalError', message: 'out of memory' };", "threw"],
    ["throw Object.assign(new Error('out of memory'), { name: 'InternalError' });", "threw"],
    ["throw 'out of memory';", "threw"],
    [`try { ${grow} } catch (e) { a = null; } throw new Error('given up');`, "threw"],
    [`try { ${grow} } catch (e) { a = null; } missing();`, "threw"],
    ["(function f() { f(); })();", "stack"],
    ["throw new Error('stack overflow');", "threw"],
    ["throw { name: 'InternalError', message: 'stack overflow' };", "threw"],
  ];
  for (const [body, code] of cases) {
    test(`${code === "threw" ? "not so" : code} for ${body}`, async () => {
      assert.equal((await errorOf(body)).code, code);
    });
  }

  test("only in the run that reached it", async () => {
    assert.equal((await errorOf(grow)).code, "memory");
    assert.equal((await errorOf("throw null;")).code, "threw");
  });
});
