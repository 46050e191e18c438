import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { always, type Fault } from "./faults.ts";
import { sendRequest } from "./http.ts";
import { openRealGateway } from "./real.ts";
import { assertHolds, replay } from "./replay.ts";
import { type RunningGateway, type ServerOptions, startGateway } from "./server.ts";
import { configNamed, readTranscripts, SECRET } from "./transcripts.ts";

const transcripts = readTranscripts();
const headers = { "x-tyk-authorization": SECRET };
const LIST = { method: "GET", path: "/tyk/keys", headers };

async function start(t: TestContext, options: Partial<ServerOptions> = {}): Promise<RunningGateway> {
  const now = () => Date.UTC(2030, 0, 1); // a time of nobody's recording
  const server = await startGateway({ config: configNamed(transcripts, "plain"), now, ...options });
  t.after(server.close);
  return server;
}

const ask = ({ url }: RunningGateway) => sendRequest(new URL(url), LIST);

describe("the model behind HTTP", () => {
  test("answers as it does in process", async (t) => {
    const outcome = await replay(transcripts, "plain", async (options) => {
      const { gateway: model, url } = await start(t, options);
      return {
        model,
        async send(request) {
          const before = model.events.length;
          const said = await sendRequest(new URL(url), request);
          return { ...said, events: model.events.slice(before) };
        },
      };
    });
    assertHolds(outcome);
    assert.equal(outcome.compared, 252);
  });

  for (const name of ["plain", "hash-legacy", "hash-murmur64", "hash-sha256"])
    test(`can be compared with ${name} as a gateway with keys and a clock of its own`, async (t) => {
      let time = Date.UTC(2030, 0, 1);
      const { url } = await start(t, { config: configNamed(transcripts, name), now: () => time++ });
      const sleep = async (ms: number) => {
        time += ms;
      };
      const open = openRealGateway({ url: new URL(url), secret: SECRET, now: () => time, sleep });
      const outcome = await replay(transcripts, name, open);
      assertHolds(outcome);
      assert.ok(outcome.compared > 150, `${outcome.compared}`);
    });

  test("leaves a client without an answer when it is unreachable", async (t) => {
    const server = await start(t);
    server.gateway.disturb(always({ kind: "unreachable" }));
    await assert.rejects(ask(server));
    server.gateway.disturb();
    assert.equal((await ask(server)).status, 200);
  });

  test("breaks off in the middle of a body", async (t) => {
    const server = await start(t);
    server.gateway.disturb(always({ kind: "cut", bytes: 4 }));
    await assert.rejects(ask(server), { code: "ECONNRESET" });
  });

  test("answers late by its latency and by what a fault adds", async (t) => {
    const server = await start(t, { latencyMs: 20 });
    const slow: Fault = { kind: "slow", ms: 30 };
    server.gateway.disturb(always(slow));
    const before = performance.now();
    await ask(server);
    assert.ok(performance.now() - before >= 49); // timers may be early by a fraction
  });

  test("does not wait for late answers when it closes", async (t) => {
    const server = await start(t);
    server.gateway.disturb(always({ kind: "slow", ms: 1e6 }));
    const asked = assert.rejects(ask(server));
    while (server.gateway.requests.length === 0) await new Promise(setImmediate);
    await server.close();
    await asked;
  });
});
