import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from "node:net";
import test, { type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { createEgress, type EgressDeps, type EgressRequest } from "../../lib/egress/client.ts";

const NEVER = new AbortController().signal;
const KB = 1024;

/** An HTTP server on loopback that lives as long as the test. */
async function serve(t: TestContext, listener: RequestListener): Promise<{ url: string; allow: string }> {
  const server = createServer(listener);
  const port = await listen(t, server);
  t.after(() => server.closeAllConnections());
  return { url: `http://127.0.0.1:${port}`, allow: `127.0.0.1:${port}` };
}

async function listen(t: TestContext, server: Server, host = "127.0.0.1", port = 0): Promise<number> {
  server.listen(port, host);
  await once(server, "listening");
  t.after(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** A server that nobody may reach; `visits` tells how many did. */
async function startCanary(t: TestContext): Promise<{ port: number; visits(): Promise<number> }> {
  let connections = 0;
  const count = (socket: { destroy(): void }) => {
    connections += 1;
    socket.destroy();
  };
  const port = await listen(t, createTcpServer(count));
  await listen(t, createTcpServer(count), "::1", port).catch(() => {}); // there may be no IPv6 here
  return {
    port,
    async visits() {
      // Connections are accepted in order: when this one is over, all before it are counted.
      const socket = connect(port, "127.0.0.1").resume();
      await once(socket, "close");
      return connections - 1;
    },
  };
}

function egressFor(deps: Partial<EgressDeps>) {
  const egress = createEgress({ allowHosts: [], maxResponseBytes: 64 * KB, ...deps });
  return {
    close: () => egress.close(),
    send: (url: string, request: Partial<EgressRequest> = {}, signal: AbortSignal = NEVER) =>
      egress.send({ method: "GET", headers: [], body: "", ...request, url }, { signal }),
  };
}

/** Every name is this machine. */
const lookupLoopback = async () => [{ address: "127.0.0.1", family: 4 }];

const textOf = (body: Uint8Array) => Buffer.from(body).toString();

async function bodyOf(request: IncomingMessage): Promise<string> {
  return Buffer.concat(await request.toArray()).toString();
}

/** Answers with what came in, as JSON. */
async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, url, headers } = request;
  response.end(JSON.stringify({ method, url, headers, body: await bodyOf(request) }));
}

/** Answers with the request line as it came, also with one that node:http would not take. */
async function serveFirstLine(t: TestContext): Promise<string> {
  const server = createTcpServer((socket) => {
    socket.once("data", (bytes) => {
      const line = bytes.subarray(0, bytes.indexOf("\r\n"));
      socket.end(Buffer.concat([Buffer.from("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"), line]));
    });
  });
  return `http://127.0.0.1:${await listen(t, server)}`;
}

function redirectTo(location: string, status = 302): RequestListener {
  return (_request, response) => void response.writeHead(status, { location }).end();
}

const REFUSED_URLS = [
  "http://127.0.0.1:PORT/",
  "http://127.0.0.1.:PORT/",
  "http://127.255.255.254:PORT/",
  "http://2130706433:PORT/",
  "http://017700000001:PORT/",
  "http://0x7f000001:PORT/",
  "http://0x7f.1:PORT/",
  "http://0177.0.0.1:PORT/",
  "http://0x7F.0x0.0x0.0x1:PORT/",
  "http://127.1:PORT/",
  "http://127.0.1:PORT/",
  "http://0:PORT/",
  "http://0.0.0.0:PORT/",
  "http://①②⑦.⓪.⓪.①:PORT/",
  "http://127。0。0。1:PORT/",
  "http://127%E3%80%820%E3%80%820%E3%80%821:PORT/",
  "http://[::1]:PORT/",
  "http://[0:0:0:0:0:0:0:1]:PORT/",
  "http://[::]:PORT/",
  "http://[::ffff:127.0.0.1]:PORT/",
  "http://[::ffff:7f00:1]:PORT/",
  "http://[::127.0.0.1]:PORT/",
  "http://[::ffff:0:127.0.0.1]:PORT/",
  "http://[64:ff9b::127.0.0.1]:PORT/",
  "http://[64:ff9b:1::7f00:1]:PORT/",
  "http://[2002:7f00:1::]:PORT/",
  "http://[2001:0:7f00:1::1]:PORT/",
  "http://[fe80::1]:PORT/",
  "http://localhost:PORT/",
  "http://LOCALHOST:PORT/",
  "http://localhost.:PORT/",
  "https://localhost:PORT/",
  "https://127.0.0.1:PORT/",
  "http://public.test@127.0.0.1:PORT/",
  "http://public.test:80@127.0.0.1:PORT/",
  "http://public.test%2F@127.0.0.1:PORT/",
  "http://a@public.test@127.0.0.1:PORT/",
  "http://inside.test:PORT/",
  "http://inside.test.:PORT/",
  "http://mapped.test:PORT/",
  "http://six.test:PORT/",
  "http://mixed.test:PORT/",
  "http://mixed-late.test:PORT/",
  "http://metadata.test/latest/meta-data/",
  "http://169.254.169.254/latest/meta-data/",
  "http://[fd00:ec2::254]/latest/meta-data/",
];

const ADDRESSES: Record<string, string[]> = {
  "inside.test": ["127.0.0.1"],
  "mapped.test": ["::ffff:127.0.0.1"],
  "six.test": ["::1"],
  "mixed.test": ["127.0.0.1", "8.8.8.8"],
  "mixed-late.test": ["8.8.8.8", "2606:4700:4700::1111", "127.0.0.1"],
  "metadata.test": ["169.254.169.254"],
  localhost: ["127.0.0.1", "::1"],
};

const lookupTable = async (host: string) =>
  (ADDRESSES[host.replace(/\.$/, "")] ?? []).map((address) => ({
    address,
    family: address.includes(":") ? 6 : 4,
  }));

for (const pattern of REFUSED_URLS) {
  test(`no connection goes out for ${pattern}`, async (t) => {
    const canary = await startCanary(t);
    const egress = egressFor({
      lookup: lookupTable,
      allowHosts: ["other.test", "127.0.0.1:1", "10.0.0.0/8"],
    });
    await assert.rejects(egress.send(pattern.replace("PORT", String(canary.port))), { code: "http-refused" });
    assert.equal(await canary.visits(), 0);
  });
}

const INVALID_URLS = [
  "http://[fe80::1%25lo]:PORT/",
  "http://[::1%25lo]:PORT/",
  "http://[::1%lo]:PORT/",
  "http://public.test\\@127.0.0.1:PORT/",
  "http://public.test#@127.0.0.1:PORT\\",
  "http://%31%32%37.0.0.1:PORT/",
  "http://127.0.0.1\n:PORT/",
  "http:127.0.0.1:PORT/",
  "http:/127.0.0.1:PORT/",
  "http:///127.0.0.1:PORT/",
  "//127.0.0.1:PORT/",
  "127.0.0.1:PORT",
  "unix://127.0.0.1:PORT/",
  "file:///etc/passwd",
  "http://[127.0.0.1]:PORT/",
  "http://127.0.0.1:PORT:80/",
  "",
];

for (const pattern of INVALID_URLS) {
  test(`no connection goes out for ${JSON.stringify(pattern)}, which is no URL to request`, async (t) => {
    const canary = await startCanary(t);
    const url = pattern.replace("PORT", String(canary.port));
    await assert.rejects(egressFor({ lookup: lookupLoopback }).send(url), (error: { code?: string }) =>
      ["http-invalid", "http-refused"].includes(error.code ?? ""),
    );
    assert.equal(await canary.visits(), 0);
  });
}

test("localhost is refused by what the system's own lookup says", async (t) => {
  const canary = await startCanary(t);
  await assert.rejects(egressFor({}).send(`http://localhost:${canary.port}/`), { code: "http-refused" });
  await assert.rejects(egressFor({}).send(`http://localhost.:${canary.port}/`)); // no name to some systems
  assert.equal(await canary.visits(), 0);
});

test("a refusal names the host, the rule and the setting", async () => {
  await assert.rejects(egressFor({ lookup: lookupTable }).send("http://u:p@metadata.test/x?token=1"), {
    message:
      "metadata.test (169.254.169.254) is refused: link-local address; to allow it, set HTTP_ALLOW_HOSTS=metadata.test",
  });
});

for (const target of [
  "127.0.0.1:PORT",
  "localhost:PORT",
  "[::ffff:127.0.0.1]:PORT",
  "0x7f.1:PORT",
  "u@0:PORT",
]) {
  for (const prefix of ["http://", "//", "https://", "http:\\\\"]) {
    test(`no connection goes out for a redirect to ${prefix}${target}`, async (t) => {
      const canary = await startCanary(t);
      const door = await serve(t, redirectTo(prefix + target.replace("PORT", String(canary.port))));
      const egress = egressFor({ lookup: lookupTable, allowHosts: [door.allow] });
      await assert.rejects(egress.send(door.url), { code: "http-refused" });
      assert.equal(await canary.visits(), 0);
    });
  }
}

test("a redirect to another scheme fails", async (t) => {
  for (const location of ["file:///etc/passwd", "ftp://public.test/", "data:,x", "http://", "gopher:1"]) {
    const door = await serve(t, redirectTo(location));
    await assert.rejects(egressFor({ allowHosts: [door.allow] }).send(door.url), { code: "http-failed" });
  }
});

test("a name that answers differently after the check is asked no second time", async (t) => {
  const server = await serve(t, (_request, response) => void response.end("checked"));
  let asked = 0;
  const lookup = async () => {
    asked += 1;
    return [{ address: asked === 1 ? "127.0.0.1" : "169.254.169.254", family: 4 }];
  };
  const egress = egressFor({ lookup, allowHosts: [server.allow] });
  const url = server.url.replace("127.0.0.1", "rebinding.test");
  assert.equal(textOf((await egress.send(url)).body), "checked");
  assert.equal(asked, 1);
  await assert.rejects(egress.send(url), { code: "http-refused" });
});

test("a redirect to a name is checked with a lookup of its own", async (t) => {
  const server = await serve(
    t,
    (_request, response) => void response.writeHead(302, { location: "/" }).end(),
  );
  let asked = 0;
  const lookup = async () => {
    asked += 1;
    return [{ address: asked < 3 ? "127.0.0.1" : "10.0.0.1", family: 4 }];
  };
  const egress = egressFor({ lookup, allowHosts: [server.allow] });
  await assert.rejects(egress.send(server.url.replace("127.0.0.1", "rebinding.test")), {
    code: "http-refused",
  });
  assert.equal(asked, 3);
});

test("an allowed name does not open its address to other names", async (t) => {
  const server = await serve(t, (_request, response) => void response.end("hello"));
  const egress = egressFor({ lookup: lookupLoopback, allowHosts: ["orders.test"] });
  const { port } = new URL(server.url);
  assert.equal(textOf((await egress.send(`http://orders.test:${port}/`)).body), "hello");
  await assert.rejects(egress.send(`http://other.test:${port}/`), { code: "http-refused" });
  await assert.rejects(egress.send(server.url), { code: "http-refused" });
});

test("proxy variables of the environment are not honoured", async (t) => {
  const canary = await startCanary(t);
  const server = await serve(t, (_request, response) => void response.end("direct"));
  const names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
  const before = names.map((name) => [name, process.env[name]] as const);
  t.after(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  for (const name of names) process.env[name] = `http://127.0.0.1:${canary.port}`;
  process.env.NODE_USE_ENV_PROXY = "1";
  t.after(() => delete process.env.NODE_USE_ENV_PROXY);

  const answer = await egressFor({ allowHosts: [server.allow] }).send(server.url);
  assert.equal(textOf(answer.body), "direct");
  assert.equal(await canary.visits(), 0);
});

test("each request has a connection of its own and says that it closes it", async (t) => {
  const ports = new Set<number | undefined>();
  const server = await serve(t, (request, response) => {
    ports.add(request.socket.remotePort);
    response.end(`${request.httpVersion} ${request.headers.connection}`);
  });
  const egress = egressFor({ allowHosts: [server.allow] });
  for (let sent = 0; sent < 3; sent++) {
    assert.equal(textOf((await egress.send(server.url)).body), "1.1 close");
  }
  assert.equal(ports.size, 3);
});

test("a request carries what Go's client adds, and nothing more", async (t) => {
  const server = await serve(t, echo);
  const egress = egressFor({ allowHosts: [server.allow] });
  const { headers } = JSON.parse(textOf((await egress.send(server.url)).body));
  assert.deepEqual(headers, {
    host: server.allow,
    connection: "close",
    "user-agent": "Go-http-client/1.1",
    "accept-encoding": "gzip",
  });
});

test("a request's own headers win, except those of the connection", async (t) => {
  const server = await serve(t, echo);
  const egress = egressFor({ allowHosts: [server.allow] });
  const answer = await egress.send(server.url, {
    method: "PUT",
    headers: [
      ["user-agent", "mine"],
      ["ACCEPT-encoding", "br"],
      ["Host", "elsewhere.test"],
      ["Content-Length", "1"],
      ["Transfer-Encoding", "chunked"],
      ["Connection", "keep-alive"],
      ["Upgrade", "websocket"],
      ["Expect", "100-continue"],
      ["X-One", " é "],
      ["x-one", " è\t"],
    ],
    body: "four",
  });
  const { headers, body } = JSON.parse(textOf(answer.body));
  assert.equal(body, "four");
  assert.deepEqual(headers, {
    host: server.allow,
    connection: "close",
    "content-length": "4",
    "user-agent": "mine",
    "accept-encoding": "br",
    "x-one": Buffer.from("è").toString("latin1"),
  });
});

test("credentials of the URL become an Authorization header, unless there is one", async (t) => {
  const server = await serve(t, echo);
  const egress = egressFor({ allowHosts: [server.allow] });
  const url = server.url.replace("//", "//us%65r:p%40%C3%A9@");
  const { headers } = JSON.parse(textOf((await egress.send(url)).body));
  assert.equal(headers.authorization, `Basic ${Buffer.from("user:p@é").toString("base64")}`);
  const own = await egress.send(url, { headers: [["authorization", "Bearer x"]] });
  assert.equal(JSON.parse(textOf(own.body)).headers.authorization, "Bearer x");
  assert.ok(!own.url.includes("@"));
});

const PATHS: [written: string, sent: string][] = [
  ["", "/"],
  ["?x=1", "/?x=1"],
  ["/a/../b", "/a/../b"],
  ["/a b/é", "/a%20b/%C3%A9"],
  ["/a%2Fb", "/a%2Fb"],
  ["/p?a=é&b=<>", `/p?a=${Buffer.from("é").toString("latin1")}&b=<>`],
  ["/p?a b", "/p?a%20b"],
  ["/p?", "/p?"],
  ["/p?x#cut", "/p?x"],
];

for (const [written, sent] of PATHS) {
  test(`the URL ending in "${written}" asks for "${sent}"`, async (t) => {
    const server = await serveFirstLine(t);
    const answer = await egressFor({ allowHosts: ["127.0.0.1"] }).send(server + written);
    assert.equal(Buffer.from(answer.body).toString("latin1"), `GET ${sent} HTTP/1.1`);
  });
}

test("a method is sent as it is written", async (t) => {
  const server = await serveFirstLine(t);
  const answer = await egressFor({ allowHosts: ["127.0.0.1"] }).send(server, { method: "pAtch" });
  assert.equal(textOf(answer.body), "pAtch / HTTP/1.1");
});

for (const request of [
  { method: "G ET" },
  { method: "CONNECT" },
  { headers: [["X One", "a"]] as [string, string][] },
  { headers: [["", "a"]] as [string, string][] },
  { headers: [["X-One", "a\r\nX-Two: b"]] as [string, string][] },
  { headers: [["X-One", "a\0"]] as [string, string][] },
]) {
  test(`a request with ${JSON.stringify(request)} is invalid and is not sent`, async (t) => {
    const canary = await startCanary(t);
    const egress = egressFor({ allowHosts: ["127.0.0.1"] });
    await assert.rejects(egress.send(`http://127.0.0.1:${canary.port}/`, request), { code: "http-invalid" });
    assert.equal(await canary.visits(), 0);
  });
}

/** [status, method sent, method and body after the redirect] */
const REDIRECTS: [number, string, string][] = [
  [301, "POST", "GET "],
  [302, "POST", "GET "],
  [303, "POST", "GET "],
  [303, "PUT", "GET "],
  [301, "DELETE", "GET "],
  [302, "GET", "GET "],
  [307, "POST", "POST a=1"],
  [308, "PUT", "PUT a=1"],
];

for (const [status, method, then] of REDIRECTS) {
  test(`a ${status} turns ${method} into ${then}`, async (t) => {
    const server = await serve(t, async (request, response) => {
      if (request.url === "/from")
        return void response.writeHead(status, { location: "to?x=1" }).end("moved");
      assert.equal(request.headers["content-type"], then.endsWith("a=1") ? "text/plain" : undefined);
      response.end(`${request.method} ${await bodyOf(request)}`);
    });
    const answer = await egressFor({ allowHosts: [server.allow] }).send(`${server.url}/from`, {
      method,
      headers: [["Content-Type", "text/plain"]],
      body: "a=1",
    });
    assert.equal(textOf(answer.body), then);
    assert.equal(answer.url, `${server.url}/to?x=1`);
  });
}

test("HEAD stays HEAD over a redirect", async (t) => {
  const methods: (string | undefined)[] = [];
  const server = await serve(t, (request, response) => {
    methods.push(request.method);
    if (request.url === "/from") response.writeHead(302, { location: "/to" });
    response.end();
  });
  await egressFor({ allowHosts: [server.allow] }).send(`${server.url}/from`, { method: "HEAD" });
  assert.deepEqual(methods, ["HEAD", "HEAD"]);
});

for (const status of [300, 304, 305, 306]) {
  test(`a ${status} with a location is an answer, not a redirect`, async (t) => {
    const server = await serve(t, redirectTo("/elsewhere", status));
    assert.equal((await egressFor({ allowHosts: [server.allow] }).send(server.url)).status, status);
  });
}

test("a redirect without a location is an answer like any other", async (t) => {
  const server = await serve(t, (_request, response) => void response.writeHead(302).end("no way"));
  const answer = await egressFor({ allowHosts: [server.allow] }).send(server.url);
  assert.deepEqual([answer.status, textOf(answer.body)], [302, "no way"]);
});

test("a redirect ring ends after ten requests", async (t) => {
  let requests = 0;
  const server = await serve(t, (_request, response) => {
    requests += 1;
    response.writeHead(302, { location: "/" }).end();
  });
  await assert.rejects(egressFor({ allowHosts: [server.allow] }).send(server.url), { code: "http-failed" });
  assert.equal(requests, 10);
});

/** Hosts that a call visits in turn, and whether the last one gets the credentials. */
const JOURNEYS: [hosts: string[], keeps: boolean][] = [
  [["a.test", "a.test"], true],
  [["a.test", "sub.a.test"], true],
  [["a.test", "sub.a.test", "a.test"], true],
  [["a.test", "b.test"], false],
  [["sub.a.test", "a.test"], false],
  [["a.test", "xa.test"], false],
  [["a.test", "b.test", "a.test"], false],
  [["a.test", "127.0.0.1"], false],
];

for (const [hosts, keeps] of JOURNEYS) {
  test(`credentials are ${keeps ? "kept" : "dropped"} on the way ${hosts.join(" -> ")}`, async (t) => {
    const server = await serve(t, async (request, response) => {
      const [next, ...rest] = (request.url ?? "").slice(1).split("/");
      if (!next) return echo(request, response);
      response.writeHead(302, { location: `http://${next}:${port}/${rest.join("/")}` }).end();
    });
    const { port } = new URL(server.url);
    const [first, ...others] = hosts;
    const egress = egressFor({ lookup: lookupLoopback, allowHosts: ["127.0.0.0/8"] });
    const answer = await egress.send(`http://${first}:${port}/${others.join("/")}`, {
      headers: [
        ["Authorization", "a"],
        ["Cookie", "b"],
        ["WWW-Authenticate", "c"],
        ["X-Plain", "d"],
      ],
    });
    const { headers } = JSON.parse(textOf(answer.body));
    const { authorization, cookie, "www-authenticate": authenticate, "x-plain": plain, referer } = headers;
    assert.deepEqual(
      [authorization, cookie, authenticate],
      keeps ? ["a", "b", "c"] : Array(3).fill(undefined),
    );
    assert.equal(plain, "d");
    assert.equal(referer, undefined);
  });
}

test("a gzip answer is unpacked, and its headers no longer tell of it", async (t) => {
  const server = await serve(t, (_request, response) => {
    const packed = gzipSync("hello ".repeat(100));
    response
      .writeHead(200, { "content-encoding": "GZIP", "content-length": packed.length, "x-one": "a" })
      .end(packed);
  });
  const { headers, body } = await egressFor({ allowHosts: [server.allow] }).send(server.url);
  assert.equal(textOf(body), "hello ".repeat(100));
  assert.equal(headers["Content-Encoding"], undefined);
  assert.equal(headers["Content-Length"], undefined);
  assert.deepEqual(headers["X-One"], ["a"]);
});

for (const request of [{ headers: [["accept-encoding", "gzip"]] }, { headers: [["Range", "bytes=0-"]] }]) {
  test(`a gzip answer stays packed for ${JSON.stringify(request.headers)}`, async (t) => {
    const packed = gzipSync("hello");
    const server = await serve(t, (_request, response) => {
      response.writeHead(200, { "content-encoding": "gzip" }).end(packed);
    });
    const headers = request.headers as [string, string][];
    const answer = await egressFor({ allowHosts: [server.allow] }).send(server.url, { headers });
    assert.deepEqual(Buffer.from(answer.body), packed);
    assert.deepEqual(answer.headers["Content-Encoding"], ["gzip"]);
  });
}

test("an empty answer that calls itself gzip is empty", async (t) => {
  const server = await serve(t, (_request, response) => {
    response.writeHead(200, { "content-encoding": "gzip" }).end();
  });
  assert.equal((await egressFor({ allowHosts: [server.allow] }).send(server.url)).body.length, 0);
});

test("an answer that is no gzip, or is cut off, fails", async (t) => {
  for (const body of [Buffer.from("plain"), gzipSync("hello".repeat(100)).subarray(0, 20)]) {
    const server = await serve(t, (_request, response) => {
      response.writeHead(200, { "content-encoding": "gzip" }).end(body);
    });
    await assert.rejects(egressFor({ allowHosts: [server.allow] }).send(server.url), { code: "http-failed" });
  }
});

test("a gzip bomb fails at the limit", async (t) => {
  const bomb = gzipSync(Buffer.alloc(32 * KB * KB));
  assert.ok(bomb.length < 64 * KB);
  const server = await serve(t, (_request, response) => {
    response.writeHead(200, { "content-encoding": "gzip" }).end(bomb);
  });
  await assert.rejects(egressFor({ allowHosts: [server.allow] }).send(server.url), {
    code: "http-too-large",
    message: "127.0.0.1: the answer is larger than 65536 bytes",
  });
});

test("an answer of the limit is read, one byte more fails", async (t) => {
  for (const chunked of [false, true]) {
    const server = await serve(t, (request, response) => {
      if (chunked) response.write("");
      response.end(Buffer.alloc(Number(request.url?.slice(1))));
    });
    const egress = egressFor({ allowHosts: [server.allow] });
    assert.equal((await egress.send(`${server.url}/${64 * KB}`)).body.length, 64 * KB);
    await assert.rejects(egress.send(`${server.url}/${64 * KB + 1}`), { code: "http-too-large" });
  }
});

test("an answer without end is cut at the limit", async (t) => {
  const { promise: cut, resolve: onCut } = Promise.withResolvers<void>();
  const server = await serve(t, (_request, response) => {
    const pour = () => {
      while (response.write(Buffer.alloc(16 * KB)));
    };
    response.on("drain", pour).on("close", onCut);
    pour();
  });
  await assert.rejects(egressFor({ allowHosts: [server.allow] }).send(server.url), {
    code: "http-too-large",
  });
  await cut;
});

for (const [when, answer] of [
  ["before the headers", () => {}],
  ["within the body", (response: ServerResponse) => void response.write("x")],
] as const) {
  test(`an answer that stops ${when} ends with the signal, and so does its connection`, async (t) => {
    const { promise: arrived, resolve: onArrival } = Promise.withResolvers<void>();
    const { promise: closed, resolve: onClose } = Promise.withResolvers<void>();
    const server = await serve(t, (request, response) => {
      request.socket.on("close", onClose);
      answer(response);
      onArrival();
    });
    const stop = new AbortController();
    const sent = egressFor({ allowHosts: [server.allow] }).send(server.url, {}, stop.signal);
    const refused = assert.rejects(sent, {
      code: "http-failed",
      message: "127.0.0.1: stopped before the answer was complete",
    });
    await arrived;
    stop.abort();
    await refused;
    await closed;
  });
}

test("a signal that has fired already sends nothing", async (t) => {
  const canary = await startCanary(t);
  const egress = egressFor({ allowHosts: ["127.0.0.1"] });
  const url = `http://127.0.0.1:${canary.port}/`;
  await assert.rejects(egress.send(url, {}, AbortSignal.abort()), { code: "http-failed" });
  assert.equal(await canary.visits(), 0);
});

test("the signal ends a name lookup that never answers", async () => {
  const stop = new AbortController();
  const lookup = () => {
    stop.abort();
    return new Promise<never>(() => {});
  };
  await assert.rejects(egressFor({ lookup }).send("http://slow.test/", {}, stop.signal), {
    code: "http-failed",
  });
});

test("a name lookup that never answers ends by the connect timeout", async (t) => {
  await serve(t, () => {}); // keeps the process alive: the timer alone does not
  const egress = egressFor({ lookup: () => new Promise<never>(() => {}), connectTimeoutMs: 1 });
  await assert.rejects(egress.send("http://slow.test/"), {
    code: "http-failed",
    message: "slow.test: no answer to the name lookup in time",
  });
});

test("a name without an address, a closed port and a broken answer fail", async (t) => {
  const egress = egressFor({ lookup: lookupTable, allowHosts: ["127.0.0.1"] });
  await assert.rejects(egress.send("http://nowhere.test/"), { code: "http-failed" });

  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const gone = createTcpServer();
  const port = await listen(t, gone);
  gone.close(() => resolve());
  await closed;
  await assert.rejects(egress.send(`http://127.0.0.1:${port}/`), { code: "http-failed" });

  for (const raw of ["", "no http\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"]) {
    const broken = await listen(
      t,
      createTcpServer((socket) => void socket.end(raw)),
    );
    await assert.rejects(egress.send(`http://127.0.0.1:${broken}/`), { code: "http-failed" });
  }
});

test("a server that speaks no TLS fails an https request", async (t) => {
  const server = await serve(t, () => {});
  const url = server.url.replace("http:", "https:");
  await assert.rejects(egressFor({ allowHosts: [server.allow] }).send(url), { code: "http-failed" });
});

test("close ends what is under way, and what comes later fails", async (t) => {
  const { promise: arrived, resolve: onArrival } = Promise.withResolvers<void>();
  const server = await serve(t, () => onArrival());
  const egress = egressFor({ allowHosts: [server.allow] });
  const refused = assert.rejects(egress.send(server.url), { code: "http-failed" });
  await arrived;
  await egress.close();
  await refused;
  await assert.rejects(egress.send(server.url), { code: "http-failed" });
});

test("response headers have canonical names, values in order and nothing of the transfer", async (t) => {
  const raw =
    "HTTP/1.1 200 OK\r\nx-one: a\r\nX-ONE: b\r\n__proto__: c\r\nTrailer: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  const port = await listen(
    t,
    createTcpServer((socket) => void socket.end(raw)),
  );
  const { headers } = await egressFor({ allowHosts: ["127.0.0.1"] }).send(`http://127.0.0.1:${port}/`);
  assert.deepEqual(Object.entries(headers), [
    ["X-One", ["a", "b"]],
    ["__proto__", ["c"]],
  ]);
});
