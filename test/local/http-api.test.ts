import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, it } from "node:test";
import { type HttpApi, startHttpApi } from "../../local/http-api.ts";

describe("the routes of the local HTTP API", () => {
  let api: HttpApi;
  before(async () => {
    const route = (statusCode: number) => async (given: unknown) => ({
      statusCode,
      body: JSON.stringify((given as { pathParameters: unknown }).pathParameters),
    });
    api = await startHttpApi({
      port: 0,
      routes: {
        "ANY /events/{api_id}": route(202),
        "GET /sessions/{key+}": route(203),
        $default: route(404),
      },
    });
  });
  after(() => api.close());

  it("are those of API Gateway: a method or any, a slash counts, and one for all the rest", async () => {
    for (const [method, path, status, parameters] of [
      ["POST", "/events/demo", 202, { api_id: "demo" }],
      ["GET", "/events/a%20b", 202, { api_id: "a b" }],
      ["GET", "/sessions/a/b", 203, { key: "a/b" }],
      ["PUT", "/sessions/a", 404, {}],
      ["POST", "/events/demo/", 404, {}],
      ["POST", "/events", 404, {}],
    ] as const) {
      const answer = await fetch(api.url + path, { method });
      assert.deepEqual([answer.status, await answer.json()], [status, parameters], `${method} ${path}`);
    }
  });
});

describe("the local HTTP API", () => {
  let api: HttpApi;
  let port: string;
  const invoked: unknown[] = [];

  before(async () => {
    const invoke = async (given: unknown) => {
      invoked.push(given);
      return { statusCode: 202 };
    };
    api = await startHttpApi({
      port: 0,
      allowHosts: ["host.docker.internal", "Gatehook.test:3000", "[fd00::2]"],
      routes: { "ANY /events/{api_id}": invoke },
    });
    ({ port } = new URL(api.url));
  });
  after(() => api.close());

  function send(headers: Record<string, string>, method = "POST", path = "/events/demo"): Promise<number> {
    return new Promise((resolve, reject) => {
      const sent = request(api.url + path, { method, headers, setHost: false });
      sent.once("response", (answer) => resolve(answer.resume().statusCode ?? 0)).once("error", reject);
      sent.end(method === "POST" || method === "PUT" ? "{}" : "");
    });
  }

  async function refuses(status: number, headers: Record<string, string>) {
    invoked.length = 0;
    for (const method of ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
      for (const path of ["/events/demo", "/sessions/demo-key", "/"])
        assert.equal(
          await send(headers, method, path),
          status,
          `${method} ${path} ${JSON.stringify(headers)}`,
        );
    assert.deepEqual(invoked, []);
  }

  const own = () => ["127.0.0.1", "localhost", "LocalHost", "[::1]"].map((name) => `${name}:${port}`);
  const allowed = () => [
    "host.docker.internal",
    "Host.Docker.Internal:8080",
    `host.docker.internal:${port}`,
    "gatehook.test:3000",
    "[fd00::2]:3000",
  ];
  const foreign = () => [
    "evil.example",
    `evil.example:${port}`,
    `127.0.0.1.evil.example:${port}`,
    `localhost.evil.example:${port}`,
    `x.localhost:${port}`,
    `localhost.:${port}`,
    `notlocalhost:${port}`,
    `evil.example:80@localhost:${port}`,
    `localhost/evil.example:${port}`,
    `127.0.0.1 , localhost:${port}`,
    `192.168.1.7:${port}`,
    `0.0.0.0:${port}`,
    `127.0.0.2:${port}`,
    `[::]:${port}`,
    `::1:${port}`,
    "127.0.0.1",
    "localhost",
    "localhost:",
    `localhost:${Number(port) - 1}`,
    `localhost:0${port}`,
    "gatehook.test",
    "gatehook.test:3001",
    "docker.internal",
    "evil.host.docker.internal",
    "host.docker.internal:",
    "host.docker.internal:3000:3000",
    "",
  ];

  it("answers to the loopback names with its own port, and to names that are allowed", async () => {
    for (const host of [...own(), ...allowed()]) assert.equal(await send({ host }), 202, host);
  });

  it("answers to no other host, as a page has it whose own name resolves to this machine", async () => {
    for (const host of foreign()) await refuses(421, { host });
  });

  it("takes what a gateway sends, which has neither Origin nor Sec-Fetch-Site", async () => {
    const gateway = { "user-agent": "Tyk-Hookshot", "content-type": "application/json" };
    assert.equal(await send({ host: `127.0.0.1:${port}`, ...gateway }), 202);
  });

  it("takes requests of its own pages", async () => {
    for (const host of [...own(), ...allowed()]) {
      assert.equal(
        await send({ host, origin: `http://${host}`, "sec-fetch-site": "same-origin" }),
        202,
        host,
      );
      assert.equal(await send({ host, "sec-fetch-site": "none" }), 202, host);
    }
  });

  it("takes no request of any other page", async () => {
    const host = `localhost:${port}`;
    const origins = foreign().flatMap((name) => [`http://${name}`, `https://${name}`]);
    for (const origin of [
      ...origins,
      "null",
      "",
      "file://",
      "http://",
      `ftp://${host}`,
      host,
      `http://${host}/`,
    ])
      await refuses(403, { host, origin, "content-type": "text/plain" });
    for (const site of ["cross-site", "same-site", "", "None", "same-origin, none"])
      await refuses(403, { host, "sec-fetch-site": site });
    await refuses(403, { host, origin: `http://${host}`, "sec-fetch-site": "cross-site" });
  });
});
