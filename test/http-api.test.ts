import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, it } from "node:test";
import { type HttpApi, startHttpApi } from "../local/http-api.ts";

describe("the routes of the local HTTP API", () => {
  let api: HttpApi;
  before(async () => {
    const route = (statusCode: number) => async (given: unknown) => ({
      statusCode,
      body: JSON.stringify((given as { pathParameters: unknown }).pathParameters),
    });
    api = await startHttpApi(0, {
      "ANY /events/{api_id}": route(202),
      "GET /sessions/{key+}": route(203),
      $default: route(404),
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
  const invoked: unknown[] = [];

  before(async () => {
    const invoke = async (given: unknown) => {
      invoked.push(given);
      return { statusCode: 202 };
    };
    api = await startHttpApi(0, { "POST /events/{api_id}": invoke });
  });
  after(() => api.close());

  function post(headers: Record<string, string>): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const sent = request(`${api.url}/events/demo`, { method: "POST", headers, setHost: false });
      sent.once("response", (answer) => resolve(answer.resume().statusCode)).once("error", reject);
      sent.end("{}");
    });
  }

  const OWN = ["127.0.0.1", "localhost", "LocalHost", "[::1]", "gatehook.localhost", "a.b.localhost"];
  const FOREIGN = [
    "example.com",
    "127.0.0.1.example.com",
    "localhost.example.com",
    "localhost.",
    "notlocalhost",
    "example.com:80@localhost",
    "localhost@example.com",
    "localhost/example.com",
    "192.168.1.7",
    "0.0.0.0",
    "[::]",
    "::1",
    ".localhost",
    "localhost:",
    "localhost:123456",
    "",
  ];

  it("answers to the loopback names, with a port and without", async () => {
    for (const name of OWN)
      for (const host of [name, `${name}:3000`]) assert.equal(await post({ host }), 202, host);
  });

  it("answers to no other name, as a page has it whose own name resolves to this machine", async () => {
    invoked.length = 0;
    for (const host of FOREIGN) assert.equal(await post({ host }), 403, host);
    assert.deepEqual(invoked, []);
  });

  it("takes requests of pages that have a loopback name", async () => {
    for (const name of OWN)
      for (const origin of [`http://${name}`, `https://${name}:8443`])
        assert.equal(await post({ host: "localhost", origin }), 202, origin);
  });

  it("takes no request of any other page", async () => {
    invoked.length = 0;
    const origins = FOREIGN.flatMap((name) => [`http://${name}`, `https://${name}`]);
    for (const origin of [...origins, "null", "file://", "localhost", "ftp://localhost"])
      assert.equal(await post({ host: "localhost", origin }), 403, origin);
    assert.deepEqual(invoked, []);
  });
});
