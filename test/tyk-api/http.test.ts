import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import test, { type TestContext } from "node:test";
import fc from "fast-check";
import { createEgress, type Egress } from "../../lib/egress/client.ts";
import { batchRequest, type HttpContext, makeHttpRequest } from "../../lib/tyk-api/http.ts";

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  t.after(() => server.closeAllConnections());
  return listen(t, server);
}

async function listen(t: TestContext, server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Answers every connection with these bytes. */
function serveRaw(t: TestContext, ...parts: (string | Buffer)[]): Promise<string> {
  const bytes = Buffer.concat(parts.map((part) => Buffer.from(part as string)));
  return listen(
    t,
    createTcpServer((socket) => void socket.once("data", () => socket.end(bytes))),
  );
}

/** Answers with what came in, as JSON. */
async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = Buffer.concat(await request.toArray()).toString();
  const { method, url, headers } = request;
  response.end(JSON.stringify({ method, url, headers, body }));
}

interface Recorded extends HttpContext {
  logged: string[];
  recorded: { method: string; url: string; status: number }[];
}

function createContext(overrides: Partial<HttpContext> = {}): Recorded {
  const logged: string[] = [];
  const recorded: Recorded["recorded"] = [];
  let keys = 0;
  return {
    egress: createEgress({ allowHosts: ["127.0.0.1"], maxResponseBytes: 65_536, lookup: lookupNothing }),
    signal: new AbortController().signal,
    idempotencyKey: () => `key-${++keys}`,
    admit: () => true,
    log: (level, message) => void logged.push(`${level} ${message}`),
    record: (entry) => void recorded.push(entry),
    ...overrides,
    logged,
    recorded,
  };
}

const lookupNothing = async () => [{ address: "10.0.0.1", family: 4 }];

/** Sends a request object; the parsed answer. */
async function ask(request: object, context = createContext()) {
  const answer = await makeHttpRequest(JSON.stringify(request), context);
  assert.deepEqual(context.logged, []);
  return JSON.parse(answer ?? "");
}

/** What the echo server got. */
async function askEcho(t: TestContext, request: object, context = createContext()) {
  const url = await serve(t, echo);
  return JSON.parse((await ask({ Domain: url, Resource: "/", ...request }, context)).body);
}

async function closedPort(t: TestContext): Promise<string> {
  const server = createTcpServer();
  const url = await listen(t, server);
  server.close();
  await once(server, "close");
  return url;
}

test("no argument gives undefined without a request or a line in the log", async () => {
  const context = createContext();
  assert.equal(await makeHttpRequest("undefined", context), undefined);
  assert.deepEqual(context.logged, []);
  assert.deepEqual(context.recorded, []);
});

const WRONG = [
  "{not valid json}",
  "",
  "null",
  "[]",
  '"text"',
  "1",
  "{}",
  '{"Method":"GET"}',
  '{"Method":1}',
  '{"Domain":["http://127.0.0.1"]}',
  '{"Domain":"http://127.0.0.1","Headers":{"a":1}}',
  '{"Domain":"http://127.0.0.1","FormData":[]}',
  '{"Domain":"http://127.0.0.1","Method":"G ET"}',
  '{"Domain":"http://127.0.0.1","Headers":{"a b":"c"}}',
  '{"Domain":"http://127.0.0.1","Headers":{"a":"b\\r\\nc: d"}}',
  '{"Domain":"example.com/"}',
  '{"Resource":"/path"}',
  '{"Domain":"ftp://example.com/"}',
  '{"Domain":"http://example.com","Resource":"/%zz"}',
  '{"Domain":"http://example.com:port/"}',
];

for (const text of WRONG) {
  test(`${text || "an empty text"} gives undefined, one line in the log and no request`, async () => {
    const sends: Egress = createEgress({ allowHosts: [], maxResponseBytes: 1, lookup: lookupNothing });
    const context = createContext({ egress: sends });
    assert.equal(await makeHttpRequest(text, context), undefined);
    assert.equal(context.logged.length, 1);
    assert.match(context.logged[0] ?? "", /^error TykMakeHttpRequest: \S/);
  });
}

