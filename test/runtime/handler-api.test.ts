import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { type HandlerApi, startHandlerApi } from "../helpers/handler-api.ts";

describe("the gateway's functions, in the sandbox, against a real table and a real server", () => {
  let api: HandlerApi;
  let server: Server;
  let origin = "";
  let now = 1_700_000_000_000;

  before(async () => {
    api = await startHandlerApi({ now: () => now });
    server = createServer((request, response) => {
      if (request.url === "/500") return void response.writeHead(500).end("broken");
      if (request.url === "/204") return void response.writeHead(204).end();
      if (request.url === "/key") return void response.end(request.headers["idempotency-key"] ?? "none");
      response.writeHead(
        201,
        [
          ["x-one", "a"],
          ["X-One", "b"],
          ["Content-Type", "text/plain"],
          ["Content-Length", "4"],
        ].flat(),
      );
      response.end(Buffer.from([0x6f, 0x6b, 0xff, 0x3c]));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(async () => {
    server.close();
    await api.close();
  });

  const VALUES: [code: string, expected: unknown][] = [
    // Base64
    ['return b64enc("teststring")', "dGVzdHN0cmluZw=="],
    ['return b64dec("dGVzdHN0cmluZw==")', "teststring"],
    [
      'return b64dec("eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ")',
      '{"sub":"1234567890","name":"John Doe","iat":1516239022}',
    ],
    ['return rawb64enc(\'{"sub":"1234567890"}\')', "eyJzdWIiOiIxMjM0NTY3ODkwIn0"],
    ['return [rawb64dec("dGVzdA"), typeof rawb64dec("dGVzdA==")]', ["test", "undefined"]],
    ['return [typeof b64dec("!!invalid!!"), typeof rawb64dec("!!invalid!!")]', ["undefined", "undefined"]],
    ["return [b64enc(), b64enc(null), b64enc({})]", ["dW5kZWZpbmVk", "bnVsbA==", "W29iamVjdCBPYmplY3Rd"]],
    ['return [b64enc("é"), b64enc("😀"), b64dec("8J+YgA==")]', ["w6k=", "8J+YgA==", "😀"]],
    [
      'return [b64dec("dGVzdA"), typeof b64dec("dGVzdA="), b64dec("dGVzdB=="), b64dec("dGVz\\ndA=="), b64dec("")]',
      ["test", "undefined", "test", "test", ""],
    ],
    ['return [typeof b64dec("_-8="), typeof b64dec("dGVz dA==")]', ["undefined", "undefined"]],
    [
      'return [b64enc(b64dec("/w==")), b64enc("" + b64dec("/w==")), b64enc(b64dec("/w==") + "x"), b64dec("/w==").length]',
      ["/w==", "/w==", "/3g=", 1],
    ],
    ['return b64enc("\\ud800")', "77+9"],
    ['return b64dec(b64enc("a\\u0000b"))', "a\u0000b"],
    // HTTP that never leaves
    [
      "return [typeof TykMakeHttpRequest(), typeof TykMakeHttpRequest('undefined')]",
      ["undefined", "undefined"],
    ],
    ["return typeof TykMakeHttpRequest('{not valid json}')", "undefined"],
    ['return typeof TykMakeHttpRequest(\'{"Method":"GET"}\')', "undefined"],
    // Batch
    ["return TykBatchRequest('{\"requests\":[]}')", "[]"],
    ["return typeof TykBatchRequest('{invalid json}')", "undefined"],
    // Keys and sessions
    ['return TykGetKeyData("no-such-key", "")', '{"status":"error","message":"Key not found"}'],
    [
      'return [typeof TykSetKeyData("bad", "notjson", "0"), TykGetKeyData("bad")]',
      [null, '{"status":"error","message":"Key not found"}'].map((v, i) => (i === 0 ? "undefined" : v)),
    ],
    ['return TykGetKeyData("x".repeat(3000))', '{"status":"error","message":"Key not found"}'],
    // Others
    [
      "var m = new TykJS.TykMiddleware.NewMiddleware({ a: 1 }); m.NewProcessResponse(function (response, request, session) { return m.ReturnResponseData({ s: response.s + request.s }, session); }); return [m.DoProcessResponse({ s: 1 }, { s: 2 }, { m: 3 }, {}), m.configuration]",
      ['{"Response":{"s":3},"SessionMeta":{"m":3}}', { a: 1 }],
    ],
    [
      "var m = new TykJS.TykMiddleware.NewMiddleware({}); m.NewProcessRequest(function (request, session) { return m.ReturnData({ Body: request.Body + '!', Headers: { a: 1 }, URL: request.URL }, session); }); return [m.DoProcessRequest({ Body: b64enc('x'), URL: '/u' }, { s: 1 }, {}), m.ReturnAuthData({ r: 1 }, { s: 2 })]",
      [
        '{"Request":{"Body":"eCE=","Headers":{},"URL":"/u"},"SessionMeta":{"s":1}}',
        { Request: { r: 1 }, Session: { s: 2 } },
      ],
    ],
    [
      "var m = new TykJS.TykMiddleware.NewMiddleware({}); var none = [m.DoProcessResponse({ r: 1 }, {}, {}, {})]; m.NewProcessResponse(function () {}); m.NewProcessRequest(function () {}); return none.concat([typeof m.DoProcessResponse({}), typeof m.DoProcessRequest({ Body: '' })])",
      ['{"r":1}', "undefined", "undefined"],
    ],
    // Errors as the gateway's engine makes them
    [
      "try { throw new Error('x') } catch (e) { return [Object.keys(e), JSON.stringify(e), e.hasOwnProperty('message'), typeof e.stack, typeof e.lineNumber] }",
      [["message", "name"], '{"message":"x","name":"Error"}', true, "string", "undefined"],
    ],
    [
      "return [new TypeError('t'), Error('e'), RangeError('r'), new Error(), { inner: new SyntaxError('s') }].map(function (e) { return JSON.stringify(e) })",
      [
        '{"message":"t"}',
        '{"message":"e","name":"Error"}',
        '{"message":"r"}',
        '{"name":"Error"}',
        '{"inner":{"message":"s"}}',
      ],
    ],
    [
      "try { null.x } catch (e) { e.code = 7; return [JSON.stringify({ e: e }), e instanceof TypeError, e.name] }",
      [`{"e":{"message":"cannot read property 'x' of null","code":7}}`, true, "TypeError"],
    ],
    [
      "class My extends TypeError { get name() { return 'My' } } var m = new My('m', { cause: 1 }); return [String(m), JSON.stringify(m), m instanceof My, m instanceof Error, m.cause, Object.prototype.toString.call(m)]",
      ["My: m", '{"message":"m"}', true, true, 1, "[object Error]"],
    ],
    [
      "function Old(text) { this.message = text } Old.prototype = new Error(); Old.prototype.name = 'Old'; var o = new Old('o'); return [String(o), JSON.stringify(o), o instanceof Error]",
      ["Old: o", '{"message":"o"}', true],
    ],
    [
      "return [Error.name, Error.length, TypeError.name, Object.getPrototypeOf(RangeError) === Error, new Error('e').constructor === Error, Object.keys(globalThis).indexOf('Error'), Object.keys(Error.prototype)]",
      ["Error", 1, "TypeError", true, true, -1, []],
    ],
    [
      "function at() { return new Error('here').stack } return [/^ *at at /.test(at()), /^ *at at /.test((function at() { return TypeError('x').stack })()), new Error('e').stack.indexOf('Wrapped')]",
      [true, true, -1],
    ],
    ["return TykJsResponse({ a: 1 }, { b: 2 })", '{"Response":{"a":1},"SessionMeta":{"b":2}}'],
    ["return _.map([1, 2], function (n) { return n * 2 })", [2, 4]],
    [
      "return [typeof setTimeout, typeof require, typeof process, typeof fetch]",
      ["undefined", "undefined", "undefined", "undefined"],
    ],
    [
      "return [event.EventType, event.EventMetaData === event.Meta, Object.keys(event)]",
      ["Test", true, ["Type", "Meta", "TimeStamp"]],
    ],
  ];
  for (const [code, expected] of VALUES) {
    test(`${code.replace(/^return /, "")} is ${JSON.stringify(expected)}`, async () => {
      const { outcome, value } = await api.evaluate(code);
      assert.deepEqual({ ok: outcome.ok, value }, { ok: true, value: expected });
    });
  }

  test("an HTTP answer has its members twice, names canonical, bytes that are no UTF-8 replaced", async () => {
    const { value } = await api.evaluate(
      `return TykMakeHttpRequest(JSON.stringify({Method:"GET",Domain:"${origin}",Resource:"/p?x=1"}))`,
    );
    const text = String(value);
    assert.ok(text.startsWith('{"Code":201,"Body":"ok\\ufffd\\u003c","Headers":{'));
    const { Code, Body, Headers, code, body, headers } = JSON.parse(text);
    assert.deepEqual([code, body, headers], [Code, Body, Headers]);
    assert.deepEqual(
      [Headers["X-One"], Headers["Content-Length"], Headers["Content-Type"]],
      [["a", "b"], ["4"], ["text/plain"]],
    );
  });

  test("an answer of 500 or 204 is a normal result", async () => {
    const get = (path: string) =>
      `JSON.parse(TykMakeHttpRequest(JSON.stringify({Domain:"${origin}",Resource:"${path}"})))`;
    const { value } = await api.evaluate(
      `var a = ${get("/500")}, b = ${get("/204")}; return [a.Code, a.Body, b.Code, b.Body]`,
    );
    assert.deepEqual(value, [500, "broken", 204, ""]);
  });

  test("requests that may change something have a key of event, handler and number; GET has none", async () => {
    const send = (method: string) =>
      `JSON.parse(TykMakeHttpRequest(JSON.stringify({Method:"${method}",Domain:"${origin}",Resource:"/key",Body:"b"}))).Body`;
    const { value } = await api.evaluate(
      `return [context.EventID, ${send("POST")}, ${send("GET")}, ${send("PUT")}]`,
    );
    const [id, first, none, second] = value as string[];
    assert.deepEqual([first, none, second], [`${id}:evaluator:1`, "none", `${id}:evaluator:2`]);
  });

  test("a batch keeps the order of its requests, and a failed one has an empty unit", async () => {
    const { value } = await api.evaluate(
      `return JSON.parse(TykBatchRequest(JSON.stringify({requests:[{relative_url:"${origin}/500"},{relative_url:"http://127.0.0.1:1/"},{relative_url:"${origin}/204"}]})))`,
    );
    const units = value as { relative_url: string; code: number; headers: unknown; body: string }[];
    assert.deepEqual(
      units.map(({ relative_url, code }) => [relative_url, code]),
      [
        [`${origin}/500`, 500],
        ["", 0],
        [`${origin}/204`, 204],
      ],
    );
    assert.deepEqual(units[1], { relative_url: "", code: 0, headers: null, body: "" });
  });

  test("a request to an address that is not public is refused, and the log names rule and setting", async () => {
    const { value, logs } = await api.evaluate(
      'return typeof TykMakeHttpRequest(JSON.stringify({Domain:"http://169.254.169.254",Resource:"/latest/meta-data"}))',
    );
    assert.equal(value, "undefined");
    assert.match(
      logs.join("\n"),
      /169\.254\.169\.254 is refused: link-local address; to allow it, set HTTP_ALLOW_HOSTS=169\.254\.169\.254/,
    );
  });

  test("a session that was set is read at once, and is in the table after the commit", async () => {
    const set = `TykSetKeyData("k", JSON.stringify({rate:100,per:60,org_id:"org123",quota_max:5,quota_renewal_rate:60,access_rights:{a:{api_id:"a"}}}), 1); return TykGetKeyData("k")`;
    const expected =
      '{"rate":100,"per":60,"quota_max":5,"quota_renewal_rate":60,"access_rights":{"a":{"api_id":"a"}},"org_id":"org123"}';
    assert.equal((await api.evaluate(set)).value, expected);
    assert.equal((await api.evaluate('return TykGetKeyData("k")')).value, expected);
  });

  test('without suppressReset a set resets the quota; with 1 or "1" it does not, and true is neither', async () => {
    const set = (third: string) =>
      `TykSetKeyData("q", JSON.stringify({quota_max:5,quota_remaining:2,quota_renewal_rate:60,access_rights:{a:{}}}), ${third}); return JSON.parse(TykGetKeyData("q")).quota_remaining`;
    for (const [third, expected] of [
      ["1", 2],
      ['"1"', 2],
      ["true", 5],
      ["undefined", 5],
    ] as const) {
      assert.equal((await api.evaluate(set(third))).value, expected, third);
    }
  });

  test("a set is refused with its reason: no access rights, a fraction in a whole number", async () => {
    const refused = await api.evaluate(
      'TykSetKeyData("m", JSON.stringify({rate:1})); TykSetKeyData("m", \'{"expires":1.5,"access_rights":{"a":{}}}\'); return TykGetKeyData("m")',
    );
    assert.match(String(refused.value), /Key not found/);
    assert.match(refused.logs.join("\n"), /Master keys not allowed[\s\S]*expires/);
  });

  test("a stored session that is none fails the run, for a miss would invite a new session", async () => {
    await api.putItem("broken", { expires: 1.5 });
    const { logs, failure } = await api.evaluate('TykGetKeyData("broken")');
    assert.match(String(failure?.message), /getKeyData: the stored session is unfit: expires/);
    assert.ok(!logs.join().includes("1.5"));
  });

  test("a custom key is found behind its organisation", async () => {
    await api.evaluate('TykSetKeyData("orgcustom", JSON.stringify({alias:"c",access_rights:{a:{}}}), 1)');
    assert.match(String((await api.evaluate('return TykGetKeyData("custom", "a")')).value), /"alias":"c"/);
  });

  test("a custom key that was read by its short name is written by it too", async () => {
    await api.evaluate('TykSetKeyData("orgbrief", JSON.stringify({alias:"c",access_rights:{a:{}}}), 1)');
    await api.evaluate(`
      var session = JSON.parse(TykGetKeyData("brief", "a"));
      session.alias = "d";
      TykSetKeyData("brief", JSON.stringify(session), 1);
    `);
    assert.match(String((await api.evaluate('return TykGetKeyData("orgbrief")')).value), /"alias":"d"/);
  });

  test("a removed session is missing to what comes later in the run, and to later runs", async () => {
    await api.evaluate('TykSetKeyData("gone", JSON.stringify({alias:"c",access_rights:{a:{}}}), 1)');
    const { value } = await api.evaluate(
      'return [typeof TykDelKeyData("gone", "a"), JSON.parse(TykGetKeyData("gone", "a")).message]',
    );
    assert.deepEqual(value, ["undefined", "Key not found"]);
    assert.match(String((await api.evaluate('return TykGetKeyData("gone")')).value), /Key not found/);
  });

  test("a session that is removed and set again in one run is the one that was set", async () => {
    await api.evaluate('TykSetKeyData("anew", JSON.stringify({alias:"old",access_rights:{a:{}}}), 1)');
    await api.evaluate(
      'TykDelKeyData("anew", "a"); TykSetKeyData("anew", JSON.stringify({rate:3,access_rights:{a:{}}}), 1)',
    );
    assert.equal(
      (await api.evaluate('return TykGetKeyData("anew")')).value,
      '{"rate":3,"access_rights":{"a":{}}}',
    );
  });

  test("a custom key is removed behind its organisation", async () => {
    await api.evaluate('TykSetKeyData("orgleft", JSON.stringify({alias:"c",access_rights:{a:{}}}), 1)');
    await api.evaluate('TykDelKeyData("left", "a")');
    assert.match(String((await api.evaluate('return TykGetKeyData("orgleft")')).value), /Key not found/);
  });

  test("to remove a key that is missing, or that no table can have, does nothing", async () => {
    for (const key of ['"never"', '""', '"x".repeat(5e6)', "undefined"]) {
      const { outcome, logs, failure } = await api.evaluate(`TykDelKeyData(${key}, "a")`);
      assert.deepEqual([outcome.ok, logs.slice(1), failure], [true, [], undefined], key);
    }
  });

  test("a run that fails removes nothing", async () => {
    await api.evaluate('TykSetKeyData("kept", JSON.stringify({alias:"c",access_rights:{a:{}}}), 1)');
    const { outcome } = await api.evaluate('TykDelKeyData("kept", "a"); throw new Error("no")');
    assert.equal(outcome.ok, false);
    assert.match(String((await api.evaluate('return TykGetKeyData("kept")')).value), /"alias":"c"/);
  });

  test("storage keeps what it was given, until its end", async () => {
    const { value } = await api.evaluate(
      'TykStorageSet("s", "hello", 30); return [TykStorageGet("s"), TykStorageTTL("s"), TykStorageGet("none"), TykStorageTTL("none")]',
    );
    assert.deepEqual(value, ["hello", 30, null, -2]);
    now += 31_000;
    assert.deepEqual(
      (await api.evaluate('return [TykStorageGet("s"), TykStorageTTL("s"), TykStorageSetNX("s", "new")]'))
        .value,
      [null, -2, true],
    );
    assert.deepEqual(
      (
        await api.evaluate(
          'TykStorageSet("s", "v", 0); var t = TykStorageTTL("s"); TykStorageDel("s"); return [t, TykStorageGet("s")]',
        )
      ).value,
      [-1, null],
    );
  });

  test("storage makes once, counts as text, and throws what can be caught", async () => {
    const nx =
      'return [TykStorageSetNX("n", "first", 30), TykStorageSetNX("n", "second", 30), TykStorageGet("n")]';
    assert.deepEqual((await api.evaluate(nx)).value, [true, false, "first"]);
    assert.deepEqual(
      (await api.evaluate('return [TykStorageIncr("i", 30), TykStorageIncr("i", 99), TykStorageTTL("i")]'))
        .value,
      ["1", "2", 30],
    );
    for (const code of [
      'TykStorageSet("k".repeat(299), "v")',
      'TykStorageSet("k", "v".repeat(69999))',
      'TykStorageGet("")',
      'TykStorageSet("w", "x"); TykStorageIncr("w")',
    ]) {
      const { value } = await api.evaluate(
        `try { ${code}; return "no" } catch (e) { return [e.name, e instanceof Error] }`,
      );
      assert.deepEqual(value, ["GoError", true], code);
    }
    const { outcome } = await api.evaluate('TykStorageGet("")');
    assert.ok(
      !outcome.ok &&
        outcome.code === "threw" &&
        /storage key must be 1-256 bytes/.test(outcome.error.message),
    );
  });

  test("a storage key never reaches an item of another kind, and any number is taken for an end", async () => {
    const { failure, outcome, value, logs } = await api.evaluate(`
      var keys = ["event#e1", "release", "release#v", "../release", "#", "store#k", "\\ud800"];
      keys.forEach(function (key) { TykStorageSet(key, key, 0); });
      return [NaN, Infinity, -Infinity, 1e308, -0, "0x10", {}, [], null, -1e20, Number.MAX_SAFE_INTEGER].map(function (end) {
        TykStorageSet("k", "v", end);
        TykStorageIncr("counter" + end, end);
        return TykStorageTTL("k") === TykStorageTTL("counter" + end) && TykStorageTTL("k") !== 0;
      }).concat(keys.map(function (key) { return TykStorageGet(key).length === key.length; }));
    `);
    assert.deepEqual([failure, outcome.ok, logs.length], [undefined, true, 1]);
    assert.deepEqual(value, Array(18).fill(true));
  });

  test("any value of any type in any argument is answered, never a crash", async () => {
    const values = [
      "undefined",
      "null",
      "1e21",
      "Symbol()",
      "[1,[2]]",
      "function () {}",
      "new Proxy({}, {})",
      "{ toString: function () { throw 1 } }",
      "{ toString: 1, valueOf: 1 }",
      '"x".repeat(5e6)',
      "Object.create(null)",
      '"\\ud800\\u0000"',
      "10n",
    ];
    const calls = [
      "log",
      "rawlog",
      "b64enc",
      "b64dec",
      "rawb64enc",
      "rawb64dec",
      "TykGetKeyData",
      "TykSetKeyData",
      "TykDelKeyData",
      "TykMakeHttpRequest",
      "TykBatchRequest",
    ];
    for (const value of values) {
      const code = calls.map((call) => `${call}(${value}, ${value}, ${value})`).join("; ");
      const { outcome } = await api.evaluate(`${code}; return 1`);
      assert.ok(outcome.ok, `${value}: ${JSON.stringify(outcome)}`);
    }
  });
});
