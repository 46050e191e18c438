import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { asHttpRequest } from "../../functions/http-request.ts";

/** As a function's own URL brings it: like the HTTP API, but with one route for all, and so without parameters of a path. */
const request = (rawPath: string, more: object = {}) =>
  ({
    routeKey: "$default",
    rawPath,
    headers: { "content-type": "application/json" },
    requestContext: { http: { method: "POST" } },
    body: "{}",
    isBase64Encoded: false,
    ...more,
  }) as unknown as APIGatewayProxyEventV2;

describe("a request to ingest", () => {
  it("by the function's own URL has its API in the path", () => {
    for (const [path, apiId] of [
      ["/events/demo", "demo"],
      ["/events/caf%C3%A9%20one", "café one"],
      ["/events/100%", "100%"],
      ["/events/demo/", undefined],
      ["/events/demo/more", undefined],
      ["/events/", undefined],
      ["/events", undefined],
      ["/event/demo", undefined],
      ["/other/events/demo", undefined],
      ["/", undefined],
    ] as const)
      assert.deepEqual(asHttpRequest(request(path)), {
        method: "POST",
        path,
        apiId,
        headers: { "content-type": "application/json" },
        body: "{}",
      });
  });

  it("by the HTTP API has it as its route says", () => {
    const pathParameters = { api_id: "as decoded" };
    assert.equal(asHttpRequest(request("/events/as%20decoded", { pathParameters })).apiId, "as decoded");
  });

  it("may have its body in base64", () => {
    const body = Buffer.from('{"é":1}').toString("base64");
    assert.equal(asHttpRequest(request("/events/demo", { body, isBase64Encoded: true })).body, '{"é":1}');
    assert.equal(asHttpRequest(request("/events/demo", { body: undefined })).body, "");
  });
});
