// What a gateway, or something before it, may answer, by the real client over the wire.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { AppError } from "../../lib/errors.ts";
import { isAsked } from "../../lib/gateway/asked.ts";
import { connectGateway } from "../../lib/gateway/client.ts";
import { plainConfig } from "./config.ts";
import { type RunningGateway, startGateway } from "./server.ts";

const ORG = "5e9d9544a1dcd60001d0ed20";
const SECRET = "a-secret-of-tests";
const SESSION = { org_id: ORG, rate: 1, per: 1, quota_max: -1, access_rights: { api1: { api_id: "api1" } } };

describe("the gateway's answers", () => {
  let running: RunningGateway;
  before(async () => {
    running = await startGateway({
      now: Date.now,
      config: plainConfig(ORG),
    });
  });
  after(() => running.close());

  const connect = (options: { url?: string; secret?: string; timeoutMs?: number } = {}) =>
    connectGateway({
      url: new URL(options.url ?? running.url),
      secret: options.secret ?? SECRET,
      timeoutMs: options.timeoutMs ?? 2_000,
      hashed: false,
    });
  const key = (name: string) => `${ORG}${name}`;
  const unhelpful = (error: unknown) => {
    assert.ok(error instanceof AppError && error.code === "dependency-failed", String(error));
    assert.ok(!`${error.message}`.includes(SECRET), error.message);
    return true;
  };

  it("say of a key that it is there, or missing, and what became of a change", async () => {
    const gateway = connect();
    assert.equal(await gateway.get(key("none")), "missing");
    assert.deepEqual(await gateway.put(key("none"), SESSION, { reset: false }), { kind: "missing" });
    assert.deepEqual(await gateway.remove(key("none"), ORG), { kind: "missing" });
    assert.deepEqual(await gateway.create(key("k"), SESSION), { kind: "done" });
    assert.notEqual(await gateway.get(key("k")), "missing");
    assert.deepEqual(await gateway.put(key("k"), { ...SESSION, alias: "x" }, { reset: false }), {
      kind: "done",
    });
    assert.equal(
      (await gateway.put(key("k"), { ...SESSION, apply_policies: ["no-such"] }, { reset: false })).kind,
      "failed",
    );
    assert.equal(
      (await gateway.put(key("k"), { ...SESSION, expires: 1.5 }, { reset: false })).kind,
      "refused",
    );
    await gateway.close();
  });

  it("of a wrong secret, a redirect, a page or a body that is cut off say nothing of the key", async () => {
    await assert.rejects(connect({ secret: "other" }).get(key("k")), unhelpful);
    const faults = [
      { kind: "wrong-secret" },
      { kind: "redirect", to: "http://127.0.0.1:9/" },
      { kind: "html", status: 200 },
      { kind: "html", status: 404 },
      { kind: "html", status: 502 },
      { kind: "cut", bytes: 20 },
      { kind: "unreachable" },
    ] as const;
    for (const fault of faults) {
      const gateway = connect({ timeoutMs: 300 });
      running.gateway.disturb(() => [fault]);
      await assert.rejects(gateway.get(key("k")), unhelpful, fault.kind);
      if (fault.kind !== "cut")
        await assert.rejects(gateway.put(key("k"), SESSION, { reset: false }), unhelpful, fault.kind);
      running.gateway.disturb();
      await gateway.close();
    }
  });

  it("while its store is down are those of a gateway without the key", async () => {
    const gateway = connect();
    running.gateway.disturb(() => [{ kind: "store-down" }]);
    assert.equal(await gateway.get(key("k")), "missing");
    assert.deepEqual(await gateway.put(key("k"), SESSION, { reset: false }), { kind: "missing" });
    assert.equal((await gateway.create(key("new"), SESSION)).kind, "failed");
    running.gateway.disturb();
    await gateway.close();
  });

  it("are found for every name that can be asked for", async () => {
    const gateway = connect();
    for (const name of ["a b", "ü€😀", "%2e", "a?b#c&d=e", "k".repeat(1_900)]) {
      assert.ok(isAsked(key(name)), name);
      assert.deepEqual(await gateway.create(key(name), SESSION), { kind: "done" }, name);
      assert.notEqual(await gateway.get(key(name)), "missing", name);
    }
    for (const name of [
      "",
      "a/b",
      "..",
      "Basic dXNlcjpwYXNzd29yZA==",
      "basic x",
      "apilimiter-1",
      "x".repeat(2_049),
    ])
      assert.ok(!isAsked(name), name);
    await gateway.close();
  });

  it("are read to a limit, and with a deadline", async () => {
    const server = createServer((request, response) => {
      if (request.url?.includes("slow")) return;
      response.writeHead(200);
      response.end(JSON.stringify({ alias: "x".repeat(2_000_000) }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const gateway = connect({ url, timeoutMs: 300 });
    await assert.rejects(gateway.get("large"), unhelpful);
    await assert.rejects(gateway.get("slow"), unhelpful);
    server.closeAllConnections();
    server.close();
    await gateway.close();
  });
});