test("the answer is JSON as Go's encoder writes it, byte for byte", async (t) => {
  const url = await serveRaw(
    t,
    "HTTP/1.1 201 Created\r\nx-one: a\r\nX-One: b\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nok",
    Buffer.from([0xff]),
    "<",
  );
  const headers = '{"Content-Length":["4"],"Content-Type":["text/plain"],"X-One":["a","b"]}';
  const body = '"ok\\ufffd\\u003c"';
  assert.equal(
    await makeHttpRequest(
      JSON.stringify({ Method: "GET", Domain: url, Resource: "/p?x=1" }),
      createContext(),
    ),
    `{"Code":201,"Body":${body},"Headers":${headers},"code":201,"body":${body},"headers":${headers}}`,
  );
});

test("what JavaScript and HTML would trip over is escaped, and bytes that are no text are replaced one by one", async (t) => {
  const bytes = Buffer.concat([
    Buffer.from('<>&\u2028\u2029é😀"\\\n'),
    Buffer.from([0xe2, 0x82, 0x41, 0xed, 0xa0, 0x80]),
  ]);
  const url = await serveRaw(t, "HTTP/1.1 200 OK\r\nX-Html: <&>\r\n\r\n", bytes);
  const text = await makeHttpRequest(JSON.stringify({ Domain: url }), createContext());
  assert.match(
    text ?? "",
    /"body":"\\u003c\\u003e\\u0026\\u2028\\u2029é😀\\"\\\\\\n\\ufffd\\ufffdA\\ufffd\\ufffd\\ufffd"/,
  );
  assert.match(text ?? "", /"headers":\{"X-Html":\["\\u003c\\u0026\\u003e"\]\}/);
});

test("header names are sorted, also those that look like numbers or like __proto__", async (t) => {
  const url = await serveRaw(t, "HTTP/1.1 200 OK\r\nb: 1\r\n9: 2\r\n10: 3\r\n__proto__: 4\r\nA: 5\r\n\r\n");
  const text = await makeHttpRequest(JSON.stringify({ Domain: url }), createContext());
  assert.match(
    text ?? "",
    /"headers":\{"10":\["3"\],"9":\["2"\],"A":\["5"\],"B":\["1"\],"__proto__":\["4"\]\}/,
  );
});

for (const [status, body] of [
  [500, "broken"],
  [404, "gone"],
  [204, ""],
] as const) {
  test(`a ${status} is a result like any other`, async (t) => {
    const url = await serve(t, (_request, response) => void response.writeHead(status).end(body));
    const answer = await ask({ Method: "GET", Domain: url });
    assert.deepEqual([answer.Code, answer.Body, answer.code, answer.body], [status, body, status, body]);
  });
}

test("a POST sends its body and says how long it is, but not of what type", async (t) => {
  const url = await serve(t, async (request, response) => {
    response.statusCode = 201;
    await echo(request, response);
  });
  const answer = await ask({ Method: "POST", Domain: url, Body: "test body" });
  assert.equal(answer.Code, 201);
  const { method, headers, body } = JSON.parse(answer.Body);
  assert.deepEqual(
    [method, headers["content-length"], headers["content-type"], body],
    ["POST", "9", undefined, "test body"],
  );
});

test("members are matched in any case, null is empty, and unknown ones are ignored", async (t) => {
  const url = await serve(t, echo);
  const {
    method,
    url: path,
    headers,
  } = JSON.parse(
    (await ask({ mEthod: null, DOMAIN: url, resource: "/x", headers: { "X-Null": null }, Other: 1 })).body,
  );
  assert.deepEqual([method, path, headers["x-null"]], ["GET", "/x", ""]);
});

test("a request carries what Go's client adds, and the script's headers but for Host", async (t) => {
  const { headers } = await askEcho(t, { Headers: { host: "elsewhere.test", "x-one": "a" } });
  assert.match(headers.host, /^127\.0\.0\.1:/);
  delete headers.host;
  assert.deepEqual(headers, {
    connection: "close",
    "user-agent": "Go-http-client/1.1",
    "accept-encoding": "gzip",
    "x-one": "a",
  });
});

test("form data is sorted and encoded as Go does it, without a content type", async (t) => {
  const form = {
    b: "x y&z",
    a: "é/~*'()!",
    "c d": "",
    9: "n",
    10: "t",
    "\u{1f600}": "1",
    "\uffff": "2",
    "\ud800": "3",
  };
  const { body, headers } = await askEcho(t, { Method: "POST", FormData: form });
  assert.equal(
    body,
    "10=t&9=n&a=%C3%A9%2F~%2A%27%28%29%21&b=x+y%26z&c+d=&%EF%BF%BD=3&%EF%BF%BF=2&%F0%9F%98%80=1",
  );
  assert.equal(headers["content-type"], undefined);
});

test("a body wins over form data, an empty one does not", async (t) => {
  assert.equal((await askEcho(t, { Method: "PUT", Body: "b", FormData: { a: "1" } })).body, "b");
  assert.equal((await askEcho(t, { Method: "PUT", Body: "", FormData: { a: "1" } })).body, "a=1");
});

test("domain and resource are put together as they are", async (t) => {
  const url = await serve(t, echo);
  const pathOf = async (Domain: string, Resource: string) =>
    JSON.parse((await ask({ Domain, Resource })).body).url;
  assert.equal(await pathOf(`${url}/api`, "/v1/a b?x=1"), "/api/v1/a%20b?x=1");
  assert.equal(await pathOf(`${url}/a#b`, "/c"), "/a%23b/c");
  assert.equal(await pathOf(url, "?q=1#cut"), "/?q=1");
  assert.equal(await pathOf("", `${url}/x/../y`), "/x/../y");
});

test("an Idempotency-Key goes with each request that may change something", async (t) => {
  const url = await serve(t, echo);
  const context = createContext();
  const keys: Record<string, unknown> = {};
  for (const Method of ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", ""]) {
    const { body } = await ask({ Method, Domain: url }, context);
    keys[Method] = body === "" ? undefined : JSON.parse(body).headers["idempotency-key"];
  }
  assert.deepEqual(keys, {
    GET: undefined,
    HEAD: undefined,
    OPTIONS: undefined,
    POST: "key-1",
    PUT: "key-2",
    PATCH: "key-3",
    DELETE: "key-4",
    "": undefined,
  });
});

test("a script's own Idempotency-Key stays, and none is made", async (t) => {
  const context = createContext({ idempotencyKey: () => assert.fail("asked for a key") });
  const { headers } = await askEcho(t, { Method: "POST", Headers: { "idempotency-KEY": "mine" } }, context);
  assert.equal(headers["idempotency-key"], "mine");
});

test("each request is recorded with its status and without its secrets", async (t) => {
  const url = await serve(t, (_request, response) => void response.writeHead(202).end());
  const context = createContext();
  await ask(
    { Method: "PUT", Domain: url.replace("//", "//user:secret@"), Resource: "/p?token=secret" },
    context,
  );
  const closed = await closedPort(t);
  await makeHttpRequest(JSON.stringify({ Domain: closed, Resource: "/x" }), context);
  assert.deepEqual(context.recorded, [
    { method: "PUT", url: `${url}/p`, status: 202 },
    { method: "GET", url: `${closed}/x`, status: 0 },
  ]);
});

test("a refusal in the log names the host, the rule and the setting", async () => {
  const context = createContext();
  const request = { Domain: "http://169.254.169.254", Resource: "/latest/meta-data/" };
  assert.equal(await makeHttpRequest(JSON.stringify(request), context), undefined);
  assert.deepEqual(context.logged, [
    "error TykMakeHttpRequest: 169.254.169.254 is refused: link-local address; to allow it, set HTTP_ALLOW_HOSTS=169.254.169.254 (http-refused)",
  ]);
});

test("no failure puts a header, a body, credentials or a query into the log", async (t) => {
  const redirect = await serve(t, (_request, response) => {
    response.writeHead(302, { location: "http://u:secret@10.0.0.1/?secret" }).end();
  });
  const domains = [
    redirect,
    await closedPort(t),
    await serveRaw(t, "secret"),
    await serveRaw(t, "HTTP/1.1 200 OK\r\nsecret secret: secret\r\n\r\n"),
    await serveRaw(t, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nsecret"),
    await serveRaw(t, "HTTP/1.1 302 OK\r\nLocation: secret://secret\r\n\r\n"),
    "http://10.0.0.1",
    "http://metadata.test",
    "ftp://a.test",
    "http://a.test:x",
    "http://a.test/%zz",
    "http://\u0001",
  ].map((domain) => domain.replace("//", "//u:secret@"));
  const parts = [
    { Body: "secret", Headers: { Authorization: "secret" }, Method: "POST" },
    { Headers: { "secret name": "secret" } },
    { Headers: { secret: "secret\r\n" } },
    { Headers: { secret: 1 }, FormData: { secret: [] } },
    { FormData: { secret: [] } },
    { Method: "secret method" },
    { Body: ["secret"] },
  ];
  const context = createContext();
  for (const Domain of domains) {
    for (const part of parts) {
      const request = JSON.stringify({ Domain, Resource: "/?secret", ...part });
      assert.equal(await makeHttpRequest(request, context), undefined);
      assert.equal(await makeHttpRequest(`${request}secret`, context), undefined);
      await batchRequest(
        JSON.stringify({
          requests: [
            {
              relative_url: `${Domain}/?secret`,
              body: part.Body,
              headers: part.Headers,
              method: part.Method,
            },
          ],
        }),
        context,
      );
    }
  }
  assert.equal(context.logged.length, domains.length * parts.length * 3);
  assert.deepEqual(
    context.logged.filter((line) => /secret/i.test(line)),
    [],
  );
});

test("an answer that never ends gives undefined when the signal fires", async (t) => {
  const { promise: arrived, resolve: onArrival } = Promise.withResolvers<void>();
  const url = await serve(t, (_request, response) => {
    response.write("x");
    onArrival();
  });
  const stop = new AbortController();
  const context = createContext({ signal: stop.signal });
  const answer = makeHttpRequest(JSON.stringify({ Domain: url }), context);
  await arrived;
  stop.abort();
  assert.equal(await answer, undefined);
  assert.deepEqual(context.logged, [
    "error TykMakeHttpRequest: 127.0.0.1: stopped before the answer was complete (http-failed)",
  ]);
});

const aUrl = fc.oneof(
  fc.string(),
  fc.webUrl(),
  fc.webAuthority().map((host) => `http://${host}/`),
);
const aRequest = fc.record(
  {
    Method: fc.oneof(fc.string(), fc.constantFrom("GET", "POST", "TRACE")),
    Domain: aUrl,
    Resource: fc.oneof(fc.string(), fc.webPath()),
    Headers: fc.dictionary(fc.string(), fc.string()),
    Body: fc.oneof(fc.string(), fc.constant(null)),
    FormData: fc.dictionary(fc.string({ unit: "binary" }), fc.string({ unit: "binary" })),
  },
  { requiredKeys: [] },
);
const anyText = fc.oneof(
  fc.string(),
  fc.json(),
  aRequest.map((request) => JSON.stringify(request)),
);

test("no text makes TykMakeHttpRequest throw", async () => {
  await fc.assert(
    fc.asyncProperty(anyText, async (text) => {
      const context = createContext();
      assert.equal(await makeHttpRequest(text, context), undefined);
      assert.equal(context.logged.length, text === "undefined" ? 0 : 1);
    }),
    { numRuns: 300 },
  );
});

test("no text makes TykBatchRequest throw, and what it returns is a JSON array", async () => {
  const aBatch = fc
    .record({
      requests: fc.array(
        fc.record({
          relative_url: aUrl,
          method: fc.string(),
          headers: fc.dictionary(fc.string(), fc.string()),
        }),
      ),
      suppress_parallel_execution: fc.boolean(),
    })
    .map((batch) => JSON.stringify(batch));
  await fc.assert(
    fc.asyncProperty(fc.oneof(anyText, aBatch), async (text) => {
      const answer = await batchRequest(text, createContext());
      assert.ok(answer === undefined || Array.isArray(JSON.parse(answer)));
    }),
    { numRuns: 300 },
  );
});

test("whatever throws underneath, the script gets undefined", async () => {
  const context = createContext({ egress: { send: () => Promise.reject(new TypeError("a bug")) } });
  assert.equal(await makeHttpRequest('{"Domain":"http://a.test"}', context), undefined);
  assert.deepEqual(context.logged, ["error TykMakeHttpRequest: a bug"]);
});

// The batch.

const FAILED = { relative_url: "", code: 0, headers: null, body: "" };

for (const text of ['{"requests":[]}', "{}", "null", '{"requests":null}']) {
  test(`the batch ${text} gives an empty list`, async () => {
    assert.equal(await batchRequest(text, createContext()), "[]");
  });
}

for (const text of [
  "{invalid json}",
  "undefined",
  "[]",
  '{"requests":{}}',
  '{"requests":[1]}',
  '{"requests":[{"body":1}]}',
]) {
  test(`the batch ${text} gives undefined and one line in the log`, async () => {
    const context = createContext();
    assert.equal(await batchRequest(text, context), undefined);
    assert.equal(context.logged.length, 1);
    assert.match(context.logged[0] ?? "", /^error TykBatchRequest: \S/);
  });
}

test("the requests of a batch in turn are answered in their order, one at a time", async (t) => {
  let open = 0;
  const url = await serve(t, (request, response) => {
    open += 1;
    assert.equal(open, 1);
    response.on("finish", () => {
      open -= 1;
    });
    response.writeHead(200, { "x-one": "a" }).end(`<${request.url}>`);
  });
  const urls = [`${url}/c?x=1&y`, `${url}/a`, `${url}/b`];
  const batch = {
    requests: urls.map((relative_url) => ({ relative_url })),
    suppress_parallel_execution: true,
  };
  const text = (await batchRequest(JSON.stringify(batch), createContext())) ?? "";
  assert.ok(
    text.startsWith(
      `[{"relative_url":"${urls[0]?.replace("&", "\\u0026")}","code":200,"headers":{"Connection":`,
    ),
  );
  const units = JSON.parse(text);
  assert.deepEqual(
    units.map((unit: { relative_url: string; body: string }) => [unit.relative_url, unit.body]),
    [
      [urls[0], "</c?x=1&y>"],
      [urls[1], "</a>"],
      [urls[2], "</b>"],
    ],
  );
  assert.deepEqual(Object.keys(units[0]), ["relative_url", "code", "headers", "body"]);
  assert.deepEqual(units[0].headers["X-One"], ["a"]);
});

test("the requests of a batch go out side by side, and are answered in their order all the same", async (t) => {
  const waiting: ServerResponse[] = [];
  const url = await serve(t, (request, response) => {
    response.setHeader("x-path", request.url ?? "");
    waiting.push(response);
    if (waiting.length === 3) for (const last of waiting.reverse()) last.end();
  });
  const requests = ["/1", "/2", "/3"].map((path) => ({ relative_url: url + path }));
  const units = JSON.parse((await batchRequest(JSON.stringify({ requests }), createContext())) ?? "");
  assert.deepEqual(
    units.map((unit: { headers: Record<string, string[]> }) => unit.headers["X-Path"]),
    [["/1"], ["/2"], ["/3"]],
  );
});

test("a request of a batch to a closed port gives an empty unit and a line in the log", async (t) => {
  const context = createContext();
  const batch = JSON.stringify({ requests: [{ relative_url: await closedPort(t) }] });
  assert.equal(await batchRequest(batch, context), '[{"relative_url":"","code":0,"headers":null,"body":""}]');
  assert.equal(context.logged.length, 1);
});

test("a request of a batch that fails leaves the others alone", async (t) => {
  const url = await serve(t, echo);
  const relative_urls = ["/relative", "", "http://10.0.0.1/", `${url}/fine`, "ftp://a.test/", "//a.test/"];
  const requests = [
    ...relative_urls.map((relative_url) => ({ relative_url })),
    { relative_url: url, headers: { "a b": "c" } },
  ];
  for (const suppress_parallel_execution of [false, true]) {
    const text = await batchRequest(
      JSON.stringify({ requests, suppress_parallel_execution }),
      createContext(),
    );
    const units = JSON.parse(text ?? "");
    assert.equal(units[3].code, 200);
    assert.deepEqual(units.toSpliced(3, 1), Array(6).fill(FAILED));
  }
});

for (const wrong of [
  { relative_url: "http://a.test/%zz" },
  { relative_url: "http://a.test:x/" },
  { relative_url: ":" },
  { relative_url: "a:80\n" },
  { method: "G ET" },
]) {
  test(`one request with ${JSON.stringify(wrong)} fails the whole batch`, async (t) => {
    const url = await serve(t, () => assert.fail("a request came"));
    const requests = [
      { relative_url: url, method: "POST" },
      { relative_url: url, ...wrong },
    ];
    const context = createContext({ idempotencyKey: () => assert.fail("asked for a key") });
    assert.equal(await batchRequest(JSON.stringify({ requests }), context), undefined);
    assert.equal(context.logged.length, 1);
  });
}

test("the requests of a batch get their keys in their order, however they are sent", async (t) => {
  const url = await serve(t, echo);
  const methods = ["POST", "", "DELETE", "put"];
  const requests = methods.slice(0, 3).map((method) => ({ relative_url: url, method, body: method }));
  const units = JSON.parse((await batchRequest(JSON.stringify({ requests }), createContext())) ?? "");
  const got = units.map((unit: { body: string }) => JSON.parse(unit.body));
  assert.deepEqual(
    got.map(({ method, body, headers }: Record<string, never>) => [
      method,
      body,
      headers?.["idempotency-key"],
    ]),
    [
      ["POST", "POST", "key-1"],
      ["GET", "", undefined],
      ["DELETE", "DELETE", "key-2"],
    ],
  );
});

test("a batch of more requests than the run may send is not sent, and says nothing: its run ends", async (t) => {
  const url = await serve(t, (_request, response) => void response.end());
  for (const text of [
    JSON.stringify({ requests: Array(3).fill({ relative_url: url }) }),
    JSON.stringify({ Requests: Array(3).fill({ relative_url: url }) }),
    `{"requests":[],"REQUESTS":${JSON.stringify(Array(3).fill({ relative_url: url }))}}`,
    JSON.stringify({ requeſtſ: Array(3).fill({ relative_url: url }) }),
  ]) {
    const asked: number[] = [];
    const admit = (most: number) => (requests: number) => {
      asked.push(requests);
      return requests <= most;
    };
    const refused = createContext({ admit: admit(2) });
    assert.equal(await batchRequest(text, refused), undefined);
    assert.deepEqual([refused.recorded, refused.logged], [[], []]);
    const units = JSON.parse((await batchRequest(text, createContext({ admit: admit(3) }))) ?? "");
    assert.deepEqual(
      units.map((unit: { code: number }) => unit.code),
      [200, 200, 200],
    );
    assert.deepEqual(asked, [3, 3]);
  }
});
